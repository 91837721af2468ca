// Each mistake an operator can make gets its own message, at its own place, and hides no other.
#include "config/load.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

namespace braid::config {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr const char* kPorts = "ports: [{name: wan, device: net_af_packet:e1, addresses: [198.18.0.1/24]}]\n";
constexpr const char* kListeners = "listeners: [{name: web, bind: 198.18.0.1:80, upstream: origin}]\n";
constexpr const char* kUpstreams = "upstreams: [{name: origin, servers: [{address: 198.18.0.20:80}]}]\n";

std::string base() { return std::string("version: 1\n") + kPorts + kListeners + kUpstreams; }

// All messages, one per line.
std::string messages(const std::string& yaml) {
  std::string out;
  for (const auto& m : load_text(yaml, "f").mistakes) out += to_string(m, "f") + "\n";
  return out;
}

Config good(const std::string& yaml) {
  const auto loaded = load_text(yaml, "f");
  EXPECT_TRUE(loaded.ok()) << messages(yaml);
  return loaded.config;
}

// The base configuration with line `more` after it has exactly one mistake.
struct Wrong {
  const char* more;
  const char* message;
};
class OneMistake : public testing::TestWithParam<Wrong> {};
TEST_P(OneMistake, IsNamedWithItsPlace) {
  const auto loaded = load_text(base() + GetParam().more + "\n", "f");
  ASSERT_EQ(loaded.mistakes.size(), 1U) << messages(base() + GetParam().more);
  EXPECT_EQ(to_string(loaded.mistakes[0], "f"), std::string("f:") + GetParam().message);
}
INSTANTIATE_TEST_SUITE_P(
    Values, OneMistake,
    testing::Values(
        Wrong{"extra: 1",
              "5:1: extra: unknown key; known here: version, dpdk, workers, timeouts, limits, ports, "
              "listeners, "
              "upstreams, metrics, control, log"},
        Wrong{"worker: {}", "5:1: worker: unknown key; did you mean \"workers\"?"},
        Wrong{"version: 1", "5:1: version: key is given twice (first in line 1); keep one of them"},
        Wrong{"workers: {count: 017}",
              "5:18: workers.count: \"017\" is not a number; must be a whole number from 1 to 16, without "
              "leading zeros"},
        Wrong{"workers: {count: 00}",
              "5:18: workers.count: \"00\" is not a number; must be a whole number from 1 to 16, without "
              "leading zeros"},
        Wrong{"workers: {count: \"2\"}",
              "5:18: workers.count: \"2\" is not a number; must be a whole number from 1 to 16, without "
              "quotes"},
        Wrong{"workers: {count: 17}",
              "5:18: workers.count: 17 is out of range; must be a whole number from 1 to 16"},
        Wrong{"workers: {count: [1]}", "5:18: workers.count: is a list; must be a whole number from 1 to 16"},
        Wrong{"workers: {count: 2, cores: 1}",
              "5:28: workers.cores: names 1 cores for 2 workers; give one per worker (the same core twice is "
              "allowed)"},
        Wrong{"workers: {cores: x}",
              "5:18: workers.cores: \"x\" is no list of cores; must be e.g. \"1,2\", 2-5 or [1, 2], each "
              "below 1024"},
        Wrong{"workers: {idle: sleep}", "5:17: workers.idle: sleep needs a time; write {sleep: 50us}"},
        Wrong{"workers: {idle: {sleep: 1s}}",
              "5:25: workers.idle.sleep: 1s is out of range; must be from 1us to 10ms"},
        Wrong{"workers: {idle: [spin]}",
              "5:17: workers.idle: is a list; must be spin, pause or {sleep: 50us}"},
        Wrong{"timeouts: [1]", "5:11: timeouts: is a list; must be a mapping (key: value)"},
        Wrong{"timeouts: {idle: 60}",
              "5:18: timeouts.idle: \"60\" is not a duration; must be a number with us, ms, s, m or h, from "
              "1s to 720h"},
        Wrong{"timeouts: {idle: 0s}", "5:18: timeouts.idle: 0s is out of range; must be from 1s to 720h"},
        Wrong{"metrics:", "5:1: metrics: has no value; give one or remove the key"},
        Wrong{"metrics: {enabled: yes}",
              "5:20: metrics.enabled: \"yes\" is neither true nor false; write true or false"},
        Wrong{"metrics: {listen: 9464}",
              "5:19: metrics.listen: \"9464\" is not an address and port; must be e.g. 198.18.0.1:80 or "
              "\"[2001:db8::1]:80\""},
        Wrong{
            "metrics: {listen: \"198.18.0.1:80\"}",
            "5:19: metrics.listen: 198.18.0.1:80 is where listener \"web\" waits; choose another address or "
            "port"},
        Wrong{"control: {socket: run/braid.sock}",
              "5:19: control.socket: \"run/braid.sock\" is not the absolute path of a file; write e.g. "
              "/run/braid/braid.sock"},
        Wrong{"log: {level: warning}",
              "5:14: log.level: \"warning\" is not known here; must be error, warn, info or debug"},
        Wrong{"log: {level: inf}",
              "5:14: log.level: \"inf\" is not known here; must be error, warn, info or debug (did you mean "
              "info?)"},
        Wrong{"dpdk: {memory: 100MB}",
              "5:16: dpdk.memory: \"100MB\" is not a size; must be a number of bytes or one with KiB, MiB or "
              "GiB, from "
              "64MiB to 1024GiB"},
        Wrong{"dpdk: {eal: [\"--proc-type=secondary\"]}",
              "5:14: dpdk.eal[0]: \"--proc-type=secondary\" would keep Braid from serving; remove it"},
        Wrong{"dpdk: {eal: [\"--help\"]}",
              "5:14: dpdk.eal[0]: \"--help\" would keep Braid from serving; remove it"},
        Wrong{"dpdk: {eal: [-l, \"1\"]}",
              "5:14: dpdk.eal[0]: \"-l\" clashes with what Braid sets itself; use workers.cores instead"},
        Wrong{"limits: {buffer_per_connection: 65MiB}",
              "5:33: limits.buffer_per_connection: 65MiB is out of range; must be from 64KiB to 64MiB"}));

// A whole section is replaced, and the message is somewhere among those reported.
struct WrongSection {
  const char* ports;
  const char* listeners;
  const char* upstreams;
  const char* message;
};
class InSection : public testing::TestWithParam<WrongSection> {};
TEST_P(InSection, IsReported) {
  const auto& p = GetParam();
  const auto yaml = std::string("version: 1\n") + (p.ports != nullptr ? p.ports : kPorts) + "\n" +
                    (p.listeners != nullptr ? p.listeners : kListeners) + "\n" +
                    (p.upstreams != nullptr ? p.upstreams : kUpstreams) + "\n";
  EXPECT_THAT(messages(yaml), HasSubstr(p.message));
}
INSTANTIATE_TEST_SUITE_P(
    Ports, InSection,
    testing::Values(
        WrongSection{"ports: []", nullptr, nullptr, "f:2:8: ports: is an empty list; give at least one port"},
        WrongSection{"ports: [{device: net_tap:t0}]", nullptr, nullptr,
                     "f:2:9: ports[0].name: is missing; add e.g. `name: wan`"},
        WrongSection{"ports: [{name: tenletters, device: net_tap:t0}]", nullptr, nullptr,
                     "ports[0].name: \"tenletters\" has 10 characters; must be 1 to 9"},
        WrongSection{"ports: [{name: a/b, device: net_tap:t0}]", nullptr, nullptr, "\"a/b\" is not a name"},
        WrongSection{"ports: [{name: a, device: net_af_paket:e1}]", nullptr, nullptr,
                     "driver \"net_af_paket\" is unknown; did you mean \"net_af_packet\"?"},
        WrongSection{"ports: [{name: a, device: net_tap}]", nullptr, nullptr, "names no interface"},
        WrongSection{"ports: [{name: a, device: \"3b:00.0\"}]", nullptr, nullptr,
                     "lacks the PCI domain; write 0000:3b:00.0"},
        WrongSection{"ports: [{name: a, device: eth1}]", nullptr, nullptr, "\"eth1\" is no device"},
        WrongSection{"ports: [{name: a, device: net_tap:t0}, {name: a, device: net_tap:t0}]", nullptr,
                     nullptr, "ports[1].name: name is already used at ports[0].name"},
        WrongSection{"ports: [{name: a, device: net_tap:t0}, {name: b, device: net_tap:t0}]", nullptr,
                     nullptr, "ports[1].device: device is already used at ports[0].device"},
        WrongSection{"ports: [{name: a, device: net_af_xdp:t0}, {name: b, device: net_af_packet:t0}]",
                     nullptr, nullptr, "ports[1].device: device is already used at ports[0].device"},
        WrongSection{"ports: [{name: a, device: net_tap:t0, mtu: 1200, addresses: [\"2001:db8::1/64\"]}]",
                     nullptr, nullptr, "ports[0].mtu: 1200 is too small for IPv6; must be at least 1280"},
        WrongSection{"ports: [{name: a, device: net_tap:t0, queues: 2}]", nullptr, nullptr,
                     "ports[0].queues: 2 queues for 1 workers"},
        WrongSection{"ports: [{name: a, device: net_tap:t0, addresses: [198.18.0.1]}]", nullptr, nullptr,
                     "has no prefix length; write e.g. 198.18.0.1/24"},
        WrongSection{"ports: [{name: a, device: net_tap:t0, addresses: [198.18.0.0/24]}]", nullptr, nullptr,
                     "is the subnet's network address"},
        WrongSection{"ports: [{name: a, device: net_tap:t0, addresses: [198.18.0.255/24]}]", nullptr, nullptr,
                     "is the subnet's broadcast address"},
        WrongSection{"ports: [{name: a, device: net_tap:t0, addresses: [198.18.0.1/24, 198.18.0.1/25]}]",
                     nullptr, nullptr,
                     "ports[0].addresses[1]: address is already used at ports[0].addresses[0]"},
        WrongSection{"ports: [{name: a, device: net_tap:t0, addresses: [\"::ffff:198.18.0.1/120\"]}]",
                     nullptr, nullptr, "ports[0].addresses[0]"},
        WrongSection{
            "ports: [{name: a, device: net_tap:t0, addresses: [198.18.0.1/24], gateways: [198.18.1.9]}]",
            nullptr, nullptr, "198.18.1.9 is in none of the port's subnets"},
        WrongSection{
            "ports: [{name: a, device: net_tap:t0, addresses: [198.18.0.1/24], gateways: [198.18.0.255]}]",
            nullptr, nullptr,
            "ports[0].gateways[0]: 198.18.0.255 is the first or last address of its subnet"},
        WrongSection{"ports: [{name: a, device: net_af_packet:lo}]", nullptr, nullptr,
                     "ports[0].device: lo is the loopback device"},
        WrongSection{
            "ports: [{name: a, device: net_tap:t0, addresses: [198.18.0.1/24], gateways: [198.18.0.1]}]",
            nullptr, nullptr, "198.18.0.1 is the port's own address"},
        WrongSection{
            "ports: [{name: a, device: net_tap:t0, addresses: [198.18.0.1/24], gateways: [\"fe80::1\"]}]",
            nullptr, nullptr, "is an IPv6 gateway, but the port has no IPv6 address"},
        WrongSection{
            "ports: [{name: a, device: net_tap:t0, addresses: [198.18.0.1/24], gateways: [198.18.0.2, "
            "198.18.0.3]}]",
            nullptr, nullptr, "is the port's second IPv4 gateway"},
        WrongSection{"ports: [{},{},{},{},{},{},{},{},{}]", nullptr, nullptr,
                     "ports[8]: list has 9 entries; at most 8 are allowed"}));
INSTANTIATE_TEST_SUITE_P(
    Listeners, InSection,
    testing::Values(
        WrongSection{nullptr, "", nullptr, "listeners: is missing; add e.g."},
        WrongSection{nullptr, "listeners: [{name: a, bind: 198.18.0.1:80, upstream: orign}]", nullptr,
                     "listeners[0].upstream: no upstream is named \"orign\"; did you mean \"origin\"?"},
        WrongSection{nullptr, "listeners: [{name: a, bind: [], upstream: origin}]", nullptr,
                     "listeners[0].bind: is an empty list"},
        WrongSection{nullptr, "listeners: [{name: a, bind: 0.0.0.0:80, upstream: origin}]", nullptr,
                     "0.0.0.0:80 names no single host"},
        WrongSection{nullptr, "listeners: [{name: a, bind: 198.18.0.1, upstream: origin}]", nullptr,
                     "has no port; write e.g. 198.18.0.1:80"},
        WrongSection{nullptr, "listeners: [{name: a, bind: 198.18.0.1:0, upstream: origin}]", nullptr,
                     "has port 0; must be a port from 1 to 65535"},
        WrongSection{nullptr, "listeners: [{name: a, bind: \"2001:db8::1\", upstream: origin}]", nullptr,
                     "has no port, or no brackets; write e.g. \"[2001:db8::1]:80\""},
        WrongSection{nullptr, "listeners: [{name: a, bind: \"[2001:db8::1]:80\", upstream: origin}]", nullptr,
                     "is an IPv6 address, but no port has one"},
        WrongSection{
            nullptr, "listeners: [{name: a, bind: [198.18.0.1:80, 198.18.0.1:80], upstream: origin}]",
            nullptr, "listeners[0].bind[1]: address and port is already used at listeners[0].bind[0]"},
        WrongSection{
            nullptr,
            "listeners: [{name: a, bind: 198.18.0.1:80, upstream: origin}, {name: a, bind: 198.18.0.1:80, "
            "upstream: origin}]",
            nullptr, "listeners[1].bind[0]: address and port is already used at listeners[0].bind[0]"},
        WrongSection{
            nullptr,
            "listeners: [{name: a, bind: 198.18.0.1:80, upstream: origin, mptcp: {max_subflows: 9}}]",
            nullptr, "mptcp.max_subflows: 9 is out of range; must be a whole number from 1 to 8"},
        WrongSection{nullptr,
                     "listeners: [{name: a, bind: 198.18.0.1:80, upstream: origin, mptcp: "
                     "{refuse_initial_join: true}}]",
                     nullptr, "no client could ever join; give join_address too"},
        WrongSection{nullptr,
                     "listeners: [{name: a, bind: 198.18.0.1:80, upstream: origin, mptcp: {announce: x}}]",
                     nullptr, "\"x\" is not an address and port"},
        WrongSection{nullptr,
                     "listeners: [{name: a, bind: 198.18.0.1:80, upstream: origin, congestion: reno}]",
                     nullptr, "must be cubic or newreno"},
        WrongSection{nullptr, "listeners: [{name: a, bind: 198.18.0.1:80, upstream: origin, dscp: 64}]",
                     nullptr, "listeners[0].dscp: 64 is out of range; must be a whole number from 0 to 63"},
        WrongSection{nullptr, "listeners: [{name: a, bind: 198.18.0.1:80, upstream: origin, ttl: 0}]",
                     nullptr, "listeners[0].ttl: 0 is out of range; must be a whole number from 1 to 255"}));
INSTANTIATE_TEST_SUITE_P(
    Upstreams, InSection,
    testing::Values(
        WrongSection{nullptr, nullptr, "upstreams: [{name: origin, servers: []}]",
                     "upstreams[0].servers: is an empty list; give at least one server"},
        WrongSection{nullptr, nullptr, "upstreams: [{name: origin, servers: [{adress: 198.18.0.20:80}]}]",
                     "servers[0].adress: unknown key; did you mean \"address\"?"},
        WrongSection{nullptr, nullptr, "upstreams: [{name: origin, servers: [7]}]",
                     "upstreams[0].servers[0]: is a single value; must be a mapping"},
        WrongSection{nullptr, nullptr, "upstreams: [{name: origin, servers: [{address: 198.18.0.1:80}]}]",
                     "is where listener \"web\" waits"},
        WrongSection{
            nullptr, nullptr,
            "upstreams: [{name: origin, servers: [{address: 198.18.0.2:80}, {address: 198.18.0.2:80}]}]",
            "servers[1].address: server is already used at upstreams[0].servers[0].address"},
        WrongSection{nullptr, nullptr,
                     "upstreams: [{name: origin, servers: [{address: \"[2001:db8::2]:80\"}]}]",
                     "is an IPv6 server, but no port has an IPv6 address"},
        WrongSection{
            nullptr, nullptr,
            "upstreams: [{name: origin, source: 198.18.0.1, servers: [{address: \"[2001:db8::2]:80\"}]}]",
            "is an IPv6 server, but source has no IPv6 address"},
        WrongSection{nullptr, nullptr,
                     "upstreams: [{name: origin, dscp: EF, servers: [{address: 198.18.0.2:80}]}]",
                     "upstreams[0].dscp"},
        WrongSection{nullptr, nullptr,
                     "upstreams: [{name: origin, ttl: 256, servers: [{address: 198.18.0.2:80}]}]",
                     "upstreams[0].ttl: 256 is out of range; must be a whole number from 1 to 255"}));

TEST(Load, ReportsAllMistakesInTheFilesOrder) {
  const auto loaded = load_text(
      "log: {level: loud, acess: true}\nversion: 2\nports: [{name: \"\", device: x}]\nlisteners: 3\n", "f");
  std::vector<std::string> paths;
  for (const auto& m : loaded.mistakes) paths.push_back(m.path);
  EXPECT_EQ(paths, (std::vector<std::string>{"upstreams", "log.level", "log.acess", "version",
                                             "ports[0].name", "ports[0].device", "listeners"}));
}

TEST(Load, FillsInDefaultsThatDependOnOthers) {
  const auto c = good(base() + "workers: {count: 3, cores: \"2-4\", idle: {sleep: 50us}}\n");
  EXPECT_EQ(c.ports[0].queues, 3U);
  EXPECT_EQ(c.workers.cores, (std::vector<unsigned>{2, 3, 4}));
  EXPECT_EQ(c.workers.idle, Idle::sleep);
  EXPECT_EQ(c.workers.sleep, std::chrono::microseconds(50));
  EXPECT_EQ(c.listeners[0].upstream_index, 0U);
  EXPECT_EQ(c.ports[0].driver(), "net_af_packet");
  EXPECT_EQ(c.ports[0].target(), "e1");
}

TEST(Load, AnnouncesTheJoinAddressUnlessToldOtherwise) {
  const std::string head = "listeners: [{name: a, bind: 198.18.0.1:80, upstream: origin, mptcp: {";
  const auto with = [&](const std::string& mptcp) {
    return good(std::string("version: 1\n") + kPorts + head + mptcp + "}}]\n" + kUpstreams)
        .listeners[0]
        .mptcp;
  };
  EXPECT_THAT(with("").announce, IsEmpty());
  const Ip join = Ip::v4(0xc612000b);
  EXPECT_EQ(with("join_address: 198.18.0.11").announce, (std::vector<Endpoint>{{join, 0}}));
  const auto own = with("join_address: 198.18.0.11, announce: [198.18.0.12, \"[2001:db8::1]:8080\"]");
  EXPECT_EQ(own.join_address, (std::vector<Ip>{join}));
  EXPECT_EQ(own.announce,
            (std::vector<Endpoint>{{Ip::v4(0xc612000c), 0}, *parse_endpoint("[2001:db8::1]:8080")}));
}

TEST(Load, KnowsPciDevices) {
  const auto c = good(std::string("version: 1\nports: [{name: a, device: \"0000:3b:00.0\"}]\n") + kListeners +
                      kUpstreams);
  EXPECT_EQ(c.ports[0].driver(), "pci");
  EXPECT_EQ(c.ports[0].target(), "0000:3b:00.0");
}

TEST(Load, SyntaxErrorsHaveTheirPlace) {
  EXPECT_THAT(messages("a: [1,\n"), StartsWith("f:2:1: is no YAML: end of sequence flow not found"));
  EXPECT_THAT(messages("a: 1\n b: 2\n"), StartsWith("f:2:"));
  EXPECT_THAT(messages("---\na: 1\n---\nb: 1\n"), HasSubstr("second YAML document"));
  EXPECT_THAT(messages(""), HasSubstr("is empty"));
  EXPECT_THAT(messages("# nothing\n"), HasSubstr("is empty"));
  EXPECT_THAT(messages("[1]"), HasSubstr("is a list; must be a mapping"));
  EXPECT_THAT(messages("just words"), HasSubstr("is a single value; must be a mapping"));
  EXPECT_THAT(messages("a: 1\nb: \x01\n"), StartsWith("f:2:4: byte \"\\x01\" is a control character"));
  EXPECT_THAT(messages(std::string(200'000, '[')), HasSubstr("nested too deeply"));
  EXPECT_THAT(messages("? [1, 2]\n: 3\n"), HasSubstr("key is a list; must be a word"));
}

TEST(Load, SurvivesEveryTruncationAndOneByteChange) {
  std::ifstream in(BRAID_SOURCE_DIR "/config/multi-server.yaml");
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  ASSERT_FALSE(text.empty());
  for (std::size_t n = 0; n < text.size(); n += 7) {
    const auto whole_lines = load_text(text.substr(0, n), "f");
    for (const auto& m : whole_lines.mistakes) EXPECT_FALSE(m.text.empty());
  }
  for (std::size_t i = 0; i < text.size(); i += 5)
    for (const char c : {'{', ':', '-', '&', '*', '!', '\t', '"', '\xff'}) {
      auto changed = text;
      changed[i] = c;
      load_text(changed, "f");
    }
}

TEST(LoadFile, SaysWhatIsWrongWithTheFile) {
  const auto first = [](const std::string& file) {
    const auto loaded = load_file(file);
    return loaded.mistakes.size() == 1 ? to_string(loaded.mistakes[0], file) : "not one mistake";
  };
  EXPECT_EQ(first("/nonexistent/x.yaml"),
            "/nonexistent/x.yaml: cannot be read: No such file or directory; give the path of a YAML file");
  EXPECT_EQ(first("/tmp"), "/tmp: is a directory; give the path of a YAML file");
  EXPECT_EQ(first("/dev/null"), "/dev/null: is empty; start from config/minimal.yaml");
  const auto huge = std::filesystem::temp_directory_path() / ("braid-huge-" + std::to_string(getpid()));
  std::ofstream(huge) << std::string(kMaxFileBytes + 1, '#');
  EXPECT_THAT(first(huge), HasSubstr("is larger than 1MiB"));
  EXPECT_THAT(first("/dev/zero"), HasSubstr("is larger than 1MiB"));
  std::filesystem::remove(huge);
}

}  // namespace
}  // namespace braid::config
