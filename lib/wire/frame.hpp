// One frame in, one frame out: Ethernet with VLAN tags, IPv4 or IPv6, TCP.
#pragma once

#include <cstdint>
#include <string>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "wire/ethernet.hpp"
#include "wire/tcp_options.hpp"

namespace braid::wire {

inline constexpr std::size_t kIpv4Header = 20;
inline constexpr std::size_t kIpv6Header = 40;
inline constexpr std::size_t kTcpHeader = 20;
// Largest header Braid writes: Ethernet with two VLAN tags, IPv6, TCP with full options.
inline constexpr std::size_t kMaxHeaders =
    kEthernetHeader + kMaxVlanTags * kVlanTag + kIpv6Header + kTcpHeader + kMaxOptionBytes;

// What a frame turned out to be. Everything but `tcp` leaves TcpFrame's transport part untouched.
enum class FrameKind : std::uint8_t {
  tcp,       // a TCP segment, checksum verified
  other,     // not TCP over IP: ARP, NDP, ICMP, UDP, ... (the kernel's)
  fragment,  // an IP fragment of TCP; `flow` has the addresses only
  short_frame,
  bad_ip_header,
  bad_ip_checksum,
  bad_extension,  // IPv6 routing header with segments left, too many extension headers, or malformed
  bad_source,     // TCP from no unicast address, from loopback, from its own target, or mapped IPv4 in IPv6
  bad_tcp_header,
  bad_tcp_checksum,
};

struct TcpFrame {
  Flow flow;  // local: the destination
  SubSeq seq;
  SubSeq ack;
  std::uint16_t window = 0;  // unscaled
  std::uint8_t flags = 0;    // TcpFlag bits
  std::uint8_t ecn = 0;      // IP ECN field, 2 bits
  std::uint16_t l3_offset = 0;
  std::uint16_t l4_offset = 0;
  std::uint16_t payload_offset = 0;
  std::uint16_t payload_length = 0;
  std::uint16_t payload_sum = 0;  // folded one's-complement sum of the payload
  Mac source_mac;
  Vlan vlan{};
  TcpOptions options;

  [[nodiscard]] bool has(TcpFlag f) const { return (flags & f) != 0; }
  // Sequence space the segment takes: payload, SYN, FIN.
  [[nodiscard]] std::uint32_t seq_length() const {
    return payload_length + (has(kSyn) ? 1U : 0U) + (has(kFin) ? 1U : 0U);
  }
};

enum class Trust : std::uint8_t {
  verify,
  checksum_good
};  // checksum_good: the NIC has verified IP and TCP sums

// Parses a whole frame. With Trust::checksum_good the payload is not read: its sum follows from the
// segment's checksum field, which must therefore be the real one, not a sender's partial sum. Trailing bytes
// behind the IP length (Ethernet padding) are ignored.
FrameKind parse_frame(ByteView frame, Trust trust, TcpFrame& out);

enum class ChecksumMode : std::uint8_t {
  full,
  offload
};  // offload: TCP field holds the pseudo header's sum only

// Fields of the IP header that the user chooses for what we send (RFC 9293 3.9.1.9, 3.9.2).
struct IpFields {
  std::uint8_t dscp = 0;
  std::uint8_t ttl = 64;  // IPv6: hop limit
};

struct FrameOut {
  Mac source{};
  Mac destination{};
  Vlan vlan{};
  Flow flow;  // local: our end, the packet's source
  SubSeq seq;
  SubSeq ack;
  std::uint16_t window = 0;
  std::uint8_t flags = 0;
  IpFields ip{};
  std::uint8_t ecn = 0;  // 2 bits
  std::uint16_t payload_length = 0;
  std::uint16_t payload_sum = 0;
};

// Writes all headers so that they end right before `payload`, and returns their size. The caller owns at
// least kMaxHeaders bytes there. IPv4 goes out with DF and identification 0 (RFC 6864 4.1). The
// IPv4 header checksum is always written, whatever `mode`. `padded_options` is a multiple of 4 bytes long.
std::size_t write_headers(std::byte* payload, const FrameOut& out, ByteView padded_options,
                          ChecksumMode mode);

// One line for people, in tcpdump's manner: addresses, flags, numbers, options.
std::string to_string(const TcpFrame& frame);

}  // namespace braid::wire
