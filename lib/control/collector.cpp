// The families of docs/metrics.md out of the workers' tables.
#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <string_view>
#include <utility>

#include "control/metrics.hpp"

namespace braid::control {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using stats::Counter;
using Labels = std::vector<std::pair<std::string, std::string>>;

// How a counter is exported where it is not simply braid_<name>_total, summed over the workers.
struct Export {
  Counter counter;
  const char* family;
  const char* label;  // nullptr: none
  const char* value;
  const char* help;  // nullptr: the counter's own text
  bool per_worker = false;
  double scale = 1;
};

constexpr const char* kDirection = "direction";
constexpr const char* kEvent = "event";

const std::array kExports{
    Export{Counter::loops, "worker_loops_total", nullptr, "", nullptr, true},
    Export{Counter::busy_ns, "worker_busy_seconds_total", nullptr, "", "Time spent in turns that had work",
           true, 1e-9},
    Export{Counter::handoffs, "worker_handoffs_total", nullptr, "", nullptr, true},
    Export{Counter::rx_frames, "worker_packets_total", kDirection, "rx",
           "Frames taken from and given to ports", true},
    Export{Counter::tx_frames, "worker_packets_total", kDirection, "tx", nullptr, true},
    Export{Counter::rx_bytes, "worker_bytes_total", kDirection, "rx", "Bytes taken from and given to ports",
           true},
    Export{Counter::tx_bytes, "worker_bytes_total", kDirection, "tx", nullptr, true},
    Export{Counter::punted, "mirror_packets_total", kDirection, "to_kernel",
           "Packets that passed the kernel mirror"},
    Export{Counter::injected, "mirror_packets_total", kDirection, "from_kernel", nullptr},
    Export{Counter::client_accepted_mptcp, "client_connections_total", "mode", "mptcp",
           "Client connections accepted, by what they got"},
    Export{Counter::client_accepted_tcp, "client_connections_total", "mode", "tcp", nullptr},
    Export{Counter::client_closed, "client_ended_total", nullptr, "", nullptr},
    Export{Counter::upstream_connected, "upstream_connects_total", "result", "ok",
           "Attempts to connect to servers, by result"},
    Export{Counter::upstream_failed, "upstream_connects_total", "result", "failed", nullptr},
    Export{Counter::subflows_opened, "mptcp_subflow_events_total", kEvent, "opened",
           "What became of subflows"},
    Export{Counter::subflows_closed, "mptcp_subflow_events_total", kEvent, "closed", nullptr},
    Export{Counter::mptcp_subflows_stale, "mptcp_subflow_events_total", kEvent, "stale", nullptr},
    Export{Counter::mptcp_subflows_recovered, "mptcp_subflow_events_total", kEvent, "recovered", nullptr},
    Export{Counter::relay_bytes_up, "relay_bytes_total", kDirection, "up",
           "Bytes relayed; up is from clients to servers"},
    Export{Counter::relay_bytes_down, "relay_bytes_total", kDirection, "down", nullptr},
    Export{Counter::relay_paused_up, "relay_paused_total", "side", "client",
           "Times a side was paused because the other was slower"},
    Export{Counter::relay_paused_down, "relay_paused_total", "side", "server", nullptr},
    Export{Counter::tcp_resets_sent, "tcp_resets_total", kDirection, "sent",
           "RST segments sent and accepted"},
    Export{Counter::tcp_resets_received, "tcp_resets_total", kDirection, "received", nullptr},
    Export{Counter::tcp_cookies_sent, "tcp_syn_cookies_total", kEvent, "sent", "SYN cookies"},
    Export{Counter::tcp_cookies_accepted, "tcp_syn_cookies_total", kEvent, "accepted", nullptr},
    Export{Counter::tcp_cookies_failed, "tcp_syn_cookies_total", kEvent, "failed", nullptr},
    Export{Counter::mptcp_bytes_first, "mptcp_bytes_total", "path", "first",
           "Payload bytes sent and received on subflows, by kind of subflow"},
    Export{Counter::mptcp_bytes_joined, "mptcp_bytes_total", "path", "joined", nullptr},
    Export{Counter::mptcp_bytes_backup, "mptcp_bytes_total", "path", "backup", nullptr},
    Export{Counter::mptcp_add_addr_sent, "mptcp_addr_total", kEvent, "add_sent", "Address announcements"},
    Export{Counter::mptcp_add_addr_received, "mptcp_addr_total", kEvent, "add_received", nullptr},
    Export{Counter::mptcp_add_addr_bad_hmac, "mptcp_addr_total", kEvent, "add_bad_hmac", nullptr},
    Export{Counter::mptcp_add_addr_echoed, "mptcp_addr_total", kEvent, "add_echoed", nullptr},
    Export{Counter::mptcp_remove_addr_sent, "mptcp_addr_total", kEvent, "remove_sent", nullptr},
    Export{Counter::mptcp_remove_addr_received, "mptcp_addr_total", kEvent, "remove_received", nullptr},
    Export{Counter::mptcp_fastclose_sent, "mptcp_fastclose_total", kDirection, "sent", "MP_FASTCLOSE seen"},
    Export{Counter::mptcp_fastclose_received, "mptcp_fastclose_total", kDirection, "received", nullptr},
    Export{Counter::mptcp_fail_sent, "mptcp_fail_total", kDirection, "sent", "MP_FAIL seen"},
    Export{Counter::mptcp_fail_received, "mptcp_fail_total", kDirection, "received", nullptr},
    Export{Counter::invariant, "invariants_broken_total", nullptr, "",
           "Broken internal invariants; each closed its session"},
    Export{Counter::records_lost, "access_records_lost_total", nullptr, "", nullptr},
};

// Splits "text (as KernelName)" into the two; the name is empty where there is none.
std::pair<std::string, std::string> split_kernel(std::string_view text) {
  const auto at = text.rfind(" (as ");
  if (at == std::string_view::npos || !text.ends_with(')')) return {std::string(text), {}};
  return {std::string(text.substr(0, at)), std::string(text.substr(at + 5, text.size() - at - 6))};
}

// Collects metrics by family, families in the order of their first metric.
class Families {
 public:
  // The family `name`, made with `help` on first use.
  MetricFamily& of(const std::string& name, MetricType type, std::string_view help) {
    const auto [at, fresh] = index_.try_emplace(name, out_.size());
    if (fresh) {
      std::string text(help);
      if (!text.empty() && text.front() >= 'a' && text.front() <= 'z')
        text.front() = static_cast<char>(text.front() - 32);
      out_.push_back({"braid_" + name, text + ".", type, {}});
    }
    return out_[at->second];
  }

