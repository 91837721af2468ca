// Pacing: new segments leave spread over the round trip, since a small queue on the way cannot take them in
// the bursts in which acknowledgements arrive (Aggarwal et al., INFOCOM 2000; the gains are those of Linux).
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/timer_wheel.hpp"

namespace braid::tcp {

class Pacer {
 public:
  // Of what a round trip carries, by `rtt_us` and `cwnd`; slow start is to double it.
  struct Rate {
    std::uint32_t rtt_us;
    std::uint32_t cwnd;
    bool slow_start;
    // How long `bytes` take.
    [[nodiscard]] Duration time_of(std::uint32_t bytes) const {
      const std::uint64_t ns = std::uint64_t{bytes} * rtt_us * 1000 / std::max(cwnd, 1U);
      return Duration(slow_start ? ns / 2 : ns * 4 / 5);
    }
  };

  // Whether the next segment may leave.
  [[nodiscard]] bool open(Instant now) const { return next_ <= now; }
  [[nodiscard]] Instant next() const { return next_; }
  // `bytes` leave. Time that passed unused is made up for, up to `burst` bytes and what alarms come late: at
  // high rates that is more than the burst. What leaves ahead of its time, as an initial window does, is no
  // debt.
  void sent(Instant now, const Rate& rate, std::uint32_t bytes, std::uint32_t burst) {
    const Duration time = rate.time_of(bytes);
    next_ = std::min(std::max(next_, now - rate.time_of(burst) - kLate) + time, now + time);
  }

 private:
  static constexpr Duration kLate{2 << kTickShift};
  Instant next_{};
};

}  // namespace braid::tcp
