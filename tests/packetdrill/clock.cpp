#include "packetdrill/clock.hpp"

#include <algorithm>

namespace braid::drill {

namespace {
// Real time after which a call that waits may think that nobody else will move the clock: packetdrill itself
// waits for that call.
constexpr auto kAlone = std::chrono::milliseconds(200);
constexpr auto kReturned = std::chrono::seconds(2);
}  // namespace

Clock::Lock Clock::lock() {
  Lock l(mutex_);
  ++calls_;
  return l;
}

Instant Clock::next_event() const {
  const Instant alarm = stack_.next_alarm();
  return waiter_ == nullptr || waiter_->done ? alarm : std::min(alarm, waiter_->limit);
}

void Clock::settle(Lock& lock) {
  stack_.run();
  if (waiter_ == nullptr || waiter_->done) return;
  if (!waiter_->ready() && stack_.now() < waiter_->limit) return;
  waiter_->done = true;
  changed_.notify_all();
  if (waiter_->thread == std::this_thread::get_id()) return;
  // packetdrill takes the time of the call's end from read(), which must not be later than now.
  returning_ = waiter_->thread;
  changed_.wait_for(lock, kReturned, [this] { return returning_ == std::thread::id{}; });
}

void Clock::step(Lock& lock, Instant to) {
  stack_.advance(std::max(to, stack_.now()));
  settle(lock);
}

void Clock::pass(Lock& lock, Duration d) {
  const Instant end = stack_.now() + d;
  for (Instant next = next_event(); next <= end; next = next_event()) step(lock, next);
  step(lock, end);
}

bool Clock::pass_until_sent(Lock& lock, Duration limit) {
  const Instant end = stack_.now() + limit;
  settle(lock);
  while (!stack_.has_sent()) {
    const Instant next = next_event();
    if (next > end) return false;
    step(lock, next);
  }
  return true;
}

bool Clock::wait(Lock& lock, const std::function<bool()>& ready, Instant limit) {
  settle(lock);
  if (ready()) return true;
  Waiter w{.ready = ready, .limit = limit, .thread = std::this_thread::get_id()};
  waiter_ = &w;
  while (!w.done) {
    const std::uint64_t seen = calls_;
    changed_.wait_for(lock, kAlone);
    while (!w.done && calls_ == seen && next_event() != kNever) step(lock, next_event());
    if (!w.done && calls_ == seen) break;
  }
  waiter_ = nullptr;
  return ready();
}

Instant Clock::read(Lock& lock) {
  if (returning_ == std::this_thread::get_id()) {
    returning_ = {};
    changed_.notify_all();
    return stack_.now();
  }
  pass(lock, std::chrono::microseconds(1));
  return stack_.now();
}

}  // namespace braid::drill
