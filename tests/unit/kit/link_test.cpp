// What a link does to packets, as the simulator and the emulator use it.
#include "kit/link.hpp"

#include <gtest/gtest.h>

#include <set>

#include "kit/profiles.hpp"

namespace braid::kit {
namespace {

// Notes what comes, and when.
class Sink final : public Device {
 public:
  void take(Instant now, unsigned /*port*/, Packet packet) override { came.emplace_back(now, packet.size()); }
  std::vector<std::pair<Instant, std::size_t>> came;
};

struct Bed {
  explicit Bed(const LinkSpec& spec, std::uint64_t seed = 1)
      : world(seed), link(world.link(spec, user, 0, network, 0)) {}
  // One packet each `every`, for `span`, from the network to the user or the other way.
  void stream(Duration every, Duration span, bool up = false) {
    for (const Duration begin = world.elapsed(); world.elapsed() - begin < span; world.run_for(every))
      link.send(up ? user : network, 0, Packet(1000));
    world.run_for(1s);
  }
  World world;
  Sink user, network;
  Link& link;
};

TEST(KitLink, EachDirectionHasItsRate) {
  Bed b({.rate = 8e6, .rate_up = 1e6});
  b.link.send(b.network, 0, Packet(1000));
  b.link.send(b.user, 0, Packet(1000));
  b.world.run_for(1s);
  EXPECT_EQ(b.user.came.at(0).first, b.world.start() + 1ms);
  EXPECT_EQ(b.network.came.at(0).first, b.world.start() + 8ms);
}

TEST(KitLink, JitterKeepsTheOrder) {
  Bed b({.delay = 25ms, .jitter = 8ms});
  b.stream(20ms, 2s);
  ASSERT_EQ(b.user.came.size(), 100U);
  std::set<Duration> delays;
  for (std::size_t i = 0; i < 100; ++i) {
    const Duration delay = b.user.came[i].first - (b.world.start() + i * 20ms);
    EXPECT_GE(delay, 17ms);
    EXPECT_LE(delay, 33ms);
    delays.insert(delay);
  }
  EXPECT_GT(delays.size(), 50U);
  Bed close({.delay = 25ms, .jitter = 8ms});
  close.stream(100us, 100ms);
  for (std::size_t i = 1; i < close.user.came.size(); ++i)
    EXPECT_GE(close.user.came[i].first, close.user.came[i - 1].first);
}

TEST(KitLink, HolesComeByTheClock) {
  Bed b({.hole = 300ms, .hole_every = 15s});
  b.stream(10ms, 30s);
  EXPECT_EQ(b.user.came.size(), 3000U - 60);
  for (const auto& [at, size] : b.user.came) EXPECT_LT((at - b.world.start()) % 15s, 14700ms);
}

TEST(KitLink, FadesTakeTheirPartOfTheTime) {
  Bed b({.fade = 0.1});
  b.stream(1ms, 20s);
  EXPECT_NEAR(static_cast<double>(b.link.lost()), 2000, 400);
  EXPECT_EQ(b.link.lost() % 10, 0U) << "a span takes all of its packets";
}

TEST(KitLink, ProfilesHaveNames) {
  for (const std::string& name : profile_names()) {
    const auto spec = profile(name);
    ASSERT_TRUE(spec.has_value()) << name;
    EXPECT_EQ(spec->name, name);
    Bed b(*spec);
    b.stream(10ms, 1s);
    EXPECT_GT(b.user.came.size(), 80U) << name;
  }
  EXPECT_FALSE(profile("carrier-pigeon"));
}

}  // namespace
}  // namespace braid::kit
