// The samples load, the full one writes out the defaults, and the documentation names every key.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "config/load.hpp"

namespace braid::config {
namespace {

const std::filesystem::path kRoot = BRAID_SOURCE_DIR;

std::string slurp(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

TEST(Samples, AllLoad) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kRoot / "config")) {
    if (entry.path().extension() != ".yaml") continue;
    names.insert(entry.path().filename());
    const auto loaded = load_file(entry.path());
    for (const auto& m : loaded.mistakes) ADD_FAILURE() << to_string(m, entry.path());
  }
  for (const char* name : {"minimal.yaml", "hybrid-access.yaml", "two-workers.yaml", "ipv6.yaml",
                           "af_xdp.yaml", "multi-server.yaml"})
    EXPECT_EQ(names.count(name), 1U) << name;
}

TEST(Samples, TheFullOneNamesEveryKey) {
  const auto text = slurp(kRoot / "config/hybrid-access.yaml");
  for (const auto& key : known_keys()) {
    const auto last = key.substr(key.find_last_of('.') + 1);
    EXPECT_NE(text.find(last == "sleep" ? "{sleep:" : last + ":"), std::string::npos) << key;
  }
}

TEST(Samples, TheFullOneSaysTheTruthAboutDefaults) {
  const auto full = load_file(kRoot / "config/hybrid-access.yaml").config;
  const Config defaults;
  EXPECT_EQ(full.dpdk.memory, defaults.dpdk.memory);
  EXPECT_EQ(full.dpdk.file_prefix, defaults.dpdk.file_prefix);
  EXPECT_EQ(full.workers.count, defaults.workers.count);
  EXPECT_EQ(full.workers.idle, defaults.workers.idle);
  EXPECT_EQ(full.ports.at(0).mtu, Port{}.mtu);
  EXPECT_EQ(full.listeners.at(0).mptcp.max_subflows, Mptcp{}.max_subflows);
  EXPECT_EQ(full.listeners.at(0).mptcp.checksum, Mptcp{}.checksum);
  EXPECT_EQ(full.upstreams.at(0).connect_timeout, Upstream{}.connect_timeout);
  const auto times = [](const Timeouts& t) {
    return std::vector<Duration>{t.handshake, t.idle,      t.half_closed, t.drain,
                                 t.hold,      t.keepalive, t.user,        t.time_wait};
  };
  EXPECT_EQ(times(full.timeouts), times(defaults.timeouts));
  EXPECT_EQ(full.limits.connections, defaults.limits.connections);
  EXPECT_EQ(full.limits.handshakes, defaults.limits.handshakes);
  EXPECT_EQ(full.limits.buffer_per_connection, defaults.limits.buffer_per_connection);
  EXPECT_EQ(full.limits.packet_buffers, defaults.limits.packet_buffers);
  EXPECT_EQ(full.limits.mirror_pps, defaults.limits.mirror_pps);
  EXPECT_EQ(full.metrics.listen, defaults.metrics.listen);
  EXPECT_EQ(full.control.socket, defaults.control.socket);
  EXPECT_EQ(full.log.level, defaults.log.level);
  EXPECT_EQ(full.log.access, defaults.log.access);
}

// Rows of docs/configuration.md begin with "| `key` |".
TEST(Documentation, ListsTheKeysTheLoaderKnowsAndNoOther) {
  std::set<std::string> documented;
  std::istringstream lines(slurp(kRoot / "docs/configuration.md"));
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("| `")) documented.insert(line.substr(3, line.find('`', 3) - 3));
  const auto known = known_keys();
  EXPECT_EQ(documented, std::set<std::string>(known.begin(), known.end()));
}

}  // namespace
}  // namespace braid::config
