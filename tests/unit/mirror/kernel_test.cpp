// The mirror against the running kernel, in a network namespace of the test process itself. Without the
// privilege to make one, the tests say so and are skipped.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "mirror/error.hpp"
#include "mirror/route_watcher.hpp"
#include "mirror/tap_device.hpp"

namespace braid::mirror {
namespace {

const Mac kMac{{2, 0, 0, 0, 0, 1}};
const Mac kPeerMac{{2, 0, 0, 0, 0, 2}};
constexpr Ip kPeer = Ip::v4(0xc6120002);

class Kernel : public testing::Test {
 protected:
  void SetUp() override {
    home_ = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "no privilege to make a network namespace";
    if (access("/dev/net/tun", R_OK | W_OK) != 0) GTEST_SKIP() << "no /dev/net/tun";
  }
  void TearDown() override {
    EXPECT_EQ(setns(home_, CLONE_NEWNET), 0);
    close(home_);
  }
  static TapSettings settings() {
    return {"t",
            kMac,
            1400,
            {{Ip::v4(0xc6120001), 24}, {Ip::v6(0x20010db800000000, 1), 64}},
            {Ip::v4(0xc61200fe)},
            100};
  }
  // Takes events until `done`; each wait ends with the kernel's next message.
  template <class Done>
  static void follow(RouteWatcher& watcher, Done done) {
    for (int i = 0; i < 200 && !done(); ++i) {
      pollfd p{watcher.fd(), POLLIN, 0};
      if (poll(&p, 1, 5000) == 0) break;
      watcher.receive();
    }
    EXPECT_TRUE(done());
  }

 private:
  int home_ = -1;
};

TEST_F(Kernel, DeviceComesUpConfiguredAndVanishes) {
  {
    const TapDevice tap(settings());
    RouteWatcher watcher({{0, tap.index()}});
    const auto table = watcher.snapshot(Instant{});
    ASSERT_TRUE(table);
    EXPECT_TRUE(table->is_local(Ip::v4(0xc6120001)));
    EXPECT_TRUE(table->is_local(Ip::v6(0x20010db800000000, 1)));
    const auto far = table->resolve(Ip::v4(0xc6130001));
    ASSERT_TRUE(far);
    EXPECT_EQ(far->next, Ip::v4(0xc61200fe));
    EXPECT_EQ(far->mtu, 1400);
    EXPECT_EQ(far->source, kMac);
    EXPECT_THROW(TapDevice second(settings()), Error) << "the name is taken";
  }
  const TapDevice again(settings());
  EXPECT_EQ(again.name(), "braid-t");
}

TEST_F(Kernel, ImpossibleGatewayIsAnErrorAndLeavesNothing) {
  TapSettings s = settings();
  s.gateways = {Ip::v4(0xc6130001)};
  try {
    const TapDevice tap(s);
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("198.19.0.1"), std::string::npos) << e.what();
  }
  s.gateways.clear();
  EXPECT_NO_THROW(TapDevice{s});
}

TEST_F(Kernel, KernelResolvesANeighbourOnRequest) {
  const TapDevice tap(settings());
  RouteWatcher watcher({{0, tap.index()}});
  ASSERT_TRUE(watcher.resolve(0, kPeer));
  // The kernel's ARP request comes out of the device; the answer goes in.
  std::array<std::byte, 2048> frame{};
  std::size_t bytes = 0;
  for (int i = 0; i < 100; ++i) {
    pollfd p{tap.fd(), POLLIN, 0};
    ASSERT_EQ(poll(&p, 1, 5000), 1);
    bytes = tap.read(frame);
    if (bytes >= 42 && frame[12] == std::byte{8} && frame[13] == std::byte{6})
      break;  // others are the kernel's NDP
  }
  ASSERT_GE(bytes, 42U);
  std::array<std::byte, 42> answer{};
  std::copy_n(frame.begin(), answer.size(), answer.begin());
  const auto put = [&](std::size_t at, const Mac& mac) {
    for (std::size_t i = 0; i < 6; ++i) answer[at + i] = std::byte{mac.bytes[i]};
  };
  put(0, kMac);
  put(6, kPeerMac);
  answer[21] = std::byte{2};                                 // reply
  std::copy_n(frame.begin() + 22, 10, answer.begin() + 32);  // asker becomes target
  put(22, kPeerMac);
  std::copy_n(frame.begin() + 38, 4, answer.begin() + 28);
  const iovec piece{answer.data(), answer.size()};
  ASSERT_TRUE(tap.write({&piece, 1}));
  follow(watcher, [&] { return watcher.mac_of(0, kPeer) == kPeerMac; });
  const auto settled = watcher.take_settled();
  ASSERT_FALSE(settled.empty());
  EXPECT_EQ(settled.back().mac, kPeerMac);
  EXPECT_TRUE(watcher.snapshot(Instant{})->resolve(kPeer)->resolved);
}

TEST_F(Kernel, LinkStateTakesRoutesAway) {
  const TapDevice tap(settings());
  RouteWatcher watcher({{0, tap.index()}});
  Instant now{};
  const auto reachable = [&] {
    now += RouteWatcher::kRebuildPause;
    const auto table = watcher.snapshot(now);
    return table ? std::optional(table->resolve(kPeer).has_value()) : std::nullopt;
  };
  EXPECT_EQ(reachable(), true);
  std::optional<bool> state;
  const auto becomes = [&](bool wanted) {
    return [&, wanted] {
      if (const auto s = reachable()) state = s;
      return state == wanted;
    };
  };
  tap.set_carrier(false);
  follow(watcher, becomes(false));
  tap.set_carrier(true);
  follow(watcher, becomes(true));
}

}  // namespace
}  // namespace braid::mirror
