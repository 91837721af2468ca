// What needs no EAL: argument vectors, device arguments, rules, rate limit.
#include <gtest/gtest.h>

#include <algorithm>

#include "dpdk/eal.hpp"
#include "dpdk/error.hpp"
#include "dpdk/port.hpp"
#include "dpdk/silence.hpp"
#include "dpdk/token_bucket.hpp"

namespace braid::dpdk {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t kMiB = 1 << 20;

EalSettings settings() {
  EalSettings s;
  s.main_core = 1;
  s.worker_cores = {2, 2};
  s.memory = 256 * kMiB;
  s.file_prefix = "t";
  s.config_place = "f.yaml";
  return s;
}

bool has(const std::vector<std::string>& v, const std::string& a) {
  return std::find(v.begin(), v.end(), a) != v.end();
}

std::string error_of(const EalSettings& s, std::uint64_t free = 0) {
  try {
    eal_arguments(s, free);
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

TEST(EalArguments, WorkersMayShareACore) {
  const auto a = eal_arguments(settings(), 0);
  EXPECT_TRUE(has(a, "--lcores=0@1,1@2,2@2"));
  EXPECT_TRUE(has(a, "--main-lcore=0"));
  EXPECT_TRUE(has(a, "-m256"));
  EXPECT_TRUE(has(a, "--no-pci"));
}

TEST(EalArguments, HugepagesWhenEnoughAreFree) {
  EXPECT_TRUE(has(eal_arguments(settings(), 255 * kMiB), "--no-huge"));
  const auto enough = eal_arguments(settings(), 256 * kMiB);
  EXPECT_TRUE(has(enough, "--in-memory"));
  EXPECT_FALSE(has(enough, "--no-huge"));
  EalSettings off = settings();
  off.hugepages = Hugepages::off;
  EXPECT_TRUE(has(eal_arguments(off, 256 * kMiB), "--no-huge"));
}

TEST(EalArguments, MissingHugepagesNameTheRemedy) {
  EalSettings s = settings();
  s.hugepages = Hugepages::on;
  EXPECT_NE(error_of(s, 0).find("echo 128 > /proc/sys/vm/nr_hugepages"), std::string::npos) << error_of(s, 0);
}

TEST(EalArguments, PciPortsAreAllowedByName) {
  EalSettings s = settings();
  s.pci_devices = {"0000:3b:00.0"};
  const auto a = eal_arguments(s, 0);
  EXPECT_TRUE(has(a, "--allow=0000:3b:00.0"));
  EXPECT_FALSE(has(a, "--no-pci"));
}

TEST(EalArguments, ClashNamesBothPlaces) {
  for (const char* argument : {"-l", "-l0-3", "-c3", "--lcores=0-1", "--file-prefix=x"}) {
    EalSettings s = settings();
    s.command_arguments = {argument};
    const std::string e = error_of(s);
    EXPECT_NE(e.find("command line"), std::string::npos) << argument << ": " << e;
    EXPECT_NE(e.find("f.yaml"), std::string::npos) << argument << ": " << e;
  }
  EalSettings s = settings();
  s.config_arguments = {"--iova-mode=va"};
  s.command_arguments = {"--iova-mode=pa"};
  EXPECT_NE(error_of(s).find("dpdk.eal"), std::string::npos);
}

TEST(EalArguments, MemoryPerSocketReplacesTheTotal) {
  EalSettings s = settings();
  s.command_arguments = {"--socket-mem=128,128"};
  EXPECT_FALSE(has(eal_arguments(s, 0), "-m256")) << "EAL takes one of them only";
}

TEST(EalArguments, OwnArgumentsFollowAndMayRepeat) {
  EalSettings s = settings();
  s.config_arguments = {"--vdev=net_null0"};
  s.command_arguments = {"--vdev", "net_null1", "--log-level=8", "--in-memory"};
  const auto a = eal_arguments(s, 0);
  ASSERT_GE(a.size(), 5U);
  EXPECT_EQ(a[a.size() - 5], "--vdev=net_null0");
  EXPECT_EQ(a.back(), "--in-memory");
  EXPECT_FALSE(has(a, "--no-huge")) << "the memory mode was chosen by hand";
}

Profile profile(const char* driver) {
  Profile p;
  p.driver = driver;
  return p;
}

TEST(DeviceArguments, AfPacketRingSlotsHoldAWholeFrame) {
  Profile p = profile("net_af_packet");
  p.arguments["blocksz"] = "65536";
  PortSettings s{"a", "net_af_packet", "g1", 2, 2, 1500};
  EXPECT_EQ(device_arguments(s, p, 0), "iface=g1,qpairs=2,framesz=2048,blocksz=65536");
  s.mtu = 9000;
  EXPECT_EQ(device_arguments(s, p, 0), "iface=g1,qpairs=2,framesz=16384,blocksz=65536");
  EXPECT_EQ(data_room(1500, p), 2048 + 128);
  EXPECT_EQ(data_room(9000, p), 16384 + 128);
  p.arguments["framesz"] = "4096";
  EXPECT_EQ(device_arguments(s, p, 0), "iface=g1,qpairs=2,blocksz=65536,framesz=4096");
}

TEST(DeviceArguments, OneDevicePerQueue) {
  Profile p = profile("net_af_xdp");
  p.device_per_queue = true;
  const PortSettings s{"a", "net_af_xdp", "g1", 2, 2, 1500};
  EXPECT_EQ(device_arguments(s, p, 1), "iface=g1,start_queue=1,queue_count=1");
}

TEST(DeviceArguments, RingHasNone) {
  EXPECT_EQ(device_arguments({"a", "net_ring", "r", 1, 1, 1500}, profile("net_ring"), 0), "");
}

TEST(Silence, RulesCleanUpWhatWasLeftBehind) {
  const std::string rules = silence_rules("braid_a", "g1", true);
  EXPECT_LT(rules.find("delete table netdev braid_a"), rules.find("table netdev braid_a {"));
  EXPECT_NE(rules.find("hook ingress device \"g1\""), std::string::npos);
  EXPECT_NE(rules.find("hook egress device \"g1\""), std::string::npos);
  EXPECT_EQ(silence_rules("braid_a", "g1", false).find("egress"), std::string::npos);
}

TEST(TokenBucket, HoldsTheRate) {
  TokenBucket b(1000);
  const Instant t0 = Instant{} + seconds(10);
  unsigned passed = 0;
  for (int i = 0; i < 10'000; ++i) passed += b.take(t0) ? 1 : 0;
  EXPECT_EQ(passed, 100U) << "a burst of a tenth of a second";
  passed = 0;
  for (int ms = 1; ms <= 1000; ++ms) {
    for (int i = 0; i < 10; ++i) passed += b.take(t0 + milliseconds(ms)) ? 1 : 0;
  }
  EXPECT_EQ(passed, 1000U);
}

TEST(TokenBucket, NothingPassesAtRateZero) {
  TokenBucket b(0);
  EXPECT_FALSE(b.take(Instant{} + seconds(1)));
  EXPECT_FALSE(b.take(Instant{} + seconds(1000)));
}

}  // namespace
}  // namespace braid::dpdk
