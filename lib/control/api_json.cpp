#include "control/api_json.hpp"

#include <unistd.h>

#include <atomic>

#include "control/session_id.hpp"

namespace braid::control {

using nlohmann::json;

namespace {

std::uint64_t load(const std::uint64_t& value) {
  return std::atomic_ref(const_cast<std::uint64_t&>(value)).load(std::memory_order_relaxed);
}

const char* mode_word(engine::Mode mode) {
  switch (mode) {
    case engine::Mode::mptcp:
      return "mptcp";
    case engine::Mode::fallback:
      return "fallback";
    case engine::Mode::tcp:
      return "tcp";
  }
  return "?";
}

template <class Id>
void add_table(json& out, const Sources& sources, stats::Table<Id> stats::WorkerStats::*table,
               const char* group) {
  for (std::size_t i = 0; i < stats::Table<Id>::kSize; ++i) {
    const auto id = static_cast<Id>(i);
    const auto& about = stats::describe(id);
    json workers = json::array();
    std::uint64_t sum = 0;
    for (const auto* w : sources.workers) {
      workers.push_back((w->*table)[id]);
      sum += (w->*table)[id];
    }
    json entry{{"name", about.name}, {"text", about.text}, {"value", sum}, {"workers", std::move(workers)}};
    if (group != nullptr) entry["group"] = group;
    out.push_back(std::move(entry));
  }
}

json subflow_json(const engine::SubflowInfo& s) {
  return {{"local", to_string(s.flow.local)},
          {"remote", to_string(s.flow.remote)},
          {"state", s.state},
          {"backup", s.backup},
          {"stale", s.stale},
          {"local_id", s.local_id},
          {"remote_id", s.remote_id},
          {"mss", s.mss},
          {"srtt_us", s.srtt_us},
          {"rttvar_us", s.rttvar_us},
          {"rto_us", s.rto_us},
          {"cwnd_bytes", s.cwnd_bytes},
          {"in_flight_bytes", s.in_flight_bytes},
          {"bytes_sent", s.bytes_sent},
          {"bytes_received", s.bytes_received},
          {"retransmitted_segments", s.retransmitted_segments},
          {"reinjected_segments", s.reinjected_segments}};
}

json workers_json(const Sources& sources) {
  using stats::Counter;
  json out = json::array();
  for (std::size_t i = 0; i < sources.workers.size(); ++i) {
    const auto& w = *sources.workers[i];
    out.push_back({{"worker", i},
                   {"loops", w.counters[Counter::loops]},
                   {"busy_seconds", static_cast<double>(w.counters[Counter::busy_ns]) * 1e-9},
                   {"rx_frames", w.counters[Counter::rx_frames]},
                   {"tx_frames", w.counters[Counter::tx_frames]},
                   {"handoffs", w.counters[Counter::handoffs]},
                   {"client_connections", load(w.gauges.pairs)},
                   {"sessions", load(w.gauges.sessions)},
                   {"subflows", load(w.gauges.subflows)},
                   {"tcp_connections", load(w.gauges.connections)},
                   {"buffered_bytes", load(w.gauges.buffered_bytes)}});
  }
  return out;
}

json ports_json(const Sources& sources) {
  json out = json::array();
  if (!sources.ports) return out;
  for (const auto& p : sources.ports()) {
    json port{{"name", p.name},
              {"up", p.up},
              {"rx_packets", p.rx_packets},
              {"rx_bytes", p.rx_bytes},
              {"tx_packets", p.tx_packets},
              {"tx_bytes", p.tx_bytes},
              {"missed", p.missed},
              {"no_buffer", p.no_buffer},
              {"errors", p.errors}};
    if (sources.config != nullptr)
      for (const auto& c : sources.config->ports)
        if (c.name == p.name) port["device"] = c.device;
    out.push_back(std::move(port));
  }
  return out;
}

void add_config(json& out, const config::Config& config) {
  out["config"] = config.file;
  json listeners = json::array();
  for (const auto& l : config.listeners) {
    json bind = json::array();
    for (const auto& b : l.bind) bind.push_back(to_string(b));
    listeners.push_back({{"name", l.name},
                         {"bind", std::move(bind)},
                         {"upstream", l.upstream},
                         {"mptcp", config::to_string(l.mptcp.mode)}});
  }
  out["listeners"] = std::move(listeners);
  json upstreams = json::array();
  for (const auto& u : config.upstreams) {
    json servers = json::array();
    for (const auto& s : u.servers) servers.push_back(to_string(s.address));
    upstreams.push_back({{"name", u.name}, {"servers", std::move(servers)}});
  }
  out["upstreams"] = std::move(upstreams);
}

}  // namespace

json info_json(const Sources& sources, std::chrono::seconds uptime) {
  json out{{"version", sources.build.version},
           {"dpdk", sources.build.dpdk},
           {"eal", sources.build.command_line},
           {"pid", getpid()},
           {"uptime_seconds", uptime.count()},
           {"ready", sources.ready && sources.ready()},
           {"draining", sources.draining && sources.draining()},
           {"workers", workers_json(sources)},
           {"ports", ports_json(sources)}};
  json pools = json::array();
  if (sources.pools)
    for (const auto& p : sources.pools())
      pools.push_back({{"name", p.name}, {"in_use", p.in_use}, {"size", p.size}});
  out["pools"] = std::move(pools);
  if (sources.config != nullptr) add_config(out, *sources.config);
  return out;
}

json stats_json(const Sources& sources) {
  using stats::WorkerStats;
  json out = json::array();
  add_table(out, sources, &WorkerStats::counters, "counters");
  add_table(out, sources, &WorkerStats::fallbacks, "fallbacks");
  add_table(out, sources, &WorkerStats::joins, "joins");
  add_table(out, sources, &WorkerStats::resets_sent, "resets_sent");
  add_table(out, sources, &WorkerStats::resets_received, "resets_received");
  return out;
}

json drops_json(const Sources& sources) {
  json out = json::array();
  add_table(out, sources, &stats::WorkerStats::drops, nullptr);
  return out;
}

json session_json(const engine::SessionInfo& s, const config::Config* config) {
  const bool known = config != nullptr && s.listener < config->listeners.size();
  json subflows = json::array();
  const std::size_t count = std::min<std::size_t>(s.subflow_count, s.subflows.size());
  for (std::size_t i = 0; i < count; ++i) subflows.push_back(subflow_json(s.subflows[i]));
  return {{"id", print_session_id(s.id)},
          {"worker", s.id >> 56},
          {"listener", known ? config->listeners[s.listener].name : std::to_string(s.listener)},
          {"mode", mode_word(s.mode)},
          {"state", s.state},
          {"token", s.token},
          {"client", to_string(s.client)},
          {"bind", to_string(s.bind)},
          {"age_ms", s.age_ms},
          {"idle_ms", s.idle_ms},
          {"bytes_up", s.bytes_up},
          {"bytes_down", s.bytes_down},
          {"buffered_up", s.buffered_up},
          {"buffered_down", s.buffered_down},
          {"subflows", std::move(subflows)},
          {"server", subflow_json(s.server)}};
}

std::string print_json(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace braid::control
