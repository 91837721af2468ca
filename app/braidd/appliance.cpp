#include "appliance.hpp"

#include <rte_version.h>
#include <systemd/sd-daemon.h>

#include <algorithm>
#include <cinttypes>
#include <csignal>
#include <cstdio>
#include <stdexcept>

#include "dpdk/netdev.hpp"
#include "fit.hpp"
#include "tcp/segment.hpp"

namespace braid::daemon {

namespace {

constexpr Duration kWatchdog = std::chrono::seconds(2);

dpdk::Hugepages hugepages_of(config::Hugepages v) {
  switch (v) {
    case config::Hugepages::automatic:
      return dpdk::Hugepages::automatic;
    case config::Hugepages::on:
      return dpdk::Hugepages::on;
    case config::Hugepages::off:
      return dpdk::Hugepages::off;
  }
  return dpdk::Hugepages::automatic;
}

dpdk::IdlePolicy idle_of(const config::Workers& w) {
  switch (w.idle) {
    case config::Idle::spin:
      return {dpdk::Idle::spin, {}};
    case config::Idle::pause:
      return {dpdk::Idle::pause, {}};
    case config::Idle::sleep:
      return {dpdk::Idle::sleep, w.sleep};
  }
  return {};
}

std::vector<std::string> eal_arguments(const Plan& plan) {
  const config::Config& config = plan.config;
  dpdk::EalSettings s;
  s.main_core = plan.cores.main;
  s.worker_cores = plan.cores.workers;
  s.memory = config.dpdk.memory;
  s.hugepages = hugepages_of(config.dpdk.hugepages);
  s.file_prefix = config.dpdk.file_prefix;
  for (const config::Port& p : config.ports) {
    if (p.is_pci()) s.pci_devices.emplace_back(p.target());
  }
  s.config_arguments = config.dpdk.eal;
  s.command_arguments = plan.eal;
  s.config_place = config.file;
  return dpdk::eal_arguments(s, dpdk::free_hugepage_bytes());
}

std::string join(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& p : parts) out += (out.empty() ? "" : ", ") + p;
  return out;
}

}  // namespace

Appliance::Appliance(const Plan& plan, control::Log& log, const MakeTasks& make_tasks)
    : config_(plan.config), log_(log), cores_(plan.cores.workers), eal_(plan.program, eal_arguments(plan)) {
  log_.info("eal", {{"arguments", eal_.command_line()}, {"dpdk", rte_version()}});
  make_pools(plan.profiles);
  make_ports(plan.profiles);
  start_workers(make_tasks);
  start_control();
  announce();
}

Appliance::~Appliance() {
  sd_notify(0, "STOPPING=1");
  for (auto& w : workers_) w->stop();
}

void Appliance::make_pools(const std::vector<dpdk::Profile>& profiles) {
  const BufferPlan plan = plan_buffers(config_, profiles);
  const bool dma =
      std::any_of(config_.ports.begin(), config_.ports.end(), [](const auto& p) { return p.is_pci(); });
  const auto use = dma ? dpdk::MbufPool::Use::dma : dpdk::MbufPool::Use::software;
  for (unsigned w = 0; w < config_.workers.count; ++w) {
    pools_.emplace_back("worker" + std::to_string(w), plan.per_worker, tcp::kSegmentPrivSize, plan.room, use);
  }
  pools_.emplace_back("mirror", plan.mirror, tcp::kSegmentPrivSize, plan.room, use);
}

