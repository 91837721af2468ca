// What the control core shows of the running appliance. The daemon fills one Sources and keeps everything it
// points to alive until the control core has stopped. Callbacks are made from control threads only, several
// at once, and must not block.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "engine/inspect.hpp"
#include "stats/worker_stats.hpp"

namespace braid::control {

// A port's own counters since start.
struct PortStats {
  std::string name;
  bool up = false;
  std::uint64_t rx_packets = 0;
  std::uint64_t rx_bytes = 0;
  std::uint64_t tx_packets = 0;
  std::uint64_t tx_bytes = 0;
  std::uint64_t missed = 0;     // received but no descriptor was free
  std::uint64_t no_buffer = 0;  // received but no mbuf was free
  std::uint64_t errors = 0;     // both directions
};

// Fill of one pool of packet buffers.
struct PoolUse {
  std::string name;
  std::uint64_t in_use = 0;
  std::uint64_t size = 0;
};

struct BuildInfo {
  std::string version;       // of Braid
  std::string dpdk;          // rte_version()
  std::string command_line;  // EAL's arguments as started
};

struct Sources {
  const config::Config* config = nullptr;
  std::vector<const stats::WorkerStats*> workers;  // in worker order
  std::function<std::vector<PortStats>()> ports;   // unset: none
  std::function<std::vector<PoolUse>()> pools;     // unset: none
  std::function<bool()> ready;                     // serves clients now; unset: false
  std::function<bool()> draining;                  // stop was asked for; unset: false
  BuildInfo build;
};

// The way to the workers' listings: one mailbox per worker.
class SessionSource {
 public:
  virtual ~SessionSource() = default;
  [[nodiscard]] virtual unsigned workers() const = 0;
  // Puts `request` into the mailbox of `worker`, which sets `request.done` when it has answered. False: the
  // worker does not run. At most one request per worker is posted at a time, from one thread.
  virtual bool post(unsigned worker, engine::ListRequest& request) = 0;
};

}  // namespace braid::control
