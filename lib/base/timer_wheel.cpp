#include "base/timer_wheel.hpp"

namespace braid {

void TimerWheel::place(Alarm& alarm, std::uint64_t tick) {
  alarm.tick = clamp(tick);
  const std::uint64_t due =
      now_tick_ + static_cast<std::uint32_t>(alarm.tick - static_cast<std::uint32_t>(now_tick_));
  const std::uint64_t differs = due ^ now_tick_;
  unsigned level = 0;
  while (level + 1 < kLevels && (differs >> (kBits * (level + 1))) != 0) ++level;
  const std::uint64_t index = (due >> (kBits * level)) & kMask;
  slots_[level][index].push_back(alarm);
  set_bit(level, index);
}

// Level 0 has just wrapped: entries of the slot that now begins move one level down, from the top.
void TimerWheel::cascade() {
  unsigned top = 1;
  while (top + 1 < kLevels && ((now_tick_ >> (kBits * top)) & kMask) == 0) ++top;
  for (unsigned level = top; level >= 1; --level) {
    const std::uint64_t index = (now_tick_ >> (kBits * level)) & kMask;
    clear_bit(level, index);
    List<Alarm> moved;
    while (Alarm* alarm = slots_[level][index].pop_front()) moved.push_back(*alarm);
    while (Alarm* alarm = moved.pop_front()) {
      const auto ahead = static_cast<std::int32_t>(alarm->tick - static_cast<std::uint32_t>(now_tick_));
      place(*alarm, now_tick_ + static_cast<std::uint64_t>(ahead < 0 ? 0 : ahead));
    }
  }
}

// The next tick that has work: a used slot in the rest of this turn of level 0, or the turn's end.
std::uint64_t TimerWheel::next_stop(std::uint64_t target) const {
  const std::uint64_t turn_end = (now_tick_ | kMask) + 1;
  std::uint64_t i = (now_tick_ & kMask) + 1;
  while (i < kSlots) {
    const std::uint64_t word = used_[0][i / 64] >> (i % 64);
    if (word != 0) {
      const std::uint64_t stop =
          (now_tick_ & ~kMask) + i + static_cast<std::uint64_t>(std::countr_zero(word));
      return stop < target ? stop : target;
    }
    i = (i / 64 + 1) * 64;
  }
  return turn_end < target ? turn_end : target;
}

Instant TimerWheel::next_due() const {
  for (unsigned level = 0; level < kLevels; ++level) {
    const std::uint64_t here = (now_tick_ >> (kBits * level)) & kMask;
    for (std::uint64_t i = level == 0 ? here : here + 1; i < kSlots; ++i) {
      if ((used_[level][i / 64] >> (i % 64)) == 0) {
        i |= 63;
        continue;
      }
      if ((used_[level][i / 64] >> (i % 64) & 1) == 0 || slots_[level][i].empty()) continue;
      const std::uint64_t base = now_tick_ >> (kBits * (level + 1)) << (kBits * (level + 1));
      const std::uint64_t tick = base + (i << (kBits * level));
      return Instant(Duration(static_cast<std::int64_t>(tick << kTickShift)));
    }
  }
  for (std::uint64_t i = 0; i < kSlots; ++i) {  // the top level wraps
    if (!slots_[kLevels - 1][i].empty()) {
      const std::uint64_t turn = ((now_tick_ >> (kBits * kLevels)) + 1) << (kBits * kLevels);
      return Instant(
          Duration(static_cast<std::int64_t>((turn + (i << (kBits * (kLevels - 1)))) << kTickShift)));
    }
  }
  return kNever;
}

}  // namespace braid
