// What is measured; README.md beside says how.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

struct rte_mempool;

namespace braid::perf {

struct Bench {
  rte_mempool* buffers = nullptr;
  std::uint32_t buffer_count = 0;
  double tsc_hz = 0;
  unsigned rounds = 11;
};

inline constexpr std::uint16_t kSegment = 1428;  // payload bytes: 1500 - IP - TCP - timestamps - DSS

// A download: one server segment after the other to MPTCP clients with two subflows.
struct BulkCase {
  unsigned burst = 32;
  bool offload = false;
  unsigned sessions = 1;
  unsigned delay_us = 256;     // of either path, one way; at one segment per us that many are under way
  unsigned round = 64 * 1024;  // segments
};
struct BulkResult {
  double cycles_per_segment = 0;  // median of rounds
  double quiet = 0;               // the lowest tenth of short stretches lies below: hardly disturbed
  double frames_per_turn = 0;     // in, both ports
  double second_path = 0;         // share of the segments that the second subflow carried
  std::vector<double> rounds;
};
BulkResult run_bulk(const Bench& bench, const BulkCase& c);

// Short connections: open, a request of 200 bytes, a response of 1000, the client closes.
struct ChurnResult {
  double cycles_per_connection = 0;
  double frames_per_connection = 0;  // in, both ports
};
ChurnResult run_churn(const Bench& bench, bool join, bool offload);

// Established sessions with two subflows and a server leg that say nothing.
struct IdleResult {
  double bytes_per_session = 0;
  std::uint32_t sessions = 0;
  std::uint32_t buffers_held = 0;  // packet buffers of all sessions together
};
IdleResult run_idle(const Bench& bench, std::uint32_t sessions);

// What somebody may send who wants to cost much.
enum class Hostile : std::uint8_t {
  syn,        // from random addresses, beyond all handshakes that may be open
  syn_mptcp,  // the same with MP_CAPABLE
  join,       // MP_JOIN with a random token
  stray,      // an ACK of no connection
  outside,    // on a connection of its own: data far outside of the window
  pieces,     // the same: single bytes in random order behind a hole
};
// Cycles per packet.
double run_hostile(const Bench& bench, Hostile kind);

}  // namespace braid::perf
