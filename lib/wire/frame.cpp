#include "wire/frame.hpp"

#include <cstring>

#include "wire/word_sum.hpp"

namespace braid::wire {

namespace {

constexpr std::uint8_t kProtocolTcp = 6;

// What the IP header says: where the segment lies and who speaks.
struct Network {
  std::size_t l3 = 0;  // offset of the IP header in the frame
  Ip source;
  Ip destination;
  std::size_t l4 = 0;   // offset of the transport header in the frame
  std::size_t end = 0;  // offset behind the IP packet's last byte
  std::uint8_t ecn = 0;
  ByteView addresses;  // both, as they stand in the header
};

std::uint8_t byte_at(const std::byte* p) { return std::to_integer<std::uint8_t>(*p); }

FrameKind parse_ipv4(ByteView frame, Trust trust, Network& net) {
  const std::byte* ip = frame.data() + net.l3;
  const std::size_t room = frame.size() - net.l3;
  if (room < kIpv4Header) return FrameKind::short_frame;
  const std::size_t header = (byte_at(ip) & 0x0fU) * 4U;
  const std::size_t total = load_be<std::uint16_t>(ip + 2);
  if (byte_at(ip) >> 4 != 4 || header < kIpv4Header || total < header || total > room)
    return FrameKind::bad_ip_header;
  if (trust == Trust::verify && fold(sum_words(ip, header, 0)) != 0xffff) return FrameKind::bad_ip_checksum;
  net.source = Ip::v4(load_be<std::uint32_t>(ip + 12));
  net.destination = Ip::v4(load_be<std::uint32_t>(ip + 16));
  net.addresses = ByteView(ip + 12, 8);
  net.ecn = byte_at(ip + 1) & 3;
  net.l4 = net.l3 + header;
  net.end = net.l3 + total;
  constexpr std::uint16_t kMoreOrOffset = 0x3fff;
  if (byte_at(ip + 9) != kProtocolTcp) return FrameKind::other;
  return (load_be<std::uint16_t>(ip + 6) & kMoreOrOffset) != 0 ? FrameKind::fragment : FrameKind::tcp;
}

// RFC 8200 4.2: an unknown option whose two highest bits are not zero forbids to take the packet. All that
// Braid knows is padding, so every such option does. `body`: behind the header's first two bytes.
bool options_acceptable(ByteView body) {
  while (!body.empty()) {
    const std::uint8_t type = byte_at(body.data());
    std::size_t size = 1;
    if (type != 0) {
      if (body.size() < 2) return false;
      size = 2U + byte_at(body.data() + 1);
      if (size > body.size() || type >> 6 != 0) return false;
    }
    body = body.subspan(size);
  }
  return true;
}

enum Extension : std::uint8_t { kHopByHop = 0, kRouting = 43, kFragment = 44, kDestination = 60 };

// Steps over IPv6 extension headers from `next`. A packet that turns out not to be TCP is the kernel's to
// judge, so that a refusal is only pronounced when the chain has ended in TCP or cannot be followed.
FrameKind walk_extensions(ByteView frame, std::uint8_t next, Network& net) {
  constexpr unsigned kMaxExtensions = 8;
  bool refused = false;
  for (unsigned count = 0; next != kProtocolTcp; ++count) {
    if (next != kHopByHop && next != kRouting && next != kFragment && next != kDestination)
      return FrameKind::other;
    if (count == kMaxExtensions || net.end - net.l4 < 8) return FrameKind::bad_extension;
    const std::byte* p = frame.data() + net.l4;
    const std::size_t size = next == kFragment ? 8 : 8 * (1U + byte_at(p + 1));
    if (size > net.end - net.l4) return FrameKind::bad_extension;
    if (next == kFragment) {
      constexpr std::uint16_t kOffsetOrMore = 0xfff9;  // an atomic fragment is a whole packet (RFC 6946)
      if ((load_be<std::uint16_t>(p + 2) & kOffsetOrMore) != 0)
        return byte_at(p) == kProtocolTcp ? FrameKind::fragment : FrameKind::other;
    } else if (next == kRouting) {
      refused |= byte_at(p + 3) != 0;
    } else {
      refused |= (next == kHopByHop && count != 0) || !options_acceptable(ByteView(p + 2, size - 2));
    }
    next = byte_at(p);
    net.l4 += size;
  }
  return refused ? FrameKind::bad_extension : FrameKind::tcp;
}

FrameKind parse_ipv6(ByteView frame, Network& net) {
  const std::byte* ip = frame.data() + net.l3;
  const std::size_t room = frame.size() - net.l3;
  if (room < kIpv6Header) return FrameKind::short_frame;
  const std::uint32_t first = load_be<std::uint32_t>(ip);
  const std::size_t length = load_be<std::uint16_t>(ip + 4);
  if (first >> 28 != 6 || length > room - kIpv6Header) return FrameKind::bad_ip_header;
  net.source = Ip::v6(load_be<std::uint64_t>(ip + 8), load_be<std::uint64_t>(ip + 16));
  net.destination = Ip::v6(load_be<std::uint64_t>(ip + 24), load_be<std::uint64_t>(ip + 32));
  net.addresses = ByteView(ip + 8, 32);
  net.ecn = static_cast<std::uint8_t>((first >> 20) & 3);
  net.l4 = net.l3 + kIpv6Header;
  net.end = net.l4 + length;
  return walk_extensions(frame, byte_at(ip + 6), net);
}

bool is_loopback(const Ip& ip) { return ip.is_v4() ? ip.v4() >> 24 == 127 : ip == Ip::v6(0, 1); }

// A mapped address inside an IPv6 header would pass for an IPv4 flow's: nobody sends it in good faith.
bool source_acceptable(const Network& net, bool v4_header) {
  if (!net.source.is_unicast() || is_loopback(net.source) || net.source == net.destination) return false;
  return v4_header || (!net.source.is_v4() && !net.destination.is_v4());
}

// Sum of the pseudo header and the TCP header. Both are in the cache as bytes, and one fold serves for all.
std::uint16_t headers_sum(const Network& net, ByteView header, std::size_t tcp_length) {
  const std::uint64_t pseudo =
      std::uint64_t{from_be(static_cast<std::uint16_t>(tcp_length))} + from_be(std::uint16_t{kProtocolTcp});
  const std::uint64_t with_addresses = sum_words(net.addresses.data(), net.addresses.size(), pseudo);
  return fold_le(sum_words(header.data(), header.size(), with_addresses));
}

FrameKind parse_tcp(ByteView frame, Trust trust, const Network& net, TcpFrame& out) {
  const std::size_t length = net.end - net.l4;
  if (length < kTcpHeader) return FrameKind::short_frame;
  const std::byte* tcp = frame.data() + net.l4;
  const std::size_t header = static_cast<std::size_t>(byte_at(tcp + 12) >> 4) * 4;
  if (header < kTcpHeader || header > length) return FrameKind::bad_tcp_header;

  const std::size_t payload_length = length - header;
  const std::uint16_t headers = headers_sum(net, ByteView(tcp, header), length);
  if (trust == Trust::verify) {
    out.payload_sum = ones_sum(ByteView(tcp + header, payload_length));
    if (sum_add(headers, out.payload_sum) != 0xffff) return FrameKind::bad_tcp_checksum;
  } else {  // a right segment sums up to 0xffff: what the headers lack is the payload's
    out.payload_sum = payload_length == 0 ? std::uint16_t{0} : static_cast<std::uint16_t>(~headers);
  }
  out.flow.local = {net.destination, load_be<std::uint16_t>(tcp + 2)};
  out.flow.remote = {net.source, load_be<std::uint16_t>(tcp)};
  out.seq = SubSeq(load_be<std::uint32_t>(tcp + 4));
  out.ack = SubSeq(load_be<std::uint32_t>(tcp + 8));
  out.window = load_be<std::uint16_t>(tcp + 14);
  out.flags = byte_at(tcp + 13);
  out.ecn = net.ecn;
  out.l3_offset = static_cast<std::uint16_t>(net.l3);
  out.l4_offset = static_cast<std::uint16_t>(net.l4);
  out.payload_offset = static_cast<std::uint16_t>(net.l4 + header);
  out.payload_length = static_cast<std::uint16_t>(payload_length);
  std::memcpy(out.source_mac.bytes.data(), frame.data() + 6, 6);
  parse_tcp_options(ByteView(tcp + kTcpHeader, header - kTcpHeader), out.flags, payload_length, out.options);
  return FrameKind::tcp;
}

}  // namespace

FrameKind parse_frame(ByteView frame, Trust trust, TcpFrame& out) {
  if (frame.size() < kEthernetHeader) return FrameKind::short_frame;
  const EthernetHeader ethernet = parse_ethernet(frame);
  if (ethernet.type != kEtherIpv4 && ethernet.type != kEtherIpv6) return FrameKind::other;
  Network net;
  net.l3 = ethernet.size;
  out.vlan = ethernet.vlan;
  const bool v4 = ethernet.type == kEtherIpv4;
  const FrameKind kind = v4 ? parse_ipv4(frame, trust, net) : parse_ipv6(frame, net);
  if (kind == FrameKind::fragment) {
    out.flow.local = {net.destination, 0};
    out.flow.remote = {net.source, 0};
  }
  if (kind != FrameKind::tcp) return kind;
  if (!source_acceptable(net, v4)) return FrameKind::bad_source;
  return parse_tcp(frame, trust, net, out);
}

}  // namespace braid::wire
