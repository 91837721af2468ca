#include "mptcp/scheduler.hpp"

#include <algorithm>

namespace braid::mptcp {

namespace {

class LowestRtt final : public Scheduler {
 public:
  [[nodiscard]] std::optional<std::size_t> pick(std::span<const PathView> paths, std::uint32_t length,
                                                std::uint32_t queued) const override {
    bool regular_usable = false;  // even without room now: a backup must not jump in for a full window
    bool any_live = false;        // a path that has fallen silent is still better than none
    for (const PathView& p : paths) {
      regular_usable |= !p.backup && !p.stale;
      any_live |= !p.stale;
    }
    std::optional<std::size_t> best;
    for (std::size_t i = 0; i < paths.size(); ++i) {
      const PathView& p = paths[i];
      if ((p.stale && any_live) || p.excluded || p.room < length || (p.backup && regular_usable)) continue;
      if (!best || p.rtt_us < paths[*best].rtt_us) best = i;
    }
    if (best && sooner_elsewhere(paths, *best, length, queued)) return {};
    return best;
  }

 private:
  // A faster path has no room just now, but brings all that waits before the chosen one brings this segment
  // (ECF: Lim et al., CoNEXT 2017).
  static bool sooner_elsewhere(std::span<const PathView> paths, std::size_t chosen, std::uint32_t length,
                               std::uint32_t queued) {
    const std::uint64_t slow = paths[chosen].rtt_us;
    return std::any_of(paths.begin(), paths.end(), [&](const PathView& p) {
      if (p.stale || p.excluded || p.backup || p.per_rtt == 0 || p.per_rtt < length) return false;
      return p.rtt_us + std::uint64_t{p.rtt_us} * queued / p.per_rtt + kLeastGain < slow;
    });
  }
};

}  // namespace

const Scheduler& scheduler(SchedulerKind) {
  static const LowestRtt lowest_rtt;
  return lowest_rtt;
}

}  // namespace braid::mptcp
