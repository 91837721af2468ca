// Bounds that are part of the design, each with its reason. Bounds an operator may move live in the config.
#pragma once

#include <cstddef>
#include <cstdint>

namespace braid::limits {

// Frames per receive burst: DPDK's usual trade of latency for cache reuse.
inline constexpr unsigned kBurst = 32;
// Ports one appliance serves.
inline constexpr unsigned kMaxPorts = 8;
// Workers (slices of the token space per node).
inline constexpr unsigned kMaxWorkers = 16;
// Subflows of one session; the id of a peer address has 8 bits.
inline constexpr unsigned kMaxSubflows = 8;
// Addresses that a listener announces: bits of a word.
inline constexpr std::size_t kMaxAnnounced = 64;
// Segments one connection may send per turn, so none starves the others.
inline constexpr unsigned kMaxSegmentsPerTurn = 64;
// Timers fired per turn.
inline constexpr unsigned kAlarmsPerTurn = 256;
// Keys drawn per worker slice before MPTCP is declined (RFC 8684 3.1).
inline constexpr unsigned kTokenDraws = 64;
// Servers of one upstream.
inline constexpr unsigned kMaxUpstreamServers = 16;
// Out-of-order segments kept per connection or session.
inline constexpr std::uint32_t kReassemblyPieces = 4096;
// A buffer costs the same whatever it holds, so small segments are what exhausts them (CVE-2018-5390). Beyond
// kSmallPieces of them, out-of-order segments must hold kSmallPiece bytes on average.
inline constexpr std::uint32_t kSmallPieces = 256;
inline constexpr std::uint32_t kSmallPiece = 256;
// Payload bytes up to which a segment is copied behind the one before it, when that still waits to be sent.
inline constexpr std::uint32_t kSmallSegment = 512;
// Segments one connection may have on the way besides two for each that its congestion window holds.
inline constexpr std::uint32_t kSegmentsOnTheWay = 32;
// The send MSS is never lower, whatever a peer says (CVE-2019-11479): a packet of it, 576 bytes with headers,
// is the least that every IPv4 host takes (RFC 791).
inline constexpr std::uint32_t kMinSegment = 536;

// Segments that one acknowledgement may make us pass on the way to what it reports (RFC 2018).
inline constexpr unsigned kSackSteps = 512;

}  // namespace braid::limits
