// What configuration and port profiles show only together.
#include "fit.hpp"

#include <gtest/gtest.h>

namespace braid::daemon {
namespace {

config::Loaded load(const std::string& more, const std::string& port = "") {
  return config::load_text(R"(version: 1
ports: [{name: wan, device: "net_af_packet:eth0", addresses: [198.18.0.10/24])" +
                               port + R"(}]
listeners: [{name: web, bind: 198.18.0.10:80, upstream: origin}]
upstreams: [{name: origin, servers: [{address: "198.18.0.2:80"}]}]
)" + more,
                           "f.yaml");
}

dpdk::Profile paired() {
  dpdk::Profile p;
  p.driver = "net_af_packet";
  p.paired_queues = true;
  return p;
}

std::vector<std::string> misfits(const config::Loaded& loaded, const dpdk::Profile& p = paired()) {
  EXPECT_TRUE(loaded.ok()) << config::to_string(loaded.mistakes.at(0), "f.yaml");
  std::vector<std::string> out;
  for (const auto& m : check_fit(loaded, {p})) out.push_back(config::to_string(m, "f.yaml"));
  return out;
}

using Lines = std::vector<std::string>;

TEST(Fit, DefaultsFit) { EXPECT_EQ(misfits(load("")), Lines{}); }

TEST(Fit, EveryWorkerNeedsBuffersForAllQueues) {
  // A queue pair of 512 each, and 1,024 to work with.
  EXPECT_EQ(misfits(load("workers: {count: 2}\nlimits: {packet_buffers: 4096}\n")), Lines{});
  EXPECT_EQ(
      misfits(load("workers: {count: 3}\nlimits: {packet_buffers: 6143}\n")),
      Lines{"f.yaml:6:26: limits.packet_buffers: 6143 are too few for 3 workers and the queues of these "
            "ports; must be at least 6144"});
}

TEST(Fit, BuffersMustFitIntoMemory) {
  const auto lines = misfits(load("dpdk: {memory: 64MiB}\n"));
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_TRUE(lines[0].starts_with("f.yaml:5:16: dpdk.memory: 65536 packet buffers of ")) << lines[0];
  const auto both = misfits(load("dpdk: {memory: 64MiB}\nlimits: {packet_buffers: 30000}\n"));
  ASSERT_EQ(both.size(), 1U);
  EXPECT_TRUE(both[0].starts_with("f.yaml:6:26: limits.packet_buffers: 30000 ")) << both[0];
}

TEST(Fit, TheMemoryAskedForIsEnough) {
  const auto lines = misfits(load("dpdk: {memory: 64MiB}\n"));
  ASSERT_EQ(lines.size(), 1U);
  const std::string from = "at least ";
  const auto at = lines[0].find(from) + from.size();
  const std::string size = lines[0].substr(at, lines[0].find(' ', at) - at);
  EXPECT_EQ(misfits(load("dpdk: {memory: " + size + "}\n")), Lines{});
}

TEST(Fit, LargerFramesTakeMoreMemory) {
  EXPECT_EQ(misfits(load("dpdk: {memory: 256MiB}\n")), Lines{});
  EXPECT_EQ(misfits(load("dpdk: {memory: 256MiB}\n", ", mtu: 9000")).size(), 1U);
}

TEST(Fit, PairedQueuesAreOnePerWorker) {
  const auto loaded = load("workers: {count: 2}\n", ", queues: 1");
  EXPECT_EQ(misfits(loaded),
            Lines{"f.yaml:2:88: ports[0].queues: 1 queues, but net_af_packet has its queues in "
                  "pairs, one per worker; must be workers.count (2)"});
  dpdk::Profile free = paired();
  free.paired_queues = false;
  EXPECT_EQ(misfits(loaded, free), Lines{});
}

}  // namespace
}  // namespace braid::daemon