void Appliance::make_ports(const std::vector<dpdk::Profile>& profiles) {
  // Before anything of the kernel's is touched: it may serve another braidd.
  for (const config::Port& p : config_.ports) mirror::TapDevice::require_free(p.name);
  for (std::size_t i = 0; i < config_.ports.size(); ++i) {
    const config::Port& p = config_.ports[i];
    const std::string target(p.target());
    if (dpdk::uses_netdev(profiles[i].driver)) dpdk::check_netdev(p.name, target);
    if (profiles[i].shares_kernel) {
      silences_.emplace_back(p.name, target);
      if (!silences_.back().egress()) {
        log_.warn("kernel_may_send", {{"port", p.name},
                                      {"interface", target},
                                      {"text",
                                       "this kernel has no egress hook: its own packets (IPv6 router "
                                       "solicitations) leave through the interface and reach the port"}});
      }
    }
    if (profiles[i].watch_offloads) {
      if (const auto bad = dpdk::harmful_offloads(target); !bad.empty()) {
        log_.warn("offloads_on",
                  {{"port", p.name},
                   {"interface", target},
                   {"offloads", join(bad)},
                   {"text",
                    "frames may arrive with unfinished checksums or larger than the MTU; switch them off on "
                    "both ends: ethtool -K " +
                        target + " tx off rx off tso off gso off gro off"}});
      }
    }
    dpdk::PortSettings settings{p.name,   std::string(p.driver()),          target, config_.workers.count,
                                p.queues, static_cast<std::uint16_t>(p.mtu)};
    for (const config::Vlan& v : p.vlans)
      if (v.id.size() == 2) settings.service_vlans.push_back(static_cast<std::uint16_t>(v.id[0]));
    ports_.emplace_back(std::move(settings), profiles[i]);
  }
  std::vector<rte_mempool*> pools;
  for (unsigned w = 0; w < config_.workers.count; ++w) pools.push_back(pools_[w].get());
  for (dpdk::Port& p : ports_) p.start(pools);
}

void Appliance::start_workers(const MakeTasks& make_tasks) {
  const unsigned count = config_.workers.count;
  for (unsigned w = 0; w < count; ++w) links_.push_back(std::make_unique<dpdk::MirrorLink>());
  mirror_ = std::make_unique<KernelMirror>(config_, ports_, links_, pools_.back().get());
  tasks_ = make_tasks({config_, ports_, pools_, clock_.now()});
  std::vector<RouteBoard::Seat> seats;
  for (unsigned w = 0; w < count; ++w) {
    dpdk::Task& task = *tasks_.at(w);
    ios_.push_back(std::make_unique<dpdk::QueueIo>(w, ports_, pools_[w].get(), *links_[w], bell_,
                                                   config_.limits.mirror_pps, task.stats()));
    workers_.push_back(
        std::make_unique<dpdk::Worker>(w + 1, task, *ios_[w], clock_, idle_of(config_.workers)));
    seats.push_back({&task, workers_[w].get()});
  }
  routes_.emplace(std::move(seats));
  mirror_->publish_to([this](std::unique_ptr<const wire::RouteTable> t) { routes_->publish(std::move(t)); });
  mirror_->serve(clock_.now());  // workers begin with the kernel's present state
  last_turns_.assign(count, 0);
  for (auto& w : workers_) w->start();
}

void Appliance::start_control() {
  sources_.config = &config_;
  for (auto& t : tasks_) sources_.workers.push_back(&t->stats());
  sources_.ports = [this] { return port_stats(); };
  sources_.pools = [this] { return pool_use(); };
  sources_.ready = [this] { return phase_ == Phase::serving && !stalled_; };
  sources_.draining = [this] { return phase_ != Phase::serving; };
  sources_.build = {BRAID_VERSION, rte_version(), eal_.command_line()};
  std::vector<control::AccessRing*> rings;
  for (auto& t : tasks_) rings.push_back(&t->access_records());
  control::SessionSource& sessions = *this;
  control_ = std::make_unique<control::ControlCore>(sources_, sessions, std::move(rings), log_);
  if (const auto wrong = control_->start()) throw std::runtime_error(*wrong);
}

void Appliance::announce() const {
  for (const dpdk::Port& p : ports_) {
    const auto& s = p.settings();
    log_.info("port", {{"name", s.name},
                       {"device", s.driver + ":" + s.target},
                       {"profile", p.profile().name},
                       {"mac", to_string(p.mac())},
                       {"mtu", unsigned{s.mtu}},
                       {"queues", s.queues},
                       {"mirror", "braid-" + s.name}});
  }
  for (std::size_t w = 0; w < workers_.size(); ++w) {
    log_.info("worker", {{"worker", static_cast<std::uint64_t>(w)},
                         {"core", cores_[w]},
                         {"queue", static_cast<std::uint64_t>(w)},
                         {"buffers", pools_[w].size()}});
  }
  std::string line =
      "READY " + std::to_string(ports_.size()) + " ports, " + std::to_string(workers_.size()) + " workers";
  if (config_.metrics.enabled) {
    Endpoint metrics = config_.metrics.listen;
    metrics.port = control_->metrics_port();
    line += ", metrics http://" + to_string(metrics) + "/metrics";
  }
  line += ", control " + config_.control.socket;
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
  log_.info("ready", {{"text", line}});
  sd_notify(0, "READY=1");
}

