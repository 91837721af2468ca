// Virtual time shared by a script's main thread and the one thread in which packetdrill makes the calls that
// block. Time passes only while packetdrill sleeps, waits for a packet or reads the clock; a call that waits
// returns at the instant at which what it waits for has come, and the other thread stands still until it has.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "packetdrill/stack.hpp"

namespace braid::drill {

class Clock {
 public:
  using Lock = std::unique_lock<std::mutex>;

  explicit Clock(Stack& stack) : stack_(stack) {}

  // Every call holds the lock; taking it says that packetdrill is busy.
  [[nodiscard]] Lock lock();
  // Sends what there is to send, and ends a call that waits no longer. After each call that may change
  // something.
  void settle(Lock& lock);
  // Lets `d` pass.
  void pass(Lock& lock, Duration d);
  // Lets time pass until a packet has been sent; false: none was within `limit`.
  bool pass_until_sent(Lock& lock, Duration limit);
  // Waits until `ready`; false: `limit` has passed, or nothing can come that would make it so.
  bool wait(Lock& lock, const std::function<bool()>& ready, Instant limit = kNever);
  // What a program is told: a microsecond later each time, so that loops which only look at the clock end.
  Instant read(Lock& lock);

 private:
  struct Waiter {
    const std::function<bool()>& ready;
    Instant limit;
    std::thread::id thread;
    bool done = false;
  };
  [[nodiscard]] Instant next_event() const;
  void step(Lock& lock, Instant to);

  Stack& stack_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t calls_ = 0;
  Waiter* waiter_ = nullptr;
  std::thread::id returning_;  // has stopped waiting and not asked for the time yet
};

}  // namespace braid::drill
