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

// First slot from `i` on that holds an alarm; kSlots: none.
std::uint64_t TimerWheel::first_used(unsigned level, std::uint64_t i) const {
  while (i < kSlots) {
    const std::uint64_t word = used_[level][i / 64] >> (i % 64);
    if (word == 0) {
      i = (i / 64 + 1) * 64;
      continue;
    }
    i += static_cast<std::uint64_t>(std::countr_zero(word));
    if (!slots_[level][i].empty()) return i;
    ++i;
  }
  return kSlots;
}

Instant TimerWheel::next_due() const {
  const auto at = [](std::uint64_t turn, std::uint64_t slot, unsigned level) {
    const std::uint64_t tick = (turn << (kBits * (level + 1))) + (slot << (kBits * level));
    return Instant(Duration(static_cast<std::int64_t>(tick << kTickShift)));
  };
  for (unsigned level = 0; level < kLevels; ++level) {
    const std::uint64_t here = (now_tick_ >> (kBits * level)) & kMask;
    const std::uint64_t i = first_used(level, level == 0 ? here : here + 1);
    if (i < kSlots) return at(now_tick_ >> (kBits * (level + 1)), i, level);
  }
  constexpr unsigned kTop = kLevels - 1;
  const std::uint64_t i = first_used(kTop, 0);  // the top level wraps
  return i < kSlots ? at((now_tick_ >> (kBits * kLevels)) + 1, i, kTop) : kNever;
}

}  // namespace braid
