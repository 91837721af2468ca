// bench_relay: what relaying costs, measured in one process without ports, kernel or privileges. Figures and
// method are explained in perf/README.md.
#include <rte_cycles.h>
#include <rte_lcore.h>
#include <sched.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "clock.hpp"
#include "dpdk/eal.hpp"
#include "dpdk/pool.hpp"
#include "mptcp/subflow.hpp"
#include "relay/pair.hpp"
#include "scenarios.hpp"
#include "tcp/plain_stream.hpp"

namespace braid::perf {
namespace {

constexpr std::uint32_t kBuffers = 32 * 1024 - 1;
constexpr std::uint16_t kDataRoom = 2176;

using Json = nlohmann::ordered_json;

struct Row {
  std::string key;
  std::string text;
  BulkCase bulk;
};

// The first one is the headline.
const std::vector<Row>& bulk_rows() {
  static const std::vector<Row> rows{
      {"cycles_per_segment", "bursts of 32, software checksums", {}},
      {"cycles_per_segment_offload", "bursts of 32, checksums by the ports", {.offload = true}},
      {"cycles_per_segment_burst_8", "bursts of 8", {.burst = 8, .round = 32 * 1024}},
      {"cycles_per_segment_burst_1", "bursts of 1", {.burst = 1, .round = 16 * 1024}},
      {"cycles_per_segment_2048_in_flight", "2,048 segments under way", {.delay_us = 2048}},
      {"cycles_per_segment_64_sessions", "64 sessions in turn", {.sessions = 64}},
      {"cycles_per_segment_1024_sessions", "1,024 sessions in turn", {.sessions = 1024}},
  };
  return rows;
}

class Report {
 public:
  void number(const std::string& key, double value) { json_[key] = std::round(value * 10) / 10; }
  void whole(const std::string& key, double value) {
    json_[key] = static_cast<std::int64_t>(std::llround(value));
  }
  [[nodiscard]] const Json& json() const { return json_; }

