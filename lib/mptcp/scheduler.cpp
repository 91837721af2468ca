#include "mptcp/scheduler.hpp"

namespace braid::mptcp {

namespace {

class LowestRtt final : public Scheduler {
 public:
  [[nodiscard]] std::optional<std::size_t> pick(std::span<const PathView> paths,
                                                std::uint32_t length) const override {
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
      if (!best || p.srtt_us < paths[*best].srtt_us) best = i;
    }
    return best;
  }
};

}  // namespace

const Scheduler& scheduler(SchedulerKind) {
  static const LowestRtt lowest_rtt;
  return lowest_rtt;
}

}  // namespace braid::mptcp
