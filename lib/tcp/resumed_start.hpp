// Slow start goes on after a loss that was no sign of a full path. A loss ends the doubling of the window
// (RFC 9406 4.3), and CUBIC then finds the rest of the path in seconds: a radio link that fades for 10 ms in
// the first half second would be at half its rate for the next ten. Where round-trip times show no queue the
// window keeps growing by a quarter in each round trip, the pace of conservative slow start, until the next
// loss or mark, or until the rate of delivery has not followed for some rounds, which is how BBR's start-up
// finds the path full; jitter of the delay, which would end HyStart++ here, does not touch it.
#pragma once

#include <algorithm>
#include <cstdint>

namespace braid::tcp {

class ResumedStart {
 public:
  // Of what is acknowledged the window grows by this part.
  static constexpr std::uint32_t kDivisor = 4;

  [[nodiscard]] bool on() const { return on_; }

  // A window of `cwnd` bytes has met a loss; `slow_start`: it was still to be doubled. Each further one must
  // find a larger window, else the losses say what the path bears.
  void on_loss(std::uint32_t cwnd, bool slow_start, std::uint32_t srtt_us, std::uint32_t least_rtt_us) {
    const bool queue = srtt_us >= least_rtt_us + std::max(least_rtt_us / 2, kLeastQueue);
    on_ = (slow_start || on_) && !queue && cwnd >= lost_at_ / 4 * 5;
    lost_at_ = cwnd;
    best_rate_ = 0;
    flat_rounds_ = 0;
  }
  // A router says that its queue is too long.
  void on_mark() { on_ = false; }

  // The end of a round trip that delivered at `rate`, in bytes per millisecond.
  void on_round(std::uint32_t rate) {
    constexpr unsigned kFlatRounds = 3;
    if (rate >= best_rate_ + best_rate_ / 8) {
      best_rate_ = rate;
      flat_rounds_ = 0;
    } else if (++flat_rounds_ == kFlatRounds) {
      on_ = false;
    }
  }

 private:
  static constexpr std::uint32_t kLeastQueue = 4000;  // us; HyStart++'s least threshold

  std::uint32_t best_rate_ = 0;
  std::uint32_t lost_at_ = 0;  // the window at the loss before
  std::uint8_t flat_rounds_ = 0;
  bool on_ = false;
};

}  // namespace braid::tcp