  // Adds "Same event as …" for one label value (or for the whole family) to the help text.
  void note_kernel(MetricFamily& family, const std::string& value, const std::string& kernel) {
    if (kernel.empty()) return;
    const std::string lead = " Same event as ";
    const auto item = kernel + (value.empty() ? "" : " (" + value + ")");
    auto& seen = noted_[family.name];
    if (std::find(seen.begin(), seen.end(), item) != seen.end()) return;
    if (seen.empty())
      family.help += lead + item + ".";
    else
      family.help.insert(family.help.size() - 1, ", " + item);
    seen.push_back(item);
  }

  void counter(const std::string& name, std::string_view help, const Labels& labels, double value) {
    add(of(name, MetricType::Counter, help), labels).counter.value = value;
  }
  void gauge(const std::string& name, std::string_view help, const Labels& labels, double value) {
    add(of(name, MetricType::Gauge, help), labels).gauge.value = value;
  }

  template <std::size_t N>
  void histogram(const std::string& name, std::string_view help, const Labels& labels,
                 const std::vector<const stats::Histogram<N>*>& parts, double scale) {
    auto& h = add(of(name, MetricType::Histogram, help), labels).histogram;
    if (parts.empty()) return;
    std::uint64_t sum = 0;
    for (const auto* part : parts) sum += part->sum();
    for (std::size_t i = 0; i <= N; ++i) {
      for (const auto* part : parts) h.sample_count += part->bucket(i);
      if (i < N) h.bucket.push_back({h.sample_count, static_cast<double>(parts.front()->bound(i)) * scale});
    }
    h.sample_sum = static_cast<double>(sum) * scale;
  }

