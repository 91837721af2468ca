// Follows rtnetlink for the mirror devices and builds the snapshots workers route by. Used from one thread,
// which waits on fd() with poll(2).
#pragma once

#include <memory>
#include <vector>

#include "base/time.hpp"
#include "mirror/kernel_view.hpp"
#include "mirror/netlink.hpp"

namespace braid::mirror {

class RouteWatcher {
 public:
  static constexpr Duration kRebuildPause =
      std::chrono::milliseconds(5);                                  // at most one snapshot in this time
  static constexpr Duration kRetryPause = std::chrono::seconds(1);   // after a reading that failed
  static constexpr Duration kStalePause = std::chrono::seconds(30);  // between two probes of one neighbour
  static constexpr std::size_t kStalePerCall = 16;

  // Reads the kernel's state; the first snapshot is due at once. Throws Error.
  explicit RouteWatcher(const std::vector<Device>& devices);

  [[nodiscard]] int fd() const { return events_.fd(); }
  // Takes what has arrived on fd().
  void receive();
  // A new snapshot when something changed and the pause is over; else null.
  std::unique_ptr<wire::RouteTable> snapshot(Instant now);
  // When snapshot() will have something; kNever: not before the next event.
  [[nodiscard]] Instant next_due() const { return changed_ ? last_ + kRebuildPause : kNever; }

  // Asks the kernel to resolve a neighbour. False: it refused (the device is down).
  bool resolve(wire::LinkId link, const Ip& next);
  // Has stale neighbours probed: data traffic passes the kernel by, so only this keeps them fresh. To be
  // called about once per second.
  void refresh(Instant now);

  [[nodiscard]] std::optional<Mac> mac_of(wire::LinkId link, const Ip& next) const {
    return view_.mac_of({link, next});
  }
  std::vector<KernelView::Settled> take_settled() { return view_.take_settled(); }

 private:
  // 0 or an errno.
  int read(std::uint16_t type, std::uint8_t family);
  int read_all();
  int read_routes();

  KernelView view_;
  Netlink events_;
  Netlink requests_;
  bool changed_ = true;
  bool incomplete_ = false;  // events were lost or a reading failed
  Instant last_ = Instant::min() + kRebuildPause;
  std::uint32_t generation_ = 0;
};

}  // namespace braid::mirror
