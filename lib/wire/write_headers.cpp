// Emission of a frame's headers: the other half of frame.hpp.
#include <cstring>

#include "wire/checksum.hpp"
#include "wire/frame.hpp"

namespace braid::wire {

namespace {

constexpr std::uint8_t kProtocolTcp = 6;

// Sums are built from the values, not from the bytes just written: reading them back in other widths would
// stall on the store buffer.
void write_tcp(std::byte* p, const FrameOut& out, ByteView options, ChecksumMode mode) {
  const std::size_t header = kTcpHeader + options.size();
  const auto offset_flags = static_cast<std::uint16_t>(header / 4 << 12 | out.flags);
  store_be(p, out.flow.local.port);
  store_be(p + 2, out.flow.remote.port);
  store_be(p + 4, out.seq.raw);
  store_be(p + 8, out.ack.raw);
  store_be(p + 12, offset_flags);
  store_be(p + 14, out.window);
  store_be(p + 18, std::uint16_t{0});
  if (!options.empty()) std::memcpy(p + kTcpHeader, options.data(), options.size());
  const std::uint16_t pseudo = pseudo_header_sum(out.flow.local.ip, out.flow.remote.ip,
                                                 static_cast<std::uint32_t>(header + out.payload_length));
  if (mode == ChecksumMode::offload) {
    store_be(p + 16, pseudo);
    return;
  }
  const std::uint64_t sum = std::uint64_t{pseudo} + out.flow.local.port + out.flow.remote.port + out.seq.raw +
                            out.ack.raw + offset_flags + out.window + ones_sum(options) + out.payload_sum;
  store_be(p + 16, static_cast<std::uint16_t>(~fold(sum)));
}

// Type of service, traffic class.
std::uint32_t tos_of(const FrameOut& out) { return std::uint32_t{out.ip.dscp} << 2 | (out.ecn & 3U); }

void write_ipv4(std::byte* p, const FrameOut& out, std::size_t tcp_length) {
  const auto first = static_cast<std::uint32_t>(0x45000000U | tos_of(out) << 16 | (kIpv4Header + tcp_length));
  constexpr std::uint32_t kDontFragment = 0x4000;
  const auto ttl_protocol = static_cast<std::uint16_t>(out.ip.ttl << 8 | kProtocolTcp);
  const std::uint32_t source = out.flow.local.ip.v4();
  const std::uint32_t destination = out.flow.remote.ip.v4();
  store_be(p, first);
  store_be(p + 4, kDontFragment);
  store_be(p + 8, ttl_protocol);
  const std::uint64_t sum = std::uint64_t{first} + kDontFragment + ttl_protocol + source + destination;
  store_be(p + 10, static_cast<std::uint16_t>(~fold(sum)));
  store_be(p + 12, source);
  store_be(p + 16, destination);
}

void write_ipv6(std::byte* p, const FrameOut& out, std::size_t tcp_length) {
  store_be(p, 0x60000000U | tos_of(out) << 20);
  store_be(p + 4, static_cast<std::uint32_t>(tcp_length << 16 | kProtocolTcp << 8 | out.ip.ttl));
  store_be(p + 8, out.flow.local.ip.hi);
  store_be(p + 16, out.flow.local.ip.lo);
  store_be(p + 24, out.flow.remote.ip.hi);
  store_be(p + 32, out.flow.remote.ip.lo);
}

}  // namespace

std::size_t write_headers(std::byte* payload, const FrameOut& out, ByteView padded_options,
                          ChecksumMode mode) {
  const bool v4 = out.flow.local.ip.is_v4();
  const std::size_t ip_header = v4 ? kIpv4Header : kIpv6Header;
  const std::size_t tcp_header = kTcpHeader + padded_options.size();
  std::byte* tcp = payload - tcp_header;
  std::byte* ip = tcp - ip_header;
  std::byte* ethernet = ip - kEthernetHeader - out.vlan.bytes();
  write_tcp(tcp, out, padded_options, mode);
  if (v4) {
    write_ipv4(ip, out, tcp_header + out.payload_length);
  } else {
    write_ipv6(ip, out, tcp_header + out.payload_length);
  }
  std::memcpy(ethernet, out.destination.bytes.data(), 6);
  std::memcpy(ethernet + 6, out.source.bytes.data(), 6);
  std::byte* tag = ethernet + 12;
  for (const std::uint32_t t : out.vlan.tags) {
    if (t == 0) break;
    store_be(tag, t);
    tag += kVlanTag;
  }
  store_be(tag, v4 ? kEtherIpv4 : kEtherIpv6);
  return kEthernetHeader + out.vlan.bytes() + ip_header + tcp_header;
}

}  // namespace braid::wire
