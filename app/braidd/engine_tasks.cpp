#include "engine_tasks.hpp"

#include <sys/random.h>

#include <atomic>
#include <new>
#include <stdexcept>

#include "engine/engine.hpp"
#include "relay/settings.hpp"

namespace braid::daemon {

namespace {

// What all engines share; each task keeps it alive.
struct Shared {
  relay::Settings relay;
  engine::HandoffMatrix handoff;
  explicit Shared(unsigned workers) : handoff(workers) {}
};

class EngineTask final : public WorkerTask {
 public:
  EngineTask(std::shared_ptr<Shared> shared, const engine::Settings& settings, Instant now)
      : shared_(std::move(shared)), engine_(settings, shared_->handoff, now) {}

  Instant poll(Instant now, engine::Io& io) override {
    return engine_.poll(now, io) != 0 ? now : engine_.next_wake();
  }
  stats::WorkerStats& stats() override { return engine_.stats(); }
  void set_routes(const wire::RouteTable* table) override { engine_.set_routes(table); }
  void drain() override { engine_.drain(); }
  bool end_some(Instant now, engine::Io& io) override { return engine_.end_some(now, io); }
  control::AccessRing& access_records() override { return engine_.records(); }
  bool post(engine::ListRequest& request) override { return engine_.post(request); }
  std::uint64_t open() override {
    return std::atomic_ref(engine_.stats().gauges.pairs).load(std::memory_order_relaxed);
  }

 private:
  std::shared_ptr<Shared> shared_;
  engine::Engine engine_;
};

tcp::CongestionKind congestion_of(config::Congestion c) {
  switch (c) {
    case config::Congestion::cubic:
      return tcp::CongestionKind::cubic;
    case config::Congestion::newreno:
      return tcp::CongestionKind::newreno;
  }
  return tcp::CongestionKind::cubic;
}

mptcp::SchedulerKind scheduler_of(config::Scheduler s) {
  switch (s) {
    case config::Scheduler::lowest_rtt:
      return mptcp::SchedulerKind::lowest_rtt;
  }
  return mptcp::SchedulerKind::lowest_rtt;
}

// Of a listener or an upstream.
template <class End>
wire::IpFields ip_fields_of(const End& end) {
  return {static_cast<std::uint8_t>(end.dscp), static_cast<std::uint8_t>(end.ttl)};
}

relay::Listener listener_of(const config::Config& config, const config::Listener& l) {
  relay::Listener out;
  out.name = l.name;
  out.binds = l.bind;
  out.upstream = l.upstream_index;
  out.mptcp = l.mptcp.mode == config::MptcpMode::prefer;
  out.congestion = congestion_of(l.congestion);
  out.ip = ip_fields_of(l);
  out.profile.scheduler = scheduler_of(l.mptcp.scheduler);
  out.profile.max_subflows = static_cast<std::uint8_t>(l.mptcp.max_subflows);
  out.profile.require_checksum = l.mptcp.checksum;
  out.profile.refuse_initial_join = l.mptcp.refuse_initial_join;
  out.profile.hold = config.timeouts.hold;
  out.announce_addresses = l.mptcp.announce;
  out.join_addresses = l.mptcp.join_address;
  return out;
}

template <class T>
T random_value() {
  T out{};
  if (getrandom(&out, sizeof out, 0) != static_cast<ssize_t>(sizeof out)) {
    throw std::runtime_error("the kernel gives no random bytes");
  }
  return out;
}

engine::Settings settings_of(const TaskContext& context, const relay::Settings& relay, unsigned worker) {
  const config::Config& config = context.config;
  engine::Settings s;
  s.relay = &relay;
  s.worker = worker;
  s.workers = s.slices = config.workers.count;
  s.buffers = context.pools[worker].get();
  s.buffer_count = context.pools[worker].size();
  s.connections = config.limits.connections;
  s.handshakes = config.limits.handshakes;
  s.timeouts.handshake = config.timeouts.handshake;
  s.timeouts.user = config.timeouts.user;
  s.timeouts.time_wait = config.timeouts.time_wait;
  s.timeouts.keepalive = config.timeouts.keepalive;
  s.seed = random_value<std::uint64_t>();
  for (unsigned p = 0; p < context.ports.size(); ++p) {
    if (!context.ports[p].profile().stable_flows) s.unstable_ports |= 1U << p;
    if (context.ports[p].writes_checksums()) s.checksum_offload_ports |= 1U << p;
  }
  return s;
}

}  // namespace

relay::Settings relay_settings(const config::Config& config) {
  relay::Settings out;
  for (const config::Listener& l : config.listeners) out.listeners.push_back(listener_of(config, l));
  // Only now do the listeners stay where they are.
  for (relay::Listener& l : out.listeners) l.profile.announce = l.announce_addresses;
  for (const config::Upstream& u : config.upstreams) {
    relay::Upstream upstream;
    upstream.name = u.name;
    for (const config::Server& s : u.servers) upstream.servers.push_back(s.address);
    upstream.sources = u.source;
    upstream.connect_timeout = u.connect_timeout;
    upstream.congestion = congestion_of(u.congestion);
    upstream.ip = ip_fields_of(u);
    upstream.ecn = u.ecn;
    out.upstreams.push_back(std::move(upstream));
  }
  out.idle = config.timeouts.idle;
  out.half_closed = config.timeouts.half_closed;
  out.buffer = static_cast<std::uint32_t>(config.limits.buffer_per_connection);
  return out;
}

Tasks make_engine_tasks(const TaskContext& context) {
  const unsigned workers = context.config.workers.count;
  const auto shared = std::make_shared<Shared>(workers);
  shared->relay = relay_settings(context.config);
  const auto secret = random_value<SipKey>();
  Tasks out;
  for (unsigned w = 0; w < workers; ++w) {
    engine::Settings settings = settings_of(context, shared->relay, w);
    settings.secret = secret;
    try {
      out.push_back(std::make_unique<EngineTask>(shared, settings, context.now));
    } catch (const std::bad_alloc&) {
      throw std::runtime_error("no memory for the tables of worker " + std::to_string(w) +
                               ": limits.connections (" + std::to_string(context.config.limits.connections) +
                               ") must be lower on this machine");
    }
  }
  return out;
}

}  // namespace braid::daemon
