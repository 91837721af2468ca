// Slow start goes on after a sign that was none of a full path. A loss, or a rising delay, ends the doubling
// of the window (RFC 9406 4.3), and CUBIC then finds the rest of the path in seconds: a radio link that fades
// for 10 ms in the first half second, or whose delay wanders by half, would be at half its rate for the next
// ten. Where the rate of delivery still followed the window, the window keeps growing by a quarter in each
// round trip, the pace of conservative slow start, until the next loss or mark, or until the rate has not
// followed for some rounds, which is how BBR's start-up finds the path full.
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
  // find a larger window, else the losses say what the path bears. `queue`: round trips are long.
  void on_loss(std::uint32_t cwnd, bool slow_start, bool queue) {
    on_ = (slow_start || on_) && !full(queue) && cwnd >= lost_at_ / 4 * 5;
    lost_at_ = cwnd;
    best_rate_ = 0;
    flat_rounds_ = 0;
  }
  // HyStart++ has ended slow start.
  void on_delay(bool queue) { on_ = !full(queue); }
  // A router says that its queue is too long.
  void on_mark() { on_ = false; }

  // The end of a round trip, in slow start or while this goes on, that the window has limited and that
  // delivered at `rate`, in bytes per millisecond.
  void on_round(std::uint32_t rate) {
    constexpr unsigned kFlatRounds = 3;
    if (rate >= best_rate_ + best_rate_ / 8) {
      best_rate_ = rate;
      flat_rounds_ = 0;
    } else if (++flat_rounds_ >= kFlatRounds) {
      on_ = false;
    }
  }

 private:
  // One round may be flat by chance.
  [[nodiscard]] bool full(bool queue) const { return flat_rounds_ >= (queue ? 1 : 2); }

  std::uint32_t best_rate_ = 0;
  std::uint32_t lost_at_ = 0;  // the window at the loss before
  std::uint8_t flat_rounds_ = 0;
  bool on_ = false;
};

}  // namespace braid::tcp
