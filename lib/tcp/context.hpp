// What a connection may use of the worker it lives on. One per engine, handed to every call; nothing in here
// is shared with another worker.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstdint>

#include "base/limits.hpp"
#include "base/list.hpp"
#include "base/pool.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "base/timer_wheel.hpp"
#include "stats/worker_stats.hpp"
#include "tcp/flight.hpp"
#include "wire/frame.hpp"
#include "wire/routes.hpp"

namespace braid::tcp {

class Connection;

// On the list of connections that may have something to send this turn.
struct TouchHook : ListHook {};

// Takes finished frames.
class FrameSink {
 public:
  virtual ~FrameSink() = default;
  virtual void send(unsigned port, rte_mbuf* frame) = 0;
  // A frame without a destination MAC, because the link address of `hop.next` is not known.
  virtual void send_unresolved(const wire::Hop& hop, rte_mbuf* frame) = 0;
};

struct Timeouts {
  Duration handshake = std::chrono::seconds(10);
  Duration user = std::chrono::minutes(5);  // unacknowledged data (RFC 9293 3.8.3)
  Duration time_wait = std::chrono::seconds(60);
  Duration fin_wait = std::chrono::seconds(60);  // FIN_WAIT_2 and LAST_ACK without progress
  Duration keepalive{0};                         // idle time before the first probe; 0: off
};

// Alarm kinds on a worker's wheel: who owns the alarm.
enum class AlarmKind : std::uint8_t { connection, session, pair };

struct Context {
  Instant now;
  stats::WorkerStats& stats;
  TimerWheel& wheel;
  rte_mempool* buffers;
  FrameSink& sink;
  const wire::RouteTable* routes;
  Rng& rng;
  SipKey secret;  // per process: ISNs (RFC 6528), timestamp offsets
  Timeouts timeouts;
  std::uint32_t window_limit;                // bytes a window may offer now; shrinks as buffers run out
  bool handshakes_crowded = false;           // more are open than half of those that may be
  bool buffers_scarce = false;               // nothing is kept that is not in order, or not read
  std::uint32_t checksum_offload_ports = 0;  // bit p: port p writes TCP and IPv4 checksums itself
  Pool<Flight> flights{1U << 16};            // at least one per connection and session
  List<Connection, TouchHook> touched{};
  List<Connection, TouchHook> again{};         // had more to send than one turn allows
  List<Connection, TouchHook> dead{};          // ended this turn, freed at its end
  List<Connection, TouchHook> time_waiting{};  // oldest first; they give way when room is needed

  void count(stats::Counter c, std::uint64_t n = 1) const { stats.counters.add(c, n); }
  void drop(rte_mbuf* m, stats::Drop reason) const {
    stats.drops.add(reason);
    rte_pktmbuf_free(m);
  }
};

}  // namespace braid::tcp
