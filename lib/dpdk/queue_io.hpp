// A worker's outside on real ports: ethdev queues, and rings to the kernel mirror.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <vector>

#include "base/limits.hpp"
#include "dpdk/mirror_link.hpp"
#include "dpdk/port.hpp"
#include "dpdk/token_bucket.hpp"
#include "engine/io.hpp"
#include "stats/worker_stats.hpp"

namespace braid::dpdk {

class QueueIo final : public engine::Io {
 public:
  // Worker `worker` uses queue `worker` of every port. `pool`: for copies where a port wants frames in one
  // piece. `mirror_pps`: packets per second to the kernel. All arguments must outlive the object.
  QueueIo(unsigned worker, const std::vector<Port>& ports, rte_mempool* pool, MirrorLink& link,
          Doorbell& bell, std::uint32_t mirror_pps, stats::WorkerStats& stats);

  // Begins a turn at `now`: sends what the kernel has given for the ports.
  void begin_turn(Instant now);
  // Whether anything was received or sent since begin_turn().
  [[nodiscard]] bool worked() const { return worked_; }

  [[nodiscard]] unsigned ports() const override { return static_cast<unsigned>(queues_.size()); }
  unsigned receive(unsigned port, rte_mbuf** frames, unsigned max) override;
  unsigned transmit(unsigned port, rte_mbuf** frames, unsigned count) override;
  bool punt(unsigned port, rte_mbuf* frame) override;
  bool resolve(const wire::Hop& hop, rte_mbuf* frame) override;

 private:
  struct Queue {
    std::uint16_t ethdev = 0;
    std::uint16_t queue = 0;
    bool receives = false;
    bool linear = false;
    std::vector<std::uint16_t> service_vlans;  // as of PortSettings, sorted
  };
  static void mend_outer_tag(const Queue& queue, rte_mbuf& m);
  rte_mbuf* in_one_piece(rte_mbuf* frame);
  unsigned transmit_linear(const Queue& queue, rte_mbuf** frames, unsigned count);
  void inject();
  void count_mirror_losses();

  std::vector<Queue> queues_;
  rte_mempool* pool_;
  MirrorLink& link_;
  Doorbell& bell_;
  stats::WorkerStats& stats_;
  TokenBucket mirror_;
  Instant now_{};
  bool worked_ = false;
  std::uint64_t unresolved_seen_ = 0;
  std::uint64_t refused_seen_ = 0;
};

}  // namespace braid::dpdk
