// The kernel mirror's service on the control thread: frames between the workers and the TAP devices, the
// route snapshots, and the frames that wait for a neighbour.
#pragma once

#include <poll.h>

#include <functional>
#include <memory>
#include <vector>

#include "base/time.hpp"
#include "config/config.hpp"
#include "dpdk/mirror_link.hpp"
#include "dpdk/port.hpp"
#include "mirror/neighbour_queue.hpp"
#include "mirror/route_watcher.hpp"
#include "mirror/tap_device.hpp"

namespace braid::daemon {

class KernelMirror {
 public:
  using Publish = std::function<void(std::unique_ptr<const wire::RouteTable>)>;

  // Makes the TAP devices and reads the kernel's state. `links`: one per
  // worker. `pool`: for frames from the kernel. All arguments must outlive the object. Throws mirror::Error.
  KernelMirror(const config::Config& config, const std::vector<dpdk::Port>& ports,
               std::vector<std::unique_ptr<dpdk::MirrorLink>>& links, rte_mempool* pool);
  ~KernelMirror();  // frees all frames in rings and queues: the workers must have ended
  KernelMirror(const KernelMirror&) = delete;
  KernelMirror& operator=(const KernelMirror&) = delete;

  // From now on route tables go to `publish`.
  void publish_to(Publish publish) { publish_ = std::move(publish); }

  // The descriptors that serve() wants to be called for.
  [[nodiscard]] std::vector<pollfd> descriptors() const;
  // One bounded round. Returns when the next is wanted even if nothing arrives; at or before `now`: more
  // waits.
  Instant serve(Instant now);

  [[nodiscard]] const std::vector<mirror::TapDevice>& taps() const { return taps_; }

 private:
  static constexpr std::size_t kRound = 64;  // frames per worker, and per TAP device, in one round
  static constexpr Duration kHousekeeping = std::chrono::milliseconds(200);
  static constexpr Duration kRefresh = std::chrono::seconds(1);

  bool from_workers(Instant now);
  void to_kernel(std::size_t worker, const dpdk::ToKernel& item);
  void hold(std::size_t worker, const dpdk::ToKernel& item, Instant now);
  void send(std::size_t worker, std::uint8_t port, rte_mbuf* frame, const Mac& destination);
  bool from_kernel();
  void settle(Instant now);
  void housekeeping(Instant now);
  void give_up(const std::vector<mirror::NeighbourQueue::Held>& frames);

  const std::vector<dpdk::Port>& ports_;
  std::vector<std::unique_ptr<dpdk::MirrorLink>>& links_;
  rte_mempool* pool_;
  std::vector<mirror::TapDevice> taps_;  // by port
  std::vector<bool> carrier_;
  std::unique_ptr<mirror::RouteWatcher> watcher_;
  mirror::NeighbourQueue waiting_;
  Publish publish_;
  Instant next_housekeeping_{};
  Instant next_refresh_{};
};

}  // namespace braid::daemon
