// Schedulers and mappings with plain values.
#include "mptcp/scheduler.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "mptcp/mapping.hpp"

namespace braid::mptcp {
namespace {

const Scheduler& lowest() { return scheduler(SchedulerKind::lowest_rtt); }

TEST(LowestRtt, TakesTheFastestWithRoom) {
  const std::vector<PathView> paths{{.rtt_us = 30'000, .room = 10'000, .slot = 0},
                                    {.rtt_us = 10'000, .room = 10'000, .slot = 1},
                                    {.rtt_us = 5'000, .room = 1'000, .slot = 2}};
  EXPECT_EQ(lowest().pick(paths, 1400, 1'000'000), 1U);
  EXPECT_EQ(lowest().pick(paths, 1000, 1'000'000), 2U);
  EXPECT_EQ(lowest().pick(paths, 20'000, 1'000'000), std::nullopt);
  EXPECT_EQ(lowest().pick({}, 1, 1'000'000), std::nullopt);
}

TEST(LowestRtt, BackupOnlyWhenNothingElseIsUsable) {
  std::vector<PathView> paths{{.rtt_us = 30'000, .room = 0, .slot = 0},
                              {.rtt_us = 1'000, .room = 10'000, .slot = 1, .backup = true}};
  EXPECT_EQ(lowest().pick(paths, 1400, 1'000'000), std::nullopt)
      << "a full window is no reason to use the backup";
  paths[0].stale = true;
  EXPECT_EQ(lowest().pick(paths, 1400, 1'000'000), 1U);
}

TEST(LowestRtt, NeverAStaleOrExcludedPath) {
  std::vector<PathView> paths{{.rtt_us = 1'000, .room = 10'000, .stale = true},
                              {.rtt_us = 2'000, .room = 10'000, .excluded = true},
                              {.rtt_us = 3'000, .room = 10'000}};
  EXPECT_EQ(lowest().pick(paths, 1400, 1'000'000), 2U);
  paths.pop_back();
  EXPECT_EQ(lowest().pick(paths, 1400, 1'000'000), std::nullopt);
}

TEST(Mapping, TranslatesAcrossTheWrapOfBothSpaces) {
  const Mapping m{DataSeq(0xffff'ffff'ffff'fff0ULL), SubSeq(0xffff'fff8U), 100};
  EXPECT_EQ(m.end(), SubSeq(92));
  EXPECT_TRUE(m.covers(SubSeq(0xffff'fff8U)));
  EXPECT_TRUE(m.covers(SubSeq(91)));
  EXPECT_FALSE(m.covers(SubSeq(92)));
  EXPECT_FALSE(m.covers(SubSeq(0xffff'fff7U)));
  EXPECT_EQ(m.data_at(SubSeq(8)), DataSeq(0));
  EXPECT_EQ(m.data_at(SubSeq(12)), DataSeq(4));
}

TEST(Mapping, AgreementIsAboutTheTranslationNotTheExtent) {
  const Mapping a{DataSeq(1000), SubSeq(1), 500};
  EXPECT_TRUE(a.agrees_with({DataSeq(1100), SubSeq(101), 5}));
  EXPECT_FALSE(a.agrees_with({DataSeq(1101), SubSeq(101), 5}));
}

// ECF: what waits is brought sooner by a path that has no room just now.
TEST(LowestRtt, WaitsForAFasterPathWhenLittleIsLeft) {
  const std::vector<PathView> paths{{.rtt_us = 20'000, .room = 0, .per_rtt = 50'000},
                                    {.rtt_us = 300'000, .room = 9000, .per_rtt = 50'000}};
  EXPECT_EQ(lowest().pick(paths, 1400, 1400), std::nullopt);
  EXPECT_EQ(lowest().pick(paths, 1400, 600'000), std::nullopt) << "13 round trips of 20 ms";
  EXPECT_EQ(lowest().pick(paths, 1400, 800'000), 1U) << "17 of them";
  auto other = paths;
  other[0].stale = true;
  EXPECT_EQ(lowest().pick(other, 1400, 1400), 1U);
  other = paths;
  other[0].excluded = true;
  EXPECT_EQ(lowest().pick(other, 1400, 1400), 1U);
  other = paths;
  other[0].rtt_us = 250'000;
  EXPECT_EQ(lowest().pick(other, 1400, 20'000), 1U) << "not so much faster";
  other = paths;
  other[0].per_rtt = 1000;
  EXPECT_EQ(lowest().pick(other, 1400, 1400), 1U) << "it will never have room for this segment";
  other[0].per_rtt = 0;
  EXPECT_EQ(lowest().pick(other, 1400, 1400), 1U) << "nothing will make room";
}

}  // namespace
}  // namespace braid::mptcp
