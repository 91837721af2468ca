#include <gtest/gtest.h>

#include <cctype>
#include <set>
#include <string>

#include "stats/worker_stats.hpp"

namespace braid::stats {
namespace {

template <class Id>
void check_descriptions() {
  const auto all = descriptions(Id{});
  ASSERT_EQ(all.size(), Table<Id>::kSize);
  std::set<std::string> names;
  for (const auto& d : all) {
    const std::string name = d.name;
    EXPECT_TRUE(names.insert(name).second) << name;
    EXPECT_FALSE(std::string(d.text).empty()) << name;
    for (const char c : name)
      EXPECT_TRUE(std::islower(static_cast<unsigned char>(c)) != 0 ||
                  std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '_')
          << name;
  }
}

TEST(Descriptions, CoverEveryIdOnce) {
  check_descriptions<Drop>();
  check_descriptions<Counter>();
  check_descriptions<Fallback>();
  check_descriptions<Join>();
  check_descriptions<RstReason>();
}

TEST(Descriptions, BelongToTheirId) {
  EXPECT_STREQ(describe(Drop::paws).name, "paws");
  EXPECT_STREQ(describe(Counter::records_lost).name, "records_lost");
  EXPECT_STREQ(describe(Join::aborted).name, "aborted");
}

// RFC 8684 3.6: the enum's values are the codes on the wire.
TEST(RstReasons, Rule39ValuesAreWireCodes) {
  EXPECT_EQ(static_cast<int>(RstReason::unspecified), 0);
  EXPECT_EQ(static_cast<int>(RstReason::mptcp), 1);
  EXPECT_EQ(static_cast<int>(RstReason::resources), 2);
  EXPECT_EQ(static_cast<int>(RstReason::prohibited), 3);
  EXPECT_EQ(static_cast<int>(RstReason::outstanding), 4);
  EXPECT_EQ(static_cast<int>(RstReason::performance), 5);
  EXPECT_EQ(static_cast<int>(RstReason::middlebox), 6);
}

TEST(Table, CountsEachIdApart) {
  Table<Drop> table;
  table.add(Drop::paws);
  table.add(Drop::paws, 4);
  table.set(Drop::bad_ack, 9);
  for (std::size_t i = 0; i < Table<Drop>::kSize; ++i) {
    const auto id = static_cast<Drop>(i);
    EXPECT_EQ(table[id], id == Drop::paws ? 5U : id == Drop::bad_ack ? 9U : 0U);
  }
}

TEST(Histogram, BoundsAreInclusiveAndTheLastBucketTakesTheRest) {
  Histogram<3> h{{10, 20, 30}};
  for (const std::uint64_t v : {0, 10, 11, 20, 30, 31, 1000}) h.observe(v);
  EXPECT_EQ(h.bucket(0), 2U);
  EXPECT_EQ(h.bucket(1), 2U);
  EXPECT_EQ(h.bucket(2), 1U);
  EXPECT_EQ(h.bucket(3), 2U);
  EXPECT_EQ(h.sum(), 1102U);
  EXPECT_EQ(h.bound(2), 30U);
}

TEST(WorkerStats, HistogramBoundsAscend) {
  const WorkerStats s;
  const auto check = [](const auto& h) {
    for (std::size_t i = 1; i < h.size(); ++i) EXPECT_LT(h.bound(i - 1), h.bound(i));
  };
  check(s.rx_burst);
  check(s.client_rtt_us);
  check(s.server_rtt_us);
  check(s.connect_us);
  check(s.subflows_per_session);
}

}  // namespace
}  // namespace braid::stats
