#include "kit/bottleneck.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "kit/world.hpp"

namespace braid::kit {
namespace {

constexpr Instant kStart{5s};

TEST(Bottleneck, UnlimitedLetsPassAtOnce) {
  Bottleneck b({}, kStart);
  for (unsigned i = 0; i < 1000; ++i) EXPECT_EQ(b.pass(kStart, 1500), kStart);
}

TEST(Bottleneck, PacketsLeaveAtTheRate) {
  Bottleneck b({.rate = 12e6}, kStart);  // 1,500 bytes in 1 ms
  EXPECT_EQ(b.pass(kStart, 1500), kStart + 1ms);
  EXPECT_EQ(b.pass(kStart, 1500), kStart + 2ms);
  EXPECT_EQ(b.pass(kStart + 10ms, 750), kStart + 10500us) << "idle time is not saved up";
}

TEST(Bottleneck, QueueIsBoundedInBytes) {
  Bottleneck b({.rate = 12e6, .queue_bytes = 3000}, kStart);
  EXPECT_TRUE(b.pass(kStart, 1500));
  EXPECT_TRUE(b.pass(kStart, 1500));
  EXPECT_FALSE(b.pass(kStart, 1));
  EXPECT_EQ(b.pass(kStart + 1ms, 1500), kStart + 3ms) << "the refused one has taken no time";
}

TEST(Bottleneck, QueueIsBoundedInPackets) {
  Bottleneck b({.rate = 12e6, .queue_packets = 2}, kStart);
  EXPECT_TRUE(b.pass(kStart, 15));
  EXPECT_TRUE(b.pass(kStart, 15));
  EXPECT_FALSE(b.pass(kStart, 15));
  EXPECT_TRUE(b.pass(kStart + 10us, 15));
}

TEST(Bottleneck, TraceGivesOpportunities) {
  const auto trace = std::make_shared<const Trace>(Trace{{2, 2, 10}});
  Bottleneck b({.trace = trace}, kStart);
  EXPECT_EQ(b.pass(kStart, 1000), kStart + 2ms);
  EXPECT_EQ(b.pass(kStart, 500), kStart + 2ms) << "shares an opportunity";
  EXPECT_EQ(b.pass(kStart, 1500), kStart + 2ms);
  EXPECT_EQ(b.pass(kStart, 3000), kStart + 12ms) << "the last of this period and the first of the next";
  EXPECT_EQ(b.pass(kStart + 105ms, 100), kStart + 110ms) << "what passed unused is gone";
  EXPECT_EQ(b.pass(kStart + 105ms, 1500), kStart + 112ms);
}

TEST(Bottleneck, MobileTraceWandersAboutItsMean) {
  const Trace t = Trace::mobile(30e6, 1);
  EXPECT_TRUE(std::is_sorted(t.at_ms.begin(), t.at_ms.end()));
  EXPECT_EQ(t.at_ms.back(), 60'000U);
  const double mean = static_cast<double>(t.at_ms.size()) * Trace::kOpportunity * 8 / 60;
  EXPECT_GT(mean, 0.6 * 30e6);
  EXPECT_LT(mean, 1.2 * 30e6);
  std::vector<unsigned> per_second(61);
  for (const auto ms : t.at_ms) ++per_second[ms / 1000];
  const auto [low, high] = std::minmax_element(per_second.begin(), per_second.end() - 1);
  EXPECT_GT(*high, 2 * *low) << "it wanders";
  EXPECT_EQ(Trace::mobile(30e6, 1).at_ms, t.at_ms);
  EXPECT_NE(Trace::mobile(30e6, 2).at_ms, t.at_ms);
}

}  // namespace
}  // namespace braid::kit
