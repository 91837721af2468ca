// A worker thread: one lcore that turns its task's loop.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/time.hpp"
#include "dpdk/clock.hpp"
#include "dpdk/queue_io.hpp"
#include "engine/io.hpp"
#include "stats/worker_stats.hpp"

namespace braid::wire {
class RouteTable;
}

namespace braid::dpdk {

// What a worker turns: the engine in braidd, stand-ins in tests.
class Task {
 public:
  virtual ~Task() = default;
  // One turn; returns when the task next wants to run even if no frame arrives. Worker's thread.
  virtual Instant poll(Instant now, engine::Io& io) = 0;
  // Written by the worker's thread only.
  virtual stats::WorkerStats& stats() = 0;
  // Any thread. The table stays valid until the worker has begun two more turns.
  virtual void set_routes(const wire::RouteTable* table) = 0;
  // Stops taking new clients. Worker's thread.
  virtual void drain() = 0;
  // Ends a part of what is left, telling the peers; returns whether nothing is left. Nothing else is called
  // from the first time on. Worker's thread.
  virtual bool end_some(Instant now, engine::Io& io) = 0;
};

enum class Idle : std::uint8_t { spin, pause, sleep };

struct IdlePolicy {
  Idle idle = Idle::spin;
  Duration sleep = Duration::zero();  // with Idle::sleep: longest nap
};

class Worker {
 public:
  // `lcore`: EAL's number, not the main one. All arguments must outlive the object.
  Worker(unsigned lcore, Task& task, QueueIo& io, const TscClock& clock, IdlePolicy idle);
  ~Worker();  // stop()
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Starts the thread. Throws Error.
  void start();
  // Ends the loop after its present turn and waits for that. May be called twice.
  void stop();
  // Has the task drained in its next turn.
  void drain() { drain_.store(true, std::memory_order_relaxed); }

  // Turns so far, readable by any thread: a stalled worker's stands still, and what a worker may still look
  // at is out of its sight when the number has grown by two.
  [[nodiscard]] std::uint64_t turns() const { return task_.stats().counters[stats::Counter::loops]; }

 private:
  void run();
  void end();
  void rest(Instant now, Instant due, unsigned idle_turns) const;

  // A burst is often followed by another at once: naps begin after this many empty turns.
  static constexpr unsigned kTurnsBeforeNap = 16;

  unsigned lcore_;
  Task& task_;
  QueueIo& io_;
  const TscClock& clock_;
  IdlePolicy idle_;
  bool running_ = false;
  std::atomic<bool> stop_{false};
  std::atomic<bool> drain_{false};
};

}  // namespace braid::dpdk