  std::vector<MetricFamily> take() { return std::move(out_); }

 private:
  static ClientMetric& add(MetricFamily& family, const Labels& labels) {
    auto& metric = family.metric.emplace_back();
    for (const auto& [name, value] : labels) metric.label.push_back({name, value});
    return metric;
  }

  std::vector<MetricFamily> out_;
  std::map<std::string, std::size_t> index_;
  std::map<std::string, std::vector<std::string>> noted_;
};

std::uint64_t load(const std::uint64_t& value) {
  return std::atomic_ref(const_cast<std::uint64_t&>(value)).load(std::memory_order_relaxed);
}

using Workers = std::vector<const stats::WorkerStats*>;

void add_counters(Families& out, const Workers& workers) {
  for (std::size_t i = 0; i < stats::Table<Counter>::kSize; ++i) {
    const auto id = static_cast<Counter>(i);
    const auto found =
        std::find_if(kExports.begin(), kExports.end(), [&](const Export& e) { return e.counter == id; });
    const auto& about = stats::describe(id);
    const auto [text, kernel] = split_kernel(about.text);
    const bool plain = found == kExports.end();
    const std::string name = plain ? std::string(about.name) + "_total" : found->family;
    Labels labels;
    if (!plain && found->label != nullptr) labels.emplace_back(found->label, found->value);
    const bool has_help = !plain && found->help != nullptr;
    auto& family = out.of(name, MetricType::Counter, has_help ? std::string_view(found->help) : text);
    out.note_kernel(family, labels.empty() ? "" : labels.front().second, kernel);
    const double scale = plain ? 1 : found->scale;
    if (!plain && found->per_worker) {
      for (std::size_t w = 0; w < workers.size(); ++w) {
        auto full = labels;
        full.emplace_back("worker", std::to_string(w));
        out.counter(name, {}, full, static_cast<double>(workers[w]->counters[id]) * scale);
      }
      continue;
    }
    std::uint64_t sum = 0;
    for (const auto* w : workers) sum += w->counters[id];
    out.counter(name, {}, labels, static_cast<double>(sum) * scale);
  }
}

// A table whose enum is the value of one label.
template <class Id>
void add_table(Families& out, const Workers& workers, stats::Table<Id> stats::WorkerStats::*table,
               const std::string& name, const std::string& help, const std::string& label,
               const Labels& more = {}) {
  auto& family = out.of(name, MetricType::Counter, help);
  for (std::size_t i = 0; i < stats::Table<Id>::kSize; ++i) {
    const auto id = static_cast<Id>(i);
    const auto& about = stats::describe(id);
    out.note_kernel(family, about.name, split_kernel(about.text).second);
    std::uint64_t sum = 0;
    for (const auto* w : workers) sum += (w->*table)[id];
    auto labels = more;
    labels.emplace_back(label, about.name);
    out.counter(name, {}, labels, static_cast<double>(sum));
  }
}

void add_tables(Families& out, const Workers& workers) {
  using stats::WorkerStats;
  auto& drops = out.of("drops_total", MetricType::Counter, "packets discarded, by reason");
  for (std::size_t i = 0; i < stats::Table<stats::Drop>::kSize; ++i) {
    const auto id = static_cast<stats::Drop>(i);
    const auto& about = stats::describe(id);
    out.note_kernel(drops, about.name, split_kernel(about.text).second);
    for (std::size_t w = 0; w < workers.size(); ++w)
      out.counter("drops_total", {}, {{"reason", about.name}, {"worker", std::to_string(w)}},
                  static_cast<double>(workers[w]->drops[id]));
  }
  add_table(out, workers, &WorkerStats::fallbacks, "mptcp_fallbacks_total",
            "clients that asked for MPTCP and are served without it, by cause", "cause");
  add_table(out, workers, &WorkerStats::joins, "mptcp_joins_total", "MP_JOIN attempts, by result", "result");
  const char* resets = "RST segments on subflows, by MP_TCPRST reason";
  add_table(out, workers, &WorkerStats::resets_sent, "mptcp_resets_total", resets, "reason",
            {{"direction", "sent"}});
  add_table(out, workers, &WorkerStats::resets_received, "mptcp_resets_total", resets, "reason",
            {{"direction", "received"}});
}

void add_gauges(Families& out, const Workers& workers) {
  using Gauges = stats::WorkerStats::Gauges;
  const auto sum = [&](std::uint64_t Gauges::*field) {
    std::uint64_t total = 0;
    for (const auto* w : workers) total += load(w->gauges.*field);
    return static_cast<double>(total);
  };
  out.gauge("client_connections", "client connections relayed now", {}, sum(&Gauges::pairs));
  out.gauge("tcp_connections", "plain TCP connections now, those to servers included", {},
            sum(&Gauges::connections));
  out.gauge("mptcp_sessions", "MPTCP sessions now, fallen-back ones included", {}, sum(&Gauges::sessions));
  out.gauge("mptcp_subflows", "subflows now", {}, sum(&Gauges::subflows));
  out.gauge("relay_buffered_bytes", "payload bytes held between the two sides now", {},
            sum(&Gauges::buffered_bytes));
  for (std::size_t w = 0; w < workers.size(); ++w)
    out.gauge("worker_redirects", "entries that send a flow's packets to its owning worker, now",
              {{"worker", std::to_string(w)}}, static_cast<double>(load(workers[w]->gauges.redirects)));
}

template <std::size_t N>
std::vector<const stats::Histogram<N>*> parts(const Workers& workers,
                                              stats::Histogram<N> stats::WorkerStats::*field) {
  std::vector<const stats::Histogram<N>*> out;
  for (const auto* w : workers) out.push_back(&(w->*field));
  return out;
}

void add_histograms(Families& out, const Workers& workers) {
  using stats::WorkerStats;
  for (std::size_t w = 0; w < workers.size(); ++w)
    out.histogram<8>("worker_rx_burst_packets", "frames per receive burst", {{"worker", std::to_string(w)}},
                     {&workers[w]->rx_burst}, 1);
  const char* rtt = "smoothed round-trip times sampled";
  out.histogram("tcp_rtt_seconds", rtt, {{"side", "client"}}, parts(workers, &WorkerStats::client_rtt_us),
                1e-6);
  out.histogram("tcp_rtt_seconds", rtt, {{"side", "server"}}, parts(workers, &WorkerStats::server_rtt_us),
                1e-6);
  out.histogram("upstream_connect_seconds", "time to connect to a server", {},
                parts(workers, &WorkerStats::connect_us), 1e-6);
  out.histogram("mptcp_subflows_per_connection", "subflows of a session at its end", {},
                parts(workers, &WorkerStats::subflows_per_session), 1);
}

void add_ports(Families& out, const Sources& sources) {
  if (sources.ports) {
    for (const auto& p : sources.ports()) {
      const auto count = [&](const char* name, const char* help, std::uint64_t value,
                             const char* direction = nullptr) {
        Labels labels{{"port", p.name}};
        if (direction != nullptr) labels.emplace_back("direction", direction);
        out.counter(name, help, labels, static_cast<double>(value));
      };
      out.gauge("port_up", "1 while the port's link is up", {{"port", p.name}}, p.up ? 1 : 0);
      count("port_packets_total", "packets received and sent by the port", p.rx_packets, "rx");
      count("port_packets_total", "", p.tx_packets, "tx");
      count("port_bytes_total", "bytes received and sent by the port", p.rx_bytes, "rx");
      count("port_bytes_total", "", p.tx_bytes, "tx");
      count("port_missed_total", "packets lost because no receive descriptor was free", p.missed);
      count("port_no_buffer_total", "packets lost because no packet buffer was free", p.no_buffer);
      count("port_errors_total", "packets with errors, both directions", p.errors);
    }
  }
  if (!sources.pools) return;
  for (const auto& pool : sources.pools()) {
    out.gauge("buffers_in_use", "packet buffers in use", {{"pool", pool.name}},
              static_cast<double>(pool.in_use));
    out.gauge("buffers_limit", "packet buffers there are", {{"pool", pool.name}},
              static_cast<double>(pool.size));
  }
}

void add_process(Families& out, const Sources& sources, const Log* log) {
  out.gauge("build_info", "always 1; the labels tell the versions",
            {{"version", sources.build.version}, {"dpdk", sources.build.dpdk}}, 1);
  out.gauge("ready", "1 while clients are served", {}, sources.ready && sources.ready() ? 1 : 0);
  out.gauge("draining", "1 after a stop was asked for", {}, sources.draining && sources.draining() ? 1 : 0);
  out.gauge("workers", "worker threads", {}, static_cast<double>(sources.workers.size()));
  out.counter("log_lost_total", "log lines lost because stderr was not read", {},
              log == nullptr ? 0 : static_cast<double>(log->lost()));
  if (sources.config == nullptr) return;
  const auto& limits = sources.config->limits;
  const auto limit = [&](const char* name, std::uint64_t value) {
    out.gauge("limit", "configured bounds, in the units of docs/configuration.md", {{"name", name}},
              static_cast<double>(value));
  };
  limit("connections", limits.connections);
  limit("handshakes", limits.handshakes);
  limit("buffer_per_connection", limits.buffer_per_connection);
  limit("packet_buffers", limits.packet_buffers);
  limit("mirror_pps", limits.mirror_pps);
}

void add_access(Families& out, const Sources& sources, const AccessCounts* access) {
  for (std::size_t who = 0; who < AccessCounts::kWho; ++who)
    for (std::size_t phase = 0; phase < AccessCounts::kPhases; ++phase) {
      const auto w = static_cast<relay::Who>(who);
      const auto p = static_cast<relay::Phase>(phase);
      out.counter("client_closed_total",
                  "ended client connections by who ended them and in which phase, from access records",
                  {{"who", relay::to_string(w)}, {"phase", relay::to_string(p)}},
                  access == nullptr ? 0 : static_cast<double>(access->closed(w, p)));
    }
  if (sources.config == nullptr) return;
  const auto& listeners = sources.config->listeners;
  for (std::size_t l = 0; l < listeners.size(); ++l)
    for (std::size_t kind = 0; kind < AccessCounts::kKinds; ++kind) {
      const auto k = static_cast<relay::Kind>(kind);
      const bool known = access != nullptr && l < access->listeners();
      out.counter("listener_closed_total",
                  "ended client connections by listener and what they got, from access records",
                  {{"listener", listeners[l].name}, {"mode", relay::to_string(k)}},
                  known ? static_cast<double>(access->closed(l, k)) : 0);
    }
}

}  // namespace

Collector::Collector(const Sources& sources, const AccessCounts* access, const Log* log)
    : sources_(sources), access_(access), log_(log) {}

std::vector<MetricFamily> Collector::Collect() const {
  Families out;
  add_process(out, sources_, log_);
  add_counters(out, sources_.workers);
  add_tables(out, sources_.workers);
  add_gauges(out, sources_.workers);
  add_histograms(out, sources_.workers);
  add_ports(out, sources_);
  add_access(out, sources_, access_);
  return out.take();
}

}  // namespace braid::control
