#include "base/seq.hpp"

#include <gtest/gtest.h>

#include "base/random.hpp"
#include "base/time.hpp"

namespace braid {
namespace {

static_assert(!std::is_convertible_v<SubSeq, DataSeq> && !std::is_constructible_v<SubSeq, DataSeq>);
static_assert(!std::is_convertible_v<std::uint32_t, SubSeq>);

TEST(Seq, OrderHoldsAcrossTheWrap) {  // RFC 9293 3.4
  const SubSeq high(0xffff'fff0U);
  const SubSeq low = high + 0x20U;
  EXPECT_EQ(low.raw, 0x10U);
  EXPECT_TRUE(before(high, low));
  EXPECT_TRUE(after(low, high));
  EXPECT_FALSE(before(low, high));
  EXPECT_TRUE(at_or_before(high, high));
  EXPECT_TRUE(at_or_after(high, high));
  EXPECT_EQ(low - high, 0x20);
  EXPECT_EQ(high - low, -0x20);
  EXPECT_EQ(later(high, low), low);
  EXPECT_EQ(earlier(high, low), high);
  EXPECT_EQ((low - 0x20U), high);
}

TEST(Seq, DataSequenceWrapsAt64Bits) {
  const DataSeq high(~0ULL);
  EXPECT_TRUE(before(high, high + 1ULL));
  EXPECT_EQ((high + 1ULL).raw, 0ULL);
}

TEST(Expand, Rule22TakesTheNearestValueOnEitherSide) {
  struct Case {
    std::uint64_t near;
    std::uint32_t low;
    std::uint64_t want;
  };
  for (const auto& c : {Case{0x1'0000'0005, 0xffff'fff0, 0x0'ffff'fff0},  // behind, below the wrap
                        Case{0x1'ffff'fff0, 0x0000'0005, 0x2'0000'0005},  // ahead, above the wrap
                        Case{0x7'1234'5678, 0x1234'5678, 0x7'1234'5678},
                        Case{0xffff'ffff'ffff'fff0, 0x10, 0x10},  // the 64-bit space wraps too
                        Case{0x10, 0xffff'fff0, 0xffff'ffff'ffff'fff0}}) {
    EXPECT_EQ(expand(c.low, DataSeq(c.near)).raw, c.want) << std::hex << c.near;
  }
}

TEST(Expand, IsTheInverseOfTruncationWithin2To31) {
  Rng rng(1);
  for (int i = 0; i < 10'000; ++i) {
    const std::uint64_t near = rng.next();
    const auto distance = static_cast<std::int32_t>(rng.next32());
    const std::uint64_t want = near + static_cast<std::uint64_t>(static_cast<std::int64_t>(distance));
    ASSERT_EQ(expand(static_cast<std::uint32_t>(want), DataSeq(near)).raw, want);
  }
}

TEST(Time, UnitsWrapAndClampAsDocumented) {
  EXPECT_EQ(micros(Instant(std::chrono::seconds(1))), 1'000'000U);
  EXPECT_EQ(millis(Instant(std::chrono::milliseconds(0x1'0000'0002LL))), 2U);
  EXPECT_EQ(micros(Duration(-5000)), 0U);
  EXPECT_EQ(micros(std::chrono::hours(10)), 0xffff'ffffU);
  EXPECT_EQ(from_micros(3), std::chrono::microseconds(3));
}

}  // namespace
}  // namespace braid
