#include "control/metrics.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "unit/control/fixtures.hpp"

namespace braid::control {
namespace {

using prometheus::MetricFamily;
using testing::HasSubstr;
using testing::StartsWith;

// The value of the metric with exactly these labels ("a=1,b=2").
double value(const std::vector<MetricFamily>& families, const std::string& name,
             const std::string& labels = {}) {
  for (const auto& f : families) {
    if (f.name != name) continue;
    for (const auto& m : f.metric) {
      std::string all;
      for (const auto& l : m.label) all += (all.empty() ? "" : ",") + l.name + "=" + l.value;
      if (all == labels) return f.type == prometheus::MetricType::Gauge ? m.gauge.value : m.counter.value;
    }
  }
  ADD_FAILURE() << "no " << name << "{" << labels << "}";
  return -1;
}

TEST(Collector, SumsWorkersAndKeepsThemApartWhereItMatters) {
  Appliance a;
  a.workers[0]->counters.add(stats::Counter::loops, 5);
  a.workers[1]->counters.add(stats::Counter::loops, 7);
  a.workers[0]->counters.add(stats::Counter::busy_ns, 1'500'000'000);
  a.workers[0]->counters.add(stats::Counter::relay_bytes_up, 100);
  a.workers[1]->counters.add(stats::Counter::relay_bytes_up, 11);
  a.workers[1]->drops.add(stats::Drop::paws, 3);
  a.workers[0]->joins.add(stats::Join::ok, 2);
  a.workers[1]->joins.add(stats::Join::ok, 2);
  a.workers[1]->fallbacks.add(stats::Fallback::third_ack, 9);
  a.workers[0]->resets_sent.add(stats::RstReason::middlebox, 1);
  a.workers[0]->gauges.subflows = 4;
  a.workers[1]->gauges.subflows = 6;
  const auto f = Collector(a.sources, nullptr, nullptr).Collect();
  EXPECT_EQ(value(f, "braid_worker_loops_total", "worker=0"), 5);
  EXPECT_EQ(value(f, "braid_worker_loops_total", "worker=1"), 7);
  EXPECT_EQ(value(f, "braid_worker_busy_seconds_total", "worker=0"), 1.5);
  EXPECT_EQ(value(f, "braid_relay_bytes_total", "direction=up"), 111);
  EXPECT_EQ(value(f, "braid_drops_total", "reason=paws,worker=1"), 3);
  EXPECT_EQ(value(f, "braid_drops_total", "reason=paws,worker=0"), 0);
  EXPECT_EQ(value(f, "braid_mptcp_joins_total", "result=ok"), 4);
  EXPECT_EQ(value(f, "braid_mptcp_fallbacks_total", "cause=third_ack"), 9);
  EXPECT_EQ(value(f, "braid_mptcp_resets_total", "direction=sent,reason=middlebox"), 1);
  EXPECT_EQ(value(f, "braid_mptcp_resets_total", "direction=received,reason=middlebox"), 0);
  EXPECT_EQ(value(f, "braid_mptcp_subflows"), 10);
  EXPECT_EQ(value(f, "braid_port_up", "port=core"), 0);
  EXPECT_EQ(value(f, "braid_port_packets_total", "port=access,direction=tx"), 20);
  EXPECT_EQ(value(f, "braid_buffers_in_use", "pool=packets"), 100);
  EXPECT_EQ(value(f, "braid_limit", "name=connections"), 20000);
  EXPECT_EQ(value(f, "braid_build_info", "version=0.1.0,dpdk=DPDK 22.11"), 1);
  EXPECT_EQ(value(f, "braid_ready"), 1);
}

TEST(Collector, HistogramsAreCumulativeAndInBaseUnits) {
  Appliance a;
  a.workers[0]->client_rtt_us.observe(1500);
  a.workers[1]->client_rtt_us.observe(400);
  a.workers[1]->client_rtt_us.observe(5'000'000);
  for (const auto& f : Collector(a.sources, nullptr, nullptr).Collect()) {
    if (f.name != "braid_tcp_rtt_seconds") continue;
    const auto& h = f.metric[0].histogram;
    EXPECT_EQ(h.sample_count, 3U);
    EXPECT_DOUBLE_EQ(h.sample_sum, 5.0019);
    EXPECT_DOUBLE_EQ(h.bucket[0].upper_bound, 0.001);
    EXPECT_EQ(h.bucket[0].cumulative_count, 1U);
    EXPECT_EQ(h.bucket[1].cumulative_count, 2U);
    EXPECT_EQ(h.bucket.back().cumulative_count, 2U);
    return;
  }
  FAIL() << "no braid_tcp_rtt_seconds";
}

TEST(Collector, CountsAccessRecords) {
  Appliance a;
  AccessCounts counts(a.config.listeners.size());
  relay::AccessRecord r;
  r.listener = 1;
  r.kind = relay::Kind::fallback;
  r.who = relay::Who::timeout;
  r.phase = relay::Phase::data;
  counts.add(r);
  const auto f = Collector(a.sources, &counts, nullptr).Collect();
  EXPECT_EQ(value(f, "braid_client_closed_total", "who=timeout,phase=data"), 1);
  EXPECT_EQ(value(f, "braid_listener_closed_total", "listener=mail,mode=fallback"), 1);
  EXPECT_EQ(value(f, "braid_listener_closed_total", "listener=web,mode=fallback"), 0);
}

// Every counter of lib/stats reaches the output: each is moved in turn, and exactly one sample follows.
TEST(Collector, ExportsEveryCounterOnce) {
  for (std::size_t i = 0; i < stats::Table<stats::Counter>::kSize; ++i) {
    Appliance a;
    const auto sum = [&] {
      double total = 0;
      for (const auto& f : Collector(a.sources, nullptr, nullptr).Collect())
        if (f.type == prometheus::MetricType::Counter)
          for (const auto& m : f.metric) total += m.counter.value;
      return total;
    };
    const double before = sum();
    const auto id = static_cast<stats::Counter>(i);
    const bool nanoseconds = id == stats::Counter::busy_ns;
    a.workers[1]->counters.add(id, nanoseconds ? 1'000'000'000 : 1);
    EXPECT_DOUBLE_EQ(sum() - before, 1) << stats::describe(id).name;
  }
}

TEST(Collector, KeepsThePrometheusNamingRules) {
  Appliance a;
  std::set<std::string> names;
  for (const auto& f : Collector(a.sources, nullptr, nullptr).Collect()) {
    EXPECT_THAT(f.name, StartsWith("braid_"));
    EXPECT_TRUE(names.insert(f.name).second) << f.name;
    EXPECT_EQ(f.name.ends_with("_total"), f.type == prometheus::MetricType::Counter) << f.name;
    EXPECT_GT(f.help.size(), 5U) << f.name;
    EXPECT_EQ(f.help.back(), '.') << f.name;
    EXPECT_FALSE(f.metric.empty()) << f.name;
    for (const auto& m : f.metric)
      for (const auto& l : m.label)
        EXPECT_FALSE(l.name == "worker" && f.name != "braid_drops_total" &&
                     !f.name.starts_with("braid_worker_"))
            << f.name;
  }
}

TEST(Collector, HelpTextsNameTheKernelsCounters) {
  Appliance a;
  std::map<std::string, std::string> help;
  for (const auto& f : Collector(a.sources, nullptr, nullptr).Collect()) help[f.name] = f.help;
  EXPECT_EQ(help["braid_tcp_timeouts_total"], "Retransmission time-outs. Same event as TcpExtTCPTimeouts.");
  EXPECT_THAT(help["braid_mptcp_joins_total"], HasSubstr("Same event as MPTcpExtMPJoinAckRx (ok), "));
}

TEST(Collector, TheLargestApplianceStaysWithinTheSeriesBudget) {
  Appliance a(limits::kMaxWorkers);
  a.config.listeners.resize(64, a.config.listeners[0]);
  a.sources.ports = [] { return std::vector<PortStats>(limits::kMaxPorts); };
  const AccessCounts counts(64);
  const auto text = prometheus::TextSerializer().Serialize(Collector(a.sources, &counts, nullptr).Collect());
  std::istringstream lines(text);
  std::size_t series = 0;
  for (std::string line; std::getline(lines, line);) series += line.starts_with('#') ? 0 : 1;
  EXPECT_LT(series, 4000U);
}

// Rows of docs/metrics.md: | `braid_x` | type | labels | meaning |
TEST(Documentation, ListsTheExportedFamiliesAndNoOther) {
  std::map<std::string, std::string> documented;
  std::ifstream in(BRAID_SOURCE_DIR "/docs/metrics.md");
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("| `braid_")) continue;
    const auto end = line.find('`', 3);
    const auto second = line.find('|', line.find('|', end) + 1);
    documented[line.substr(3, end - 3)] = line.substr(end + 4, line.find(" |", second + 1) - end - 4);
  }
  std::map<std::string, std::string> exported;
  Appliance a;
  for (const auto& f : Collector(a.sources, nullptr, nullptr).Collect()) {
    std::string text = f.type == prometheus::MetricType::Counter ? "counter"
                       : f.type == prometheus::MetricType::Gauge ? "gauge"
                                                                 : "histogram";
    text += " |";
    for (const auto& l : f.metric[0].label) text += (text.back() == '|' ? " " : ", ") + l.name;
    exported[f.name] = text;
  }
  EXPECT_EQ(documented, exported);
}

// One HTTP exchange with the server on loopback.
std::string http(std::uint16_t port, const std::string& request) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string out;
  if (connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0) {
    send(fd, request.data(), request.size(), MSG_NOSIGNAL);
    char buffer[4096];
    for (ssize_t n = 0; (n = recv(fd, buffer, sizeof buffer, 0)) > 0;)
      out.append(buffer, static_cast<std::size_t>(n));
  }
  close(fd);
  return out;
}
std::string get(std::uint16_t port, const std::string& path) {
  return http(port, "GET " + path + " HTTP/1.0\r\n\r\n");
}

TEST(MetricsServer, ServesMetricsAndHealth) {
  Appliance a;
  const Collector collector(a.sources, nullptr, nullptr);
  MetricsServer server(a.sources, collector);
  ASSERT_EQ(server.start({Ip::v4(0x7f000001), 0}), std::nullopt);
  const auto port = server.port();
  ASSERT_NE(port, 0);
  EXPECT_THAT(get(port, "/metrics"), HasSubstr("\nbraid_ready 1\n"));
  EXPECT_THAT(get(port, "/healthz"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(get(port, "/readyz"), StartsWith("HTTP/1.1 200 "));
  a.ready = false;
  EXPECT_THAT(get(port, "/readyz"), StartsWith("HTTP/1.1 503 "));
  a.ready = true;
  a.draining = true;
  EXPECT_THAT(get(port, "/readyz"), HasSubstr("draining"));
  EXPECT_THAT(get(port, "/healthz"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(get(port, "/"), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(get(port, "/metrics/x"), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(get(port, "/../etc/passwd"), StartsWith("HTTP/1.1 4"));
  EXPECT_THAT(http(port, "POST /metrics HTTP/1.0\r\nContent-Length: 0\r\n\r\n"), StartsWith("HTTP/1.1 405 "));
  http(port, std::string(100'000, 'x') + "\r\n\r\n");
  http(port, "\x16\x03\x01\x02\x00\x01\r\n\r\n");
  EXPECT_THAT(get(port, "/healthz"), StartsWith("HTTP/1.1 200 "));
  server.stop();
  EXPECT_EQ(get(port, "/healthz"), "");
}

TEST(MetricsServer, SaysWhyItCannotBind) {
  Appliance a;
  const Collector collector(a.sources, nullptr, nullptr);
  MetricsServer first(a.sources, collector);
  ASSERT_EQ(first.start({Ip::v4(0x7f000001), 0}), std::nullopt);
  const auto taken = first.port();
  MetricsServer second(a.sources, collector);
  const auto wrong = second.start({Ip::v4(0x7f000001), taken});
  ASSERT_TRUE(wrong);
  EXPECT_THAT(*wrong, HasSubstr("metrics.listen: cannot serve on 127.0.0.1:" + std::to_string(taken)));
  EXPECT_THAT(*wrong, HasSubstr("98"));
  EXPECT_EQ(second.port(), 0);
  EXPECT_THAT(get(taken, "/healthz"), StartsWith("HTTP/1.1 200 "));  // the first is unharmed
}

}  // namespace
}  // namespace braid::control
