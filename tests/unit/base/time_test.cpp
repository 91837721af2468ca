#include "base/time.hpp"

#include <gtest/gtest.h>

namespace braid {
namespace {

using namespace std::chrono_literals;

TEST(Deadline, IsNeverUntilSet) {
  const Deadline none;
  EXPECT_FALSE(none.set());
  EXPECT_FALSE(none.reached(Instant(1000h)));
  EXPECT_EQ(none.at(Instant(5s)), kNever);
  EXPECT_FALSE(Deadline(kNever, Instant(5s)).set());
}

TEST(Deadline, IsRoundedUpToTheMillisecond) {
  const Instant now(5s);
  const Deadline d(now + 1500us, now);
  EXPECT_FALSE(d.reached(now + 1999us));
  EXPECT_TRUE(d.reached(now + 2ms));
  EXPECT_EQ(d.at(now), now + 2ms);
  EXPECT_EQ(d.at(now + 700us), now + 2ms) << "the same instant, whoever asks when";
}

TEST(Deadline, SurvivesTheWrapOfItsMilliseconds) {
  const Instant now(std::chrono::milliseconds((1LL << 32) - 10));
  const Deadline d(now + 10ms, now);  // exactly where the count is 0
  EXPECT_TRUE(d.set());
  EXPECT_FALSE(d.reached(now + 9ms));
  EXPECT_TRUE(d.reached(now + 11ms));
  const Deadline later(now + 20s, now);
  EXPECT_EQ(later.at(now), now + 20s);
  EXPECT_EQ(later.at(now + 19s), now + 20s);
  EXPECT_TRUE(later.reached(now + 21s));
}

TEST(Deadline, FarAheadIsCutNotWrapped) {
  const Instant now(7s);
  const Deadline d(now + 10000h, now);
  EXPECT_FALSE(d.reached(now + 100h));
  EXPECT_TRUE(d.reached(now + 577h));  // 24 days
}

}  // namespace
}  // namespace braid
