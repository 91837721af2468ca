// The running appliance: everything the daemon starts, in the order it is started, and undone in the opposite
// order whatever fails in between.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "config/config.hpp"
#include "control/control_core.hpp"
#include "control/log.hpp"
#include "control/sources.hpp"
#include "cores.hpp"
#include "dpdk/clock.hpp"
#include "dpdk/eal.hpp"
#include "dpdk/mirror_link.hpp"
#include "dpdk/pool.hpp"
#include "dpdk/port.hpp"
#include "dpdk/queue_io.hpp"
#include "dpdk/silence.hpp"
#include "dpdk/worker.hpp"
#include "kernel_mirror.hpp"
#include "route_board.hpp"
#include "signals.hpp"

namespace braid::daemon {

// What is decided before anything is started.
struct Plan {
  const config::Config& config;
  std::vector<dpdk::Profile> profiles;  // by port
  Cores cores;
  std::string program;           // argv[0]
  std::vector<std::string> eal;  // EAL arguments of the command line
};

// Makes the workers' tasks, all of them at once because they know each other. Called when EAL, pools and
// ports are up.
struct TaskContext {
  const config::Config& config;
  const std::vector<dpdk::Port>& ports;
  const std::vector<dpdk::MbufPool>& pools;  // by worker
  Instant now;
};

// A worker's task with what the control core wants of it.
class WorkerTask : public dpdk::Task {
 public:
  virtual control::AccessRing& access_records() = 0;
  // Control thread: leaves a request for the worker. See control::SessionSource.
  virtual bool post(engine::ListRequest& request) = 0;
  // Any thread: connections and sessions that are left.
  [[nodiscard]] virtual std::uint64_t open() = 0;
};
using Tasks = std::vector<std::unique_ptr<WorkerTask>>;
using MakeTasks = std::function<Tasks(const TaskContext&)>;

class Appliance final : private control::SessionSource {
 public:
  // Starts everything; clients are served when the constructor returns. Throws std::exception with a text
  // that says what to do.
  Appliance(const Plan& plan, control::Log& log, const MakeTasks& make_tasks);
  ~Appliance() override;
  Appliance(const Appliance&) = delete;
  Appliance& operator=(const Appliance&) = delete;

  // Serves the mirror until a signal asks to stop and the sessions have drained.
  void run(const Signals& signals);

  [[nodiscard]] const std::string& command_line() const { return eal_.command_line(); }

 private:
  enum class Phase : std::uint8_t { serving, draining, ended };

  void make_pools(const std::vector<dpdk::Profile>& profiles);
  void make_ports(const std::vector<dpdk::Profile>& profiles);
  void start_workers(const MakeTasks& make_tasks);
  void start_control();
  void announce() const;

  void take_signals(const Signals& signals, Instant now);
  void wait(const Signals& signals, Instant due);
  void watchdog(Instant now);
  void status();
  [[nodiscard]] std::uint64_t open_sessions() const;
  [[nodiscard]] std::vector<control::PortStats> port_stats() const;
  [[nodiscard]] std::vector<control::PoolUse> pool_use() const;

  [[nodiscard]] unsigned workers() const override { return static_cast<unsigned>(tasks_.size()); }
  bool post(unsigned worker, engine::ListRequest& request) override { return tasks_[worker]->post(request); }

  const config::Config& config_;
  control::Log& log_;
  std::vector<unsigned> cores_;
  dpdk::Eal eal_;
  dpdk::TscClock clock_;
  std::vector<dpdk::MbufPool> pools_;  // by worker; the last one is the mirror's
  std::vector<dpdk::Silence> silences_;
  std::vector<dpdk::Port> ports_;
  mutable std::mutex port_stats_;
  dpdk::Doorbell bell_;
  std::vector<std::unique_ptr<dpdk::MirrorLink>> links_;
  std::optional<RouteBoard> routes_;
  Tasks tasks_;
  std::vector<std::unique_ptr<dpdk::QueueIo>> ios_;
  std::unique_ptr<KernelMirror> mirror_;
  control::Sources sources_;
  std::unique_ptr<control::ControlCore> control_;
  std::vector<std::unique_ptr<dpdk::Worker>> workers_;

  std::atomic<Phase> phase_{Phase::serving};
  std::atomic<bool> stalled_{false};
  Instant drain_until_ = kNever;
  Instant next_watchdog_{};
  std::vector<std::uint64_t> last_turns_;
};

}  // namespace braid::daemon
