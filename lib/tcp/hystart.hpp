// HyStart++ (RFC 9406): slow start that notices by rising round-trip times that the bottleneck's queue fills,
// and slows down before it overflows.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/seq.hpp"

namespace braid::tcp {

class HyStart {
 public:
  // Bytes the window may grow by, for `acked` ones. `rtt_us`: the latest measurement, 0: none. `una`, `nxt`:
  // what is on the way, after the acknowledgement. `ends`: set when slow start is over.
  std::uint32_t on_ack(std::uint32_t acked, std::uint32_t rtt_us, SubSeq una, SubSeq nxt, std::uint32_t mss,
                       bool& ends) {
    constexpr std::uint32_t kSamples = 8;
    // L, the bound of an unpaced sender. The RFC's 8 would make slow start linear toward receivers that put
    // 64 KiB together before they acknowledge, as every Linux does.
    constexpr std::uint32_t kBurst = 64;
    constexpr std::uint32_t kDivisor = 4;
    if (rtt_us != 0) {
      round_min_ = std::min(round_min_, rtt_us);
      if (samples_ < kSamples) ++samples_;
    }
    acked = std::min(acked, kBurst * mss);
    if (conservative_) {
      if (samples_ == kSamples && round_min_ < baseline_) conservative_ = false;  // it was but jitter
      acked /= kDivisor;
    } else if (samples_ == kSamples && last_min_ != kNone && round_min_ >= last_min_ + threshold()) {
      conservative_ = true;
      baseline_ = round_min_;
      rounds_ = 0;
    }
    if (!begun_ || at_or_after(una, round_end_)) ends = next_round(nxt);
    return acked;
  }

 private:
  static constexpr std::uint32_t kNone = 0xffffffff;

  [[nodiscard]] std::uint32_t threshold() const { return std::clamp(last_min_ / 8, 4000U, 16000U); }
  // Whether conservative slow start has lasted long enough.
  bool next_round(SubSeq nxt) {
    constexpr unsigned kRounds = 5;
    begun_ = true;
    round_end_ = nxt;
    last_min_ = round_min_;
    round_min_ = kNone;
    samples_ = 0;
    return conservative_ && ++rounds_ >= kRounds;
  }

  SubSeq round_end_;
  std::uint32_t last_min_ = kNone;
  std::uint32_t round_min_ = kNone;
  std::uint32_t baseline_ = 0;
  std::uint8_t samples_ = 0;
  std::uint8_t rounds_ = 0;
  bool conservative_ = false;
  bool begun_ = false;
};

}  // namespace braid::tcp
