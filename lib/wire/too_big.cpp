#include "wire/too_big.hpp"

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

std::optional<TooBig> with_ports(const Ip& source, const Ip& destination, ByteView tcp, std::uint16_t mtu) {
  if (tcp.size() < kQuotedTcp) return {};
  TooBig out;
  out.flow.local = {source, read<std::uint16_t>(tcp, 0)};
  out.flow.remote = {destination, read<std::uint16_t>(tcp, 2)};
  out.seq = SubSeq(read<std::uint32_t>(tcp, 4));
  out.mtu = mtu;
  return out;
}

std::optional<TooBig> quoted_v4(ByteView ip, std::uint16_t mtu) {
  if (ip.size() < kIpv4Header) return {};
  const std::size_t header = (byte_at(ip, 0) & 0x0fU) * 4U;
  if (byte_at(ip, 0) >> 4 != 4 || header < kIpv4Header || header > ip.size() || byte_at(ip, 9) != kTcp)
    return {};
  return with_ports(Ip::v4(read<std::uint32_t>(ip, 12)), Ip::v4(read<std::uint32_t>(ip, 16)),
                    ip.subspan(header), mtu);
}

// Braid sends no extension headers, so none can be quoted.
std::optional<TooBig> quoted_v6(ByteView ip, std::uint16_t mtu) {
  if (ip.size() < kIpv6Header || byte_at(ip, 0) >> 4 != 6 || byte_at(ip, 6) != kTcp) return {};
  return with_ports(Ip::v6(read<std::uint64_t>(ip, 8), read<std::uint64_t>(ip, 16)),
                    Ip::v6(read<std::uint64_t>(ip, 24), read<std::uint64_t>(ip, 32)), ip.subspan(kIpv6Header),
                    mtu);
}

std::optional<TooBig> parse_v4(ByteView ip) {
  if (ip.size() < kIpv4Header) return {};
  const std::size_t header = (byte_at(ip, 0) & 0x0fU) * 4U;
  const std::size_t total = read<std::uint16_t>(ip, 2);
  if (byte_at(ip, 0) >> 4 != 4 || header < kIpv4Header || total < header + kIcmpHeader || total > ip.size() ||
      byte_at(ip, 9) != kIcmpV4 || (read<std::uint16_t>(ip, 6) & 0x3fffU) != 0 ||
      ones_sum(ip.first(header)) != 0xffff)
    return {};
  const ByteView icmp = ip.subspan(header, total - header);
  if (byte_at(icmp, 0) != 3 || byte_at(icmp, 1) != 4 || ones_sum(icmp) != 0xffff) return {};
  return quoted_v4(icmp.subspan(kIcmpHeader), read<std::uint16_t>(icmp, 6));
}

std::optional<TooBig> parse_v6(ByteView ip) {
  if (ip.size() < kIpv6Header) return {};
  const std::size_t length = read<std::uint16_t>(ip, 4);
  if (byte_at(ip, 0) >> 4 != 6 || byte_at(ip, 6) != kIcmpV6 || length < kIcmpHeader ||
      length > ip.size() - kIpv6Header)
    return {};
  const ByteView icmp = ip.subspan(kIpv6Header, length);
  if (byte_at(icmp, 0) != 2) return {};
  const auto pseudo =
      sum_add(ones_sum(ip.subspan(8, 32)), sum_add(static_cast<std::uint16_t>(length), kIcmpV6));
  if (sum_add(pseudo, ones_sum(icmp)) != 0xffff) return {};
  const auto mtu = std::min(read<std::uint32_t>(icmp, 4), 0xffffU);
  return quoted_v6(icmp.subspan(kIcmpHeader), static_cast<std::uint16_t>(mtu));
}

}  // namespace

std::optional<TooBig> parse_too_big(ByteView frame) {
  if (frame.size() < kEthernetHeader) return {};
  const EthernetHeader ethernet = parse_ethernet(frame);
  if (ethernet.type == kEtherIpv4) return parse_v4(frame.subspan(ethernet.size));
  if (ethernet.type == kEtherIpv6) return parse_v6(frame.subspan(ethernet.size));
  return {};
}

}  // namespace braid::wire
