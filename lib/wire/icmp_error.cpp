#include "wire/icmp_error.hpp"

#include <algorithm>

#include "wire/checksum.hpp"
#include "wire/frame.hpp"

namespace braid::wire {

namespace {

constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kIcmpV4 = 1;
constexpr std::uint8_t kIcmpV6 = 58;
constexpr std::size_t kIcmpHeader = 8;
constexpr std::size_t kQuotedTcp = 8;  // ports and sequence number: all that RFC 792 promises

std::uint8_t byte_at(ByteView b, std::size_t i) { return std::to_integer<std::uint8_t>(b[i]); }
template <class T>
T read(ByteView b, std::size_t at) {
  return load_be<T>(b.data() + at);
}

std::optional<IcmpError> with_ports(IcmpError out, const Ip& source, const Ip& destination, ByteView tcp) {
  if (tcp.size() < kQuotedTcp) return {};
  out.flow.local = {source, read<std::uint16_t>(tcp, 0)};
  out.flow.remote = {destination, read<std::uint16_t>(tcp, 2)};
  out.seq = SubSeq(read<std::uint32_t>(tcp, 4));
  return out;
}

std::optional<IcmpError> quoted_v4(const IcmpError& error, ByteView ip) {
  if (ip.size() < kIpv4Header) return {};
  const std::size_t header = (byte_at(ip, 0) & 0x0fU) * 4U;
  if (byte_at(ip, 0) >> 4 != 4 || header < kIpv4Header || header > ip.size() || byte_at(ip, 9) != kTcp)
    return {};
  return with_ports(error, Ip::v4(read<std::uint32_t>(ip, 12)), Ip::v4(read<std::uint32_t>(ip, 16)),
                    ip.subspan(header));
}

// Braid sends no extension headers, so none can be quoted.
std::optional<IcmpError> quoted_v6(const IcmpError& error, ByteView ip) {
  if (ip.size() < kIpv6Header || byte_at(ip, 0) >> 4 != 6 || byte_at(ip, 6) != kTcp) return {};
  return with_ports(error, Ip::v6(read<std::uint64_t>(ip, 8), read<std::uint64_t>(ip, 16)),
                    Ip::v6(read<std::uint64_t>(ip, 24), read<std::uint64_t>(ip, 32)),
                    ip.subspan(kIpv6Header));
}

std::optional<IcmpError> parse_v4(ByteView ip) {
  if (ip.size() < kIpv4Header) return {};
  const std::size_t header = (byte_at(ip, 0) & 0x0fU) * 4U;
  const std::size_t total = read<std::uint16_t>(ip, 2);
  if (byte_at(ip, 0) >> 4 != 4 || header < kIpv4Header || total < header + kIcmpHeader || total > ip.size() ||
      byte_at(ip, 9) != kIcmpV4 || (read<std::uint16_t>(ip, 6) & 0x3fffU) != 0 ||
      ones_sum(ip.first(header)) != 0xffff)
    return {};
  const ByteView icmp = ip.subspan(header, total - header);
  constexpr unsigned kUnreachable = 3, kFragmentationNeeded = 4, kCodes = 16;
  const unsigned code = byte_at(icmp, 1);
  if (byte_at(icmp, 0) != kUnreachable || code >= kCodes || ones_sum(icmp) != 0xffff) return {};
  IcmpError error;
  if (code == kFragmentationNeeded) {
    error.mtu = read<std::uint16_t>(icmp, 6);
  } else {
    error.kind = IcmpError::Kind::unreachable;
  }
  return quoted_v4(error, icmp.subspan(kIcmpHeader));
}

std::optional<IcmpError> parse_v6(ByteView ip) {
  if (ip.size() < kIpv6Header) return {};
  const std::size_t length = read<std::uint16_t>(ip, 4);
  if (byte_at(ip, 0) >> 4 != 6 || byte_at(ip, 6) != kIcmpV6 || length < kIcmpHeader ||
      length > ip.size() - kIpv6Header)
    return {};
  const ByteView icmp = ip.subspan(kIpv6Header, length);
  constexpr unsigned kUnreachable = 1, kPacketTooBig = 2;
  const unsigned type = byte_at(icmp, 0);
  if (type != kUnreachable && type != kPacketTooBig) return {};
  const auto pseudo =
      sum_add(ones_sum(ip.subspan(8, 32)), sum_add(static_cast<std::uint16_t>(length), kIcmpV6));
  if (sum_add(pseudo, ones_sum(icmp)) != 0xffff) return {};
  IcmpError error;
  if (type == kPacketTooBig) {
    error.mtu = static_cast<std::uint16_t>(std::min(read<std::uint32_t>(icmp, 4), 0xffffU));
  } else {
    error.kind = IcmpError::Kind::unreachable;
  }
  return quoted_v6(error, icmp.subspan(kIcmpHeader));
}

}  // namespace

std::optional<IcmpError> parse_icmp_error(ByteView frame) {
  if (frame.size() < kEthernetHeader) return {};
  const EthernetHeader ethernet = parse_ethernet(frame);
  if (ethernet.type == kEtherIpv4) return parse_v4(frame.subspan(ethernet.size));
  if (ethernet.type == kEtherIpv6) return parse_v6(frame.subspan(ethernet.size));
  return {};
}

}  // namespace braid::wire
