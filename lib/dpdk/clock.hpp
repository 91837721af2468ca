// The appliance's time line: nanoseconds from the TSC. All workers share one, so that their instants compare.
#pragma once

#include <rte_cycles.h>

#include <cstdint>

#include "base/time.hpp"

namespace braid::dpdk {

class TscClock {
 public:
  // Needs a running EAL, which has measured the TSC's rate. The epoch is one second before the construction.
  TscClock() : base_(rte_get_tsc_cycles()), scale_((kUnit * 1'000'000'000) / rte_get_tsc_hz()) {}

  [[nodiscard]] Instant now() const {
    // The counters of cores may differ by a few cycles; the epoch keeps the difference from going negative.
    const auto cycles = static_cast<std::int64_t>(rte_get_tsc_cycles() - base_);
    const auto ns =
        static_cast<std::int64_t>((static_cast<__int128>(cycles) * static_cast<std::int64_t>(scale_)) >> 32);
    return Instant(Duration(ns) + std::chrono::seconds(1));
  }

 private:
  static constexpr std::uint64_t kUnit = 1ULL << 32;
  std::uint64_t base_;
  std::uint64_t scale_;  // nanoseconds per cycle, 32.32 fixed point
};

}  // namespace braid::dpdk
