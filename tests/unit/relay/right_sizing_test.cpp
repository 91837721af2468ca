#include "relay/right_sizing.hpp"

#include <gtest/gtest.h>

namespace braid::relay {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kRtt = 50'000;  // us

// A reader that takes `rate` bytes per second, in pieces of a millisecond.
void read(RightSizing& s, Instant& now, std::uint64_t rate, Duration span, bool several = false) {
  for (const Instant end = now + span; now < end; now += 1ms)
    s.passed(now, static_cast<std::uint32_t>(rate / 1000), kRtt, several);
}

TEST(RightSizing, FollowsWhatARoundTripCarries) {
  RightSizing s;
  Instant now{1s};
  read(s, now, 1'000'000, 2s);
  EXPECT_EQ(s.limit(), RightSizing::kInitial) << "which is enough for 50 kB in each";
  read(s, now, 20'000'000, 2s);
  EXPECT_NEAR(s.limit(), 3 * 1e6, 1e5);
  read(s, now, 20'000'000, 2s, true);
  EXPECT_NEAR(s.limit(), 8 * 1e6, 2e5);
}

TEST(RightSizing, NeverShrinks) {
  RightSizing s;
  Instant now{1s};
  read(s, now, 20'000'000, 2s);
  const std::uint32_t most = s.limit();
  read(s, now, 1000, 10s);
  EXPECT_EQ(s.limit(), most);
}

// However much comes at once, and whenever.
TEST(RightSizing, IsBoundedAndSurvivesWraps) {
  RightSizing s;
  s.passed(Instant{1s}, 0xffffffff, 60'000'000, true);
  for (unsigned i = 1; i < 100; ++i) s.passed(Instant{i * 40min}, 0xffffffff, 60'000'000, true);
  EXPECT_LE(s.limit(), 1U << 30);
  EXPECT_GE(s.limit(), RightSizing::kInitial);
}

}  // namespace
}  // namespace braid::relay
