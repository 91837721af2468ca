#include "dpdk/worker.hpp"

#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_pause.h>
#include <sys/prctl.h>

#include <algorithm>
#include <ctime>

#include "dpdk/error.hpp"

namespace braid::dpdk {

Worker::Worker(unsigned lcore, Task& task, QueueIo& io, const TscClock& clock, IdlePolicy idle)
    : lcore_(lcore), task_(task), io_(io), clock_(clock), idle_(idle) {}

Worker::~Worker() { stop(); }

void Worker::start() {
  const auto body = [](void* self) {
    static_cast<Worker*>(self)->run();
    return 0;
  };
  if (const int e = rte_eal_remote_launch(body, this, lcore_); e < 0) {
    throw Error("worker thread on lcore " + std::to_string(lcore_) + " does not start: " + rte_strerror(-e));
  }
  running_ = true;
}

void Worker::stop() {
  if (!running_) return;
  stop_.store(true, std::memory_order_relaxed);
  rte_eal_wait_lcore(lcore_);
  running_ = false;
}

void Worker::run() {
  prctl(PR_SET_TIMERSLACK, 1UL);  // naps of microseconds: the default slack alone is 50 us
  auto& counters = task_.stats().counters;
  bool draining = false;
  bool busy = false;
  unsigned idle_turns = 0;
  Instant last = clock_.now();
  while (!stop_.load(std::memory_order_relaxed)) {
    const Instant now = clock_.now();
    if (busy) counters.add(stats::Counter::busy_ns, static_cast<std::uint64_t>((now - last).count()));
    last = now;
    if (!draining && drain_.load(std::memory_order_relaxed)) {
      draining = true;
      task_.drain();
    }
    io_.begin_turn(now);
    const Instant due = task_.poll(now, io_);
    counters.add(stats::Counter::loops);
    busy = io_.worked() || due <= now;
    idle_turns = busy ? 0 : idle_turns + 1;
    if (!busy) rest(now, due, idle_turns);
  }
  end();
}

void Worker::end() {
  // Time for the port to send what was said to the peers, and for the control core to read the records.
  constexpr timespec kPause{0, 500'000};
  while (true) {
    const Instant now = clock_.now();
    io_.begin_turn(now);
    if (task_.end_some(now, io_)) return;
    nanosleep(&kPause, nullptr);
  }
}

void Worker::rest(Instant now, Instant due, unsigned idle_turns) const {
  switch (idle_.idle) {
    case Idle::spin:
      return;
    case Idle::pause:
      for (unsigned i = 0; i < limits::kBurst; ++i) rte_pause();
      return;
    case Idle::sleep:
      if (idle_turns < kTurnsBeforeNap) return;
      const Duration nap = std::min(idle_.sleep, due - now);
      const timespec t{0, static_cast<long>(std::clamp<std::int64_t>(nap.count(), 0, 999'999'999))};
      nanosleep(&t, nullptr);
      return;
  }
}

}  // namespace braid::dpdk
