// Sections that set up the process: version, dpdk, workers, timeouts, limits, metrics, control, log.
#include "config/sections.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include "base/limits.hpp"

namespace braid::config {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

constexpr std::uint64_t kKiB = 1ULL << 10;
constexpr std::uint64_t kMiB = 1ULL << 20;
constexpr std::uint64_t kGiB = 1ULL << 30;

// EAL arguments that follow from other settings, and the setting to use instead.
struct Owned {
  std::string_view argument;
  std::string_view setting;
};
constexpr std::array kOwned{
    Owned{"-l", "workers.cores"},         Owned{"-c", "workers.cores"},
    Owned{"--lcores", "workers.cores"},   Owned{"--main-lcore", "dpdk.main_core"},
    Owned{"-m", "dpdk.memory"},           Owned{"--socket-mem", "dpdk.memory"},
    Owned{"--no-huge", "dpdk.hugepages"}, Owned{"--file-prefix", "dpdk.file_prefix"},
};
// What makes EAL end at once, or join a process that Braid is not.
constexpr std::array kUseless{"-h", "--help", "-v", "--version", "--proc-type"};

void read_eal(Walk& walk, const Item& list, std::vector<std::string>& out) {
  for (const auto& item : elements(walk, list, 64, false)) {
    std::string argument;
    if (!read_text(walk, item, argument)) continue;
    const auto name = argument.substr(0, argument.find('='));
    const auto owned = std::find_if(kOwned.begin(), kOwned.end(), [&](const Owned& o) {
      const bool glued = o.argument.size() == 2 && name.starts_with(o.argument) && name.size() > 2 &&
                         (std::isdigit(static_cast<unsigned char>(name[2])) != 0);  // "-m512"
      return name == o.argument || glued;
    });
    if (std::find(kUseless.begin(), kUseless.end(), name) != kUseless.end()) {
      walk.mistake(item, quote(argument) + " would keep Braid from serving; remove it");
      continue;
    }
    if (owned != kOwned.end()) {
      walk.mistake(item, quote(argument) + " clashes with what Braid sets itself; use " +
                             std::string(owned->setting) + " instead");
      continue;
    }
    out.push_back(std::move(argument));
  }
}

void read_dpdk(Walk& walk, const Item& item, Dpdk& out) {
  Map map(walk, item);
  unsigned core = 0;
  if (read(walk, map.get("main_core"), core, 0, 1023)) out.main_core = core;
  const auto memory = map.get("memory");
  if (read_size(walk, memory, out.memory, 64 * kMiB, 1024 * kGiB) && out.memory % kMiB != 0)
    walk.mistake(memory,
                 "is no whole number of MiB; write e.g. " + print_size((out.memory / kMiB + 1) * kMiB));
  read_choice(walk, map.get("hugepages"), out.hugepages,
              {Hugepages::automatic, Hugepages::on, Hugepages::off});
  read_name(walk, map.get("file_prefix"), out.file_prefix, 32);
  read_eal(walk, map.get("eal"), out.eal);
}

void read_idle(Walk& walk, const Item& item, Workers& out) {
  if (!item.present && !walk.recording()) return;
  if (item.present && item.node.IsScalar()) {
    if (item.node.Scalar() == "sleep") {
      walk.mistake(item, "sleep needs a time; write {sleep: 50us}");
      return;
    }
    read_choice(walk, item, out.idle, {Idle::spin, Idle::pause});
    return;
  }
  if (item.present && item.node.IsSequence()) {
    walk.mistake(item, "is a list; must be spin, pause or {sleep: 50us}");
    return;
  }
  Map map(walk, item);
  const auto sleep = map.need("sleep", "sleep: 50us");
  if (read_duration(walk, sleep, out.sleep, microseconds(1), milliseconds(10), false)) out.idle = Idle::sleep;
}

void read_cores(Walk& walk, const Item& item, Workers& out) {
  constexpr const char* kRight = " is no list of cores; must be e.g. \"1,2\", 2-5 or [1, 2], each below 1024";
  if (!item.present) return;
  for (const auto& element : elements(walk, item, limits::kMaxWorkers, true)) {
    if (!element.present) continue;
    const auto cores = element.node.IsScalar() ? parse_cores(element.node.Scalar()) : std::nullopt;
    if (!cores) {
      walk.mistake(element, (element.node.IsScalar() ? quote(element.node.Scalar()) : "value") + kRight);
      continue;
    }
    out.cores.insert(out.cores.end(), cores->begin(), cores->end());
  }
}

void read_workers(Walk& walk, const Item& item, Workers& out) {
  Map map(walk, item);
  const auto count = map.get("count");
  const bool counted = read(walk, count, out.count, 1, limits::kMaxWorkers) || !count.present;
  const auto cores = map.get("cores");
  read_cores(walk, cores, out);
  if (counted && !out.cores.empty() && out.cores.size() != out.count)
    walk.mistake(cores, "names " + std::to_string(out.cores.size()) + " cores for " +
                            std::to_string(out.count) +
                            " workers; give one per worker (the same core twice is allowed)");
  read_idle(walk, map.get("idle"), out);
}

void read_timeouts(Walk& walk, const Item& item, Timeouts& out) {
  Map map(walk, item);
  const auto time = [&](const char* key, Duration& value, Duration min, Duration max, bool or_zero = false) {
    read_duration(walk, map.get(key), value, min, max, or_zero);
  };
  time("handshake", out.handshake, seconds(1), minutes(2));
  time("idle", out.idle, seconds(1), hours(24 * 30));
  time("half_closed", out.half_closed, seconds(1), hours(24));
  time("drain", out.drain, milliseconds(100), hours(1), true);
  time("hold", out.hold, milliseconds(100), hours(24), true);
  time("keepalive", out.keepalive, seconds(1), hours(24), true);
  time("user", out.user, seconds(1), hours(24));
  time("time_wait", out.time_wait, seconds(1), minutes(10));
}

void read_limits(Walk& walk, const Item& item, Limits& out) {
  Map map(walk, item);
  read(walk, map.get("connections"), out.connections, 1, 10'000'000);
  read(walk, map.get("handshakes"), out.handshakes, 1, 1'000'000);
  read_size(walk, map.get("buffer_per_connection"), out.buffer_per_connection, 64 * kKiB, 64 * kMiB);
  read(walk, map.get("packet_buffers"), out.packet_buffers, 4'096, 100'000'000);
  read(walk, map.get("mirror_pps"), out.mirror_pps, 1, 10'000'000);
}

void read_socket(Walk& walk, const Item& item, std::string& out) {
  constexpr std::size_t kMaxPath = 107;  // sockaddr_un, its terminator excluded
  std::string path;
  if (!read_text(walk, item, path)) return;
  if (path.front() != '/' || path.back() == '/') {
    walk.mistake(item, quote(path) + " is not the absolute path of a file; write e.g. /run/braid/braid.sock");
  } else if (path.size() > kMaxPath) {
    walk.mistake(item, "path has " + std::to_string(path.size()) +
                           " bytes; a socket's path may have at most " + std::to_string(kMaxPath));
  } else {
    out = std::move(path);
  }
}

}  // namespace

bool read_name(Walk& walk, const Item& item, std::string& out, std::size_t max) {
  std::string name;
  if (!read_text(walk, item, name)) return false;
  const auto fits = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
  const auto right = "must be 1 to " + std::to_string(max) +
                     " letters, digits, '_' or '-', beginning with a letter or digit";
  if (!fits(name.front()) ||
      !std::all_of(name.begin(), name.end(), [&](char c) { return fits(c) || c == '_' || c == '-'; })) {
    walk.mistake(item, quote(name) + " is not a name; " + right);
    return false;
  }
  if (name.size() > max) {
    walk.mistake(item, quote(name) + " has " + std::to_string(name.size()) + " characters; " + right);
    return false;
  }
  out = std::move(name);
  return true;
}

void read_process(Walk& walk, Map& root, Config& out) {
  unsigned version = 1;
  read(walk, root.need("version", "version: 1"), version, 1, 1);
  read_dpdk(walk, root.get("dpdk"), out.dpdk);
  read_workers(walk, root.get("workers"), out.workers);
  read_timeouts(walk, root.get("timeouts"), out.timeouts);
  read_limits(walk, root.get("limits"), out.limits);
}

void read_services(Walk& walk, Map& root, Config& out) {
  {
    Map map(walk, root.get("metrics"));
    read_bool(walk, map.get("enabled"), out.metrics.enabled);
    read_endpoint(walk, map.get("listen"), out.metrics.listen, true);
  }
  {
    Map map(walk, root.get("control"));
    read_socket(walk, map.get("socket"), out.control.socket);
  }
  Map map(walk, root.get("log"));
  read_choice(walk, map.get("level"), out.log.level,
              {LogLevel::error, LogLevel::warn, LogLevel::info, LogLevel::debug});
  read_choice(walk, map.get("format"), out.log.format, {LogFormat::text, LogFormat::json});
  read_bool(walk, map.get("access"), out.log.access);
}

void read_root(Walk& walk, const Item& root, Config& out) {
  Map map(walk, root);
  read_process(walk, map, out);
  read_ports(walk, map, out);
  read_listeners(walk, map, out);
  read_upstreams(walk, map, out);
  read_services(walk, map, out);
}

}  // namespace braid::config