 private:
  Json json_;
};

void say(bool json, const char* format, auto... values) {
  std::FILE* out = json ? stderr : stdout;
  if constexpr (sizeof...(values) == 0) {
    std::fputs(format, out);
  } else {
    std::fprintf(out, format, values...);
  }
  std::fflush(out);
}

void measure_bulk(const Bench& bench, bool json, bool headline, Report& report) {
  say(json,
      "Download over two subflows, %u-byte segments           cycles/segment  (undisturbed)  Gbit/s/core\n",
      kSegment);
  for (const Row& row : bulk_rows()) {
    if (headline && &row != &bulk_rows().front()) break;
    const BulkResult r = run_bulk(bench, row.bulk);
    const double gbps = kSegment * 8.0 * bench.tsc_hz / r.cycles_per_segment / 1e9;
    say(json, "  %-52s %12.0f  %13.0f  %11.1f   %4.1f frames in a turn, %.0f %% on path 2\n",
        row.text.c_str(), r.cycles_per_segment, r.quiet, gbps, r.frames_per_turn, 100 * r.second_path);
    report.whole(row.key, r.cycles_per_segment);
    if (&row != &bulk_rows().front()) continue;
    report.whole("cycles_per_segment_undisturbed", r.quiet);
    report.number("gbps_per_core", gbps);
  }
}

void measure_churn(const Bench& bench, bool json, Report& report) {
  say(json,
      "Connections: open, 200 bytes up, 1,000 down, close    cycles/connection           "
      "connections/s/core\n");
  for (const bool join : {false, true}) {
    const ChurnResult r = run_churn(bench, join, false);
    const double rate = bench.tsc_hz / r.cycles_per_connection;
    say(json, "  %-52s %12.0f %27.0f   %.1f frames in\n", join ? "MPTCP with one join" : "MPTCP, one subflow",
        r.cycles_per_connection, rate, r.frames_per_connection);
    report.whole(join ? "cps_per_core_join" : "cps_per_core", rate);
  }
}

void measure_hostile(const Bench& bench, bool json, Report& report) {
  struct Kind {
    Hostile kind;
    const char* key;
    const char* text;
  };
  static constexpr std::array kKinds{
      Kind{Hostile::syn, "syn", "SYN, answered by a cookie"},
      Kind{Hostile::syn_mptcp, "syn_mptcp", "SYN with MP_CAPABLE, answered by a cookie"},
      Kind{Hostile::join, "join", "SYN with MP_JOIN and a random token"},
      Kind{Hostile::stray, "stray", "ACK of no connection"},
      Kind{Hostile::outside, "outside", "data outside of the window"},
      Kind{Hostile::pieces, "pieces", "single bytes in random order behind a hole"},
  };
  say(json, "Hostile packets                                          cycles/packet\n");
  for (const Kind& k : kKinds) {
    const double cycles = run_hostile(bench, k.kind);
    say(json, "  %-52s %12.0f\n", k.text, cycles);
    report.whole(std::string("cycles_per_hostile_") + k.key, cycles);
  }
}

void measure_idle(const Bench& bench, bool json, std::uint32_t sessions, Report& report) {
  const IdleResult r = run_idle(bench, sessions);
  say(json,
      "Memory of an idle session (two subflows and server leg): %.0f bytes, mean of %u; %u packet buffers "
      "held\n",
      r.bytes_per_session, r.sessions, r.buffers_held);
  report.whole("bytes_per_idle_session", r.bytes_per_session);
}

void list_sizes(bool json, Report& report) {
  const std::vector<std::pair<const char*, std::size_t>> sizes{{"connection", sizeof(tcp::Connection)},
                                                               {"plain_stream", sizeof(tcp::PlainStream)},
                                                               {"subflow", sizeof(mptcp::Subflow)},
                                                               {"session", sizeof(mptcp::Session)},
                                                               {"pair", sizeof(relay::Pair)}};
  say(json, "Sizes:");
  for (const auto& [name, size] : sizes) {
    say(json, " %s %zu", name, size);
    report.whole(std::string("sizeof_") + name, static_cast<double>(size));
  }
  say(json, "\n");
}

struct Options {
  bool json = false;
  bool headline = false;
  unsigned rounds = 11;
  int cpu = -1;
  std::uint32_t sessions = 65536;
  std::vector<std::string> parts;
};

unsigned last_allowed_cpu() {
  cpu_set_t set;
  unsigned last = 0;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return last;
  for (unsigned i = 0; i < CPU_SETSIZE; ++i)
    if (CPU_ISSET(i, &set)) last = i;
  return last;
}

int run(const Options& options, const char* program) {
  const unsigned cpu = options.cpu >= 0 ? static_cast<unsigned>(options.cpu) : last_allowed_cpu();
  const dpdk::Eal eal(program, {"--no-huge", "--no-pci", "--no-shconf", "--no-telemetry", "-m", "192",
                                "--log-level=4", "--lcores=0@" + std::to_string(cpu)});
  const dpdk::MbufPool pool("bench", kBuffers, tcp::kSegmentPrivSize, kDataRoom,
                            dpdk::MbufPool::Use::software);
  const Bench bench{pool.get(), pool.size(), static_cast<double>(rte_get_tsc_hz()), options.rounds};
  const auto wanted = [&options](const char* part) {
    return options.parts.empty() ||
           std::find(options.parts.begin(), options.parts.end(), part) != options.parts.end();
  };
  Report report;
  say(options.json, "CPU %u, time stamp counter %.3f GHz, medians of %u rounds\n", cpu, bench.tsc_hz / 1e9,
      bench.rounds);
  if (wanted("idle")) measure_idle(bench, options.json, options.sessions, report);
  if (wanted("bulk")) measure_bulk(bench, options.json, options.headline, report);
  if (wanted("cps")) measure_churn(bench, options.json, report);
  if (wanted("hostile")) measure_hostile(bench, options.json, report);
  if (wanted("sizes")) list_sizes(options.json, report);
  report.number("tsc_ghz", bench.tsc_hz / 1e9);
  if (options.json) std::printf("%s\n", report.json().dump().c_str());
  return 0;
}

}  // namespace
}  // namespace braid::perf

int main(int argc, char** argv) {
  braid::perf::Options options;
  CLI::App app{"What relaying costs, in one process; see perf/README.md."};
  app.add_flag("--json", options.json, "one JSON object on stdout, the table on stderr");
  app.add_flag("--headline", options.headline, "of the downloads only the first, as for a profiler");
  app.add_option("--rounds", options.rounds, "rounds whose median counts")->check(CLI::Range(1, 1000));
  app.add_option("--cpu", options.cpu, "CPU to run on (default: the last one allowed)")
      ->check(CLI::Range(0, 1023));
  app.add_option("--sessions", options.sessions, "idle sessions to hold")->check(CLI::Range(1, 80000));
  app.add_option("parts", options.parts, "what to measure (default: all)")
      ->check(CLI::IsMember({"bulk", "cps", "hostile", "idle", "sizes"}));
  CLI11_PARSE(app, argc, argv);
  try {
    return braid::perf::run(options, argv[0]);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench_relay: %s\n", e.what());
    return 1;
  }
}
