// Dynamic right-sizing (Fisk and Feng, LACSI 2001): how much of its buffer a direction may use. What a slow
// reader does not take waits at its source and not here, and a fast one gets several times what a round trip
// carries.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.hpp"

namespace braid::relay {

class RightSizing {
 public:
  // Bytes that may be in the direction, from the first packet on.
  static constexpr std::uint32_t kInitial = 256U << 10;

  [[nodiscard]] std::uint32_t limit() const { return limit_; }
  // `bytes` have got through to the reader. `rtt_us`: the round trips of both connections together, as far as
  // known. `several`: paths, on either side: while one repeats what it has lost, the buffer holds what the
  // others carry.
  void passed(Instant now, std::uint32_t bytes, std::uint32_t rtt_us, bool several) {
    const unsigned factor = several ? 8 : 3;  // measured: with less, goodput falls (tests/sim/golden)
    rtt_us = std::max(rtt_us, kLeastSpan);
    const std::uint32_t elapsed = micros(now) - began_us_;
    passed_ += bytes;
    if (elapsed < rtt_us) return;
    const std::uint64_t carried = std::uint64_t{passed_} * rtt_us / std::max(elapsed, 1U);
    limit_ = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(factor * carried, limit_, kMost));
    passed_ = 0;
    began_us_ = micros(now);
  }

 private:
  static constexpr std::uint32_t kLeastSpan = 2000;  // us; bytes come in bursts
  static constexpr std::uint32_t kMost = 1U << 30;   // a window's (RFC 7323 2.3)
  std::uint32_t limit_ = kInitial;
  std::uint32_t passed_ = 0;  // since `began_us_`
  std::uint32_t began_us_ = 0;
};

}  // namespace braid::relay