void Appliance::run(const Signals& signals) {
  while (phase_ != Phase::ended) {
    const Instant now = clock_.now();
    take_signals(signals, now);
    const Instant due = mirror_->serve(now);
    routes_->reclaim();
    if (now >= next_watchdog_) watchdog(now);
    if (phase_ == Phase::draining && (now >= drain_until_ || open_sessions() == 0)) phase_ = Phase::ended;
    if (phase_ != Phase::ended && due > now) wait(signals, due);
  }
  log_.info("stopping", {{"open", open_sessions()}});
}

void Appliance::take_signals(const Signals& signals, Instant now) {
  while (const int signal = signals.take()) {
    if (signal == SIGHUP) {
      log_.warn("reload_refused",
                {{"text", "SIGHUP: reloading is not supported; restart to apply a configuration"}});
      continue;
    }
    if (phase_ != Phase::serving) {
      phase_ = Phase::ended;  // asked twice: at once
      return;
    }
    phase_ = Phase::draining;
    drain_until_ = now + config_.timeouts.drain;
    for (auto& w : workers_) w->drain();
    sd_notify(0, "STOPPING=1");
    log_.info("draining",
              {{"open", open_sessions()},
               {"seconds", static_cast<std::int64_t>(config_.timeouts.drain / std::chrono::seconds(1))}});
  }
}

void Appliance::wait(const Signals& signals, Instant due) {
  std::vector<pollfd> fds = mirror_->descriptors();
  fds.push_back({signals.fd(), POLLIN, 0});
  fds.push_back({bell_.fd(), POLLIN, 0});
  bell_.about_to_sleep();
  const bool waiting =
      std::any_of(links_.begin(), links_.end(), [](const auto& l) { return l->to_kernel.size() != 0; });
  if (!waiting) {
    const auto ms = (due - clock_.now()) / std::chrono::milliseconds(1) + 1;
    poll(fds.data(), fds.size(),
         static_cast<int>(std::clamp<std::int64_t>(ms, 0, dpdk::Doorbell::kMaxSleepMs)));
  }
  bell_.awake();
}

void Appliance::watchdog(Instant now) {
  next_watchdog_ = now + kWatchdog;
  bool moved = true;
  for (std::size_t w = 0; w < workers_.size(); ++w) {
    const std::uint64_t turns = workers_[w]->turns();
    if (turns == last_turns_[w]) {
      moved = false;
      log_.error("worker_stalled", {{"worker", static_cast<std::uint64_t>(w)}, {"turns", turns}});
    }
    last_turns_[w] = turns;
  }
  stalled_ = !moved;
  if (moved) sd_notify(0, "WATCHDOG=1");
  status();
}

void Appliance::status() {
  sd_notifyf(0, "STATUS=%zu ports, %zu workers, %" PRIu64 " connections", ports_.size(), workers_.size(),
             open_sessions());
}

std::uint64_t Appliance::open_sessions() const {
  std::uint64_t n = 0;
  for (const auto& t : tasks_) n += t->open();
  return n;
}

std::vector<control::PortStats> Appliance::port_stats() const {
  const std::lock_guard one_at_a_time(port_stats_);  // PMDs count into tables of their own without a lock
  std::vector<control::PortStats> out;
  for (const dpdk::Port& p : ports_) {
    const dpdk::PortCounters c = p.counters();
    out.push_back({p.settings().name, c.up, c.rx_packets, c.rx_bytes, c.tx_packets, c.tx_bytes, c.missed,
                   c.no_buffer, c.errors});
  }
  return out;
}

std::vector<control::PoolUse> Appliance::pool_use() const {
  std::vector<control::PoolUse> out;
  for (const dpdk::MbufPool& p : pools_) out.push_back({p.name(), p.in_use(), p.size()});
  return out;
}

}  // namespace braid::daemon
