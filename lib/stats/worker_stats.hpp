// All that one worker counts. Written by that worker alone.
#pragma once

#include "stats/counters.hpp"
#include "stats/histogram.hpp"

namespace braid::stats {

struct WorkerStats {
  Table<Drop> drops;
  Table<Counter> counters;
  Table<Fallback> fallbacks;
  Table<Join> joins;
  Table<RstReason> resets_sent;
  Table<RstReason> resets_received;
  // Gauges, set once per turn by the worker.
  struct Gauges {
    std::uint64_t connections = 0;  // plain TCP connections, server legs included
    std::uint64_t subflows = 0;
    std::uint64_t sessions = 0;  // MPTCP sessions, fallen-back ones included
    std::uint64_t pairs = 0;     // relayed client connections
    std::uint64_t redirects = 0;
    std::uint64_t buffered_bytes = 0;  // payload bytes held by relays
  } gauges;
  Histogram<8> rx_burst{{1, 2, 4, 8, 12, 16, 24, 32}};  // frames per burst
  Histogram<10> client_rtt_us{{1000, 2000, 5000, 10000, 20000, 50000, 100000, 200000, 500000, 1000000}};
  Histogram<10> server_rtt_us{{100, 200, 500, 1000, 2000, 5000, 10000, 50000, 200000, 1000000}};
  Histogram<8> connect_us{{500, 1000, 2000, 5000, 20000, 100000, 500000, 3000000}};  // upstream connect time
  Histogram<8> subflows_per_session{{1, 2, 3, 4, 5, 6, 7, 8}};                       // at the session's end
};

}  // namespace braid::stats
