// Hierarchical timer wheel on virtual time (Varghese and Lauck, SOSP 1987, scheme 7). Arming, moving and
// cancelling cost O(1); no allocation. Owners postpone lazily: they leave an early entry in place and file
// it again when it fires (see `arm_sooner`).
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "base/list.hpp"
#include "base/time.hpp"

namespace braid {

// Length of one wheel tick: 2^18 ns, about 262 us. An alarm never fires early and at most one tick late.
inline constexpr unsigned kTickShift = 18;

struct Alarm : ListHook {
  std::uint32_t tick = 0;  // due tick, meaningful while linked
  std::uint8_t kind = 0;   // the owner's type, set once by the owner

  [[nodiscard]] bool armed() const { return linked(); }
};

class TimerWheel {
 public:
  explicit TimerWheel(Instant start = Instant{}) : now_tick_(floor_tick(start)) {}

  // Files `alarm` to fire at the first advance() whose time is at or after `due`, rounded up to a tick. A
  // time more than 2^31 ticks (6.5 days) ahead, kNever included, fires after 2^31 ticks already.
  void arm(Alarm& alarm, Instant due) {
    alarm.unlink();
    place(alarm, ceil_tick(due));
  }
  static void cancel(Alarm& alarm) { alarm.unlink(); }

  // Moves the alarm only when it must come earlier than it stands.
  void arm_sooner(Alarm& alarm, Instant due) {
    if (alarm.armed() && static_cast<std::int32_t>(alarm.tick - clamp(ceil_tick(due))) <= 0) return;
    arm(alarm, due);
  }

  // Fires at most `limit` due alarms through `fire(Alarm&)`, each unlinked first; the rest stays due for the
  // next call. Returns how many fired.
  template <class Fire>
  unsigned advance(Instant now, unsigned limit, Fire&& fire) {
    const std::uint64_t target = floor_tick(now);
    unsigned fired = 0;
    for (;;) {
      List<Alarm>& slot = slots_[0][now_tick_ & kMask];
      while (Alarm* alarm = slot.front()) {
        if (fired == limit) return fired;
        alarm->unlink();
        ++fired;
        fire(*alarm);
      }
      clear_bit(0, now_tick_ & kMask);
      if (now_tick_ >= target) return fired;
      now_tick_ = next_stop(target);
      if ((now_tick_ & kMask) == 0) cascade();
    }
  }

  // A time not later than the next firing; kNever when nothing is filed.
  [[nodiscard]] Instant next_due() const;

 private:
  static constexpr unsigned kBits = 8;
  static constexpr unsigned kSlots = 1U << kBits;
  static constexpr std::uint64_t kMask = kSlots - 1;
  static constexpr unsigned kLevels = 4;
  using Bitmap = std::array<std::uint64_t, kSlots / 64>;

  static std::uint64_t floor_tick(Instant t) {
    const auto ns = t.time_since_epoch().count();
    return ns < 0 ? 0 : static_cast<std::uint64_t>(ns) >> kTickShift;
  }
  static std::uint64_t ceil_tick(Instant t) {
    if (t == kNever) return ~0ULL >> kTickShift;
    const auto ns = t.time_since_epoch().count();
    return ns < 0 ? 0 : (static_cast<std::uint64_t>(ns) + (1ULL << kTickShift) - 1) >> kTickShift;
  }
  // Due ticks lie in [now, now + 2^31); farther ones wake early and their owner files them again.
  [[nodiscard]] std::uint32_t clamp(std::uint64_t tick) const {
    if (tick < now_tick_) tick = now_tick_;
    if (tick - now_tick_ > 0x7fff'ffffULL) tick = now_tick_ + 0x7fff'ffffULL;
    return static_cast<std::uint32_t>(tick);
  }
  void place(Alarm& alarm, std::uint64_t tick);
  void cascade();
  [[nodiscard]] std::uint64_t next_stop(std::uint64_t target) const;
  [[nodiscard]] std::uint64_t first_used(unsigned level, std::uint64_t i) const;
  void set_bit(unsigned level, std::uint64_t i) { used_[level][i / 64] |= 1ULL << (i % 64); }
  void clear_bit(unsigned level, std::uint64_t i) { used_[level][i / 64] &= ~(1ULL << (i % 64)); }

  std::uint64_t now_tick_;
  std::array<Bitmap, kLevels> used_{};  // a set bit may stand for a slot emptied by cancel
  std::array<std::array<List<Alarm>, kSlots>, kLevels> slots_;
};

}  // namespace braid
