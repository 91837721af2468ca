// Slow start goes on after a loss that was no sign of a full path. A loss ends the doubling of the window
// (RFC 9406 4.3), and CUBIC then finds the rest of the path in seconds: a radio link that fades for 10 ms in
// the first half second would be at half its rate for the next ten. Where round-trip times show no queue the
// window keeps growing by a quarter in each round trip, the pace of conservative slow start, until the next
// loss or mark, or until the rate of delivery has not followed for some rounds, which is how BBR's start-up
// finds the path full; jitter of the delay, which would end HyStart++ here, does not touch it.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/seq.hpp"
#include "base/time.hpp"

namespace braid::tcp {

class ResumedStart {
 public:
  [[nodiscard]] bool on() const { return on_; }

  // A window of `cwnd` bytes has met a loss; `slow_start`: it was still to be doubled. Each further one must
  // find a larger window, else the losses say what the path bears.
  void on_loss(std::uint32_t cwnd, bool slow_start, std::uint32_t srtt_us, std::uint32_t least_rtt_us) {
    const bool queue = srtt_us >= least_rtt_us + std::max(least_rtt_us / 2, kLeastQueue);
    on_ = (slow_start || on_) && !queue && cwnd >= lost_at_ / 4 * 5;
    lost_at_ = cwnd;
    best_rate_ = 0;
    flat_rounds_ = 0;
    begun_ = false;
  }
  // A router says that its queue is too long.
  void on_mark() { on_ = false; }

  // Bytes the window grows by for `acked` ones; `una`, `nxt`: what is on the way after the acknowledgement.
  std::uint32_t on_ack(Instant now, std::uint32_t acked, std::uint32_t srtt_us, SubSeq una, SubSeq nxt) {
    constexpr std::uint32_t kDivisor = 4;
    round_bytes_ += acked;
    if (!begun_ || at_or_after(una, round_end_)) next_round(micros(now), srtt_us, nxt);
    return acked / kDivisor;
  }

 private:
  static constexpr std::uint32_t kLeastQueue = 4000;  // us; HyStart++'s least threshold

  // What comes in a burst has not come faster than the window that was sent in a round trip.
  void next_round(std::uint32_t now_us, std::uint32_t srtt_us, SubSeq nxt) {
    constexpr unsigned kFlatRounds = 3;
    const std::uint64_t took = std::max({now_us - round_began_us_, srtt_us, 1U});
    const auto rate = static_cast<std::uint32_t>(std::uint64_t{round_bytes_} * 1000 / took);
    if (begun_ && rate >= best_rate_ + best_rate_ / 8) {
      best_rate_ = rate;
      flat_rounds_ = 0;
    } else if (begun_ && ++flat_rounds_ == kFlatRounds) {
      on_ = false;
    }
    begun_ = true;
    round_end_ = nxt;
    round_began_us_ = now_us;
    round_bytes_ = 0;
  }

  SubSeq round_end_;
  std::uint32_t round_began_us_ = 0;
  std::uint32_t round_bytes_ = 0;
  std::uint32_t best_rate_ = 0;  // bytes per millisecond
  std::uint32_t lost_at_ = 0;    // the window at the loss before
  std::uint8_t flat_rounds_ = 0;
  bool on_ = false;
  bool begun_ = false;
};

}  // namespace braid::tcp
