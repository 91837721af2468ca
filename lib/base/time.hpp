// Time as a value. Nothing below `dpdk` and `app` reads a clock: every function that needs the time
// is given an Instant, so a test can run whole worlds in virtual time.
#pragma once

#include <chrono>
#include <cstdint>

namespace braid {

// Tag of the appliance's own time line; its epoch is whatever the driver of `poll(now)` chose.
struct BraidClock {
  using rep = std::int64_t;
  using period = std::nano;
  using duration = std::chrono::nanoseconds;
  using time_point = std::chrono::time_point<BraidClock, duration>;
  static constexpr bool is_steady = true;
};

using Duration = std::chrono::nanoseconds;
using Instant = BraidClock::time_point;

inline constexpr Instant kNever = Instant::max();

// Microseconds since the epoch, modulo 2^32. Differences are right for spans under 35 minutes.
constexpr std::uint32_t micros(Instant t) {
  return static_cast<std::uint32_t>(t.time_since_epoch().count() / 1000);
}

// Milliseconds since the epoch, modulo 2^32 (the unit of TCP timestamps sent by Braid).
constexpr std::uint32_t millis(Instant t) {
  return static_cast<std::uint32_t>(t.time_since_epoch().count() / 1'000'000);
}

// A coarse clock in two bytes: ticks of 2^24 ns (16.8 ms), modulo 2^16 (18 minutes).
inline constexpr Duration kTick{1 << 24};
constexpr std::uint16_t ticks(Instant t) {
  return static_cast<std::uint16_t>(t.time_since_epoch().count() >> 24);
}

// Duration in whole microseconds, clamped to [0, 2^32-1].
constexpr std::uint32_t micros(Duration d) {
  const auto us = d.count() / 1000;
  if (us < 0) return 0;
  return us > 0xffffffffLL ? 0xffffffffU : static_cast<std::uint32_t>(us);
}

constexpr Duration from_micros(std::uint32_t us) { return std::chrono::microseconds(us); }

// An Instant in four bytes, rounded up to the millisecond, for objects of which there are many. Times of less
// than 24 days around now are told right; kNever stays never, and what is farther ahead is cut to 24 days.
class Deadline {
 public:
  constexpr Deadline() = default;
  constexpr Deadline(Instant due, Instant now) {
    if (due == kNever) return;
    constexpr Duration kMost = std::chrono::hours(24 * 24);
    const Instant most = now + kMost;
    const auto ms = millis((due < most ? due : most) + std::chrono::nanoseconds(999'999));
    ms_ = ms == 0 ? 1 : ms;
  }

  [[nodiscard]] constexpr bool set() const { return ms_ != 0; }
  [[nodiscard]] constexpr bool reached(Instant now) const {
    return set() && static_cast<std::int32_t>(millis(now) - ms_) >= 0;
  }
  [[nodiscard]] constexpr Instant at(Instant now) const {
    if (!set()) return kNever;
    const auto whole = std::chrono::floor<std::chrono::milliseconds>(now.time_since_epoch());
    return Instant(whole + std::chrono::milliseconds(static_cast<std::int32_t>(ms_ - millis(now))));
  }

 private:
  std::uint32_t ms_ = 0;  // millis(); 0: never
};

}  // namespace braid
