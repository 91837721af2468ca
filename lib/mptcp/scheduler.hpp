// Which subflow carries the next segment. A scheduler sees values and returns a choice; it cannot touch
// sequence numbers. Chosen by name per listener.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace braid::mptcp {

struct PathView {
  std::uint32_t rtt_us = 0;  // of a segment given now, the queue before it included
  std::uint32_t room = 0;    // bytes the subflow can take now
  std::uint32_t per_rtt =
      0;  // bytes it carries in a round trip; 0: nothing is on the way that would make room
  std::uint8_t slot = 0;
  bool backup = false;    // only when no regular path is usable (RFC 8684 3.3.8)
  bool stale = false;     // silent for a probe time-out while data was in flight
  bool excluded = false;  // not for this segment (it is a reinjection and was sent there)
};

// Round trips that differ by less are no reason to wait for a path, or to send anything twice, in us: they
// wander by as much.
inline constexpr std::uint32_t kLeastGain = 10'000;

class Scheduler {
 public:
  virtual ~Scheduler() = default;
  // Index into `paths` for a segment of `length` bytes, the first of `queued` that wait; nothing: wait for
  // room.
  [[nodiscard]] virtual std::optional<std::size_t> pick(std::span<const PathView> paths, std::uint32_t length,
                                                        std::uint32_t queued) const = 0;
};

enum class SchedulerKind : std::uint8_t { lowest_rtt };
const Scheduler& scheduler(SchedulerKind kind);

}  // namespace braid::mptcp
