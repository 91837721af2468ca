// RTT, congestion control, segments: the parts that are arithmetic.
#include <gtest/gtest.h>

#include <algorithm>
#include <new>
#include <vector>

#include "kit/app.hpp"
#include "kit/eal.hpp"
#include "tcp/congestion.hpp"
#include "tcp/receive_window.hpp"
#include "tcp/rtt.hpp"
#include "tcp/segment.hpp"
#include "wire/checksum.hpp"

namespace braid::tcp {
namespace {

using namespace std::chrono_literals;

TEST(OfferedWindow, MovesByWholeSegmentsRoundedDown) {
  constexpr WindowGrain kGrain{1428, 128};
  EXPECT_EQ(offered_window(0, 1427, kGrain), 0U) << "less than a segment";
  EXPECT_EQ(offered_window(0, 1428, kGrain), 0U) << "of one segment, rounding would leave less than it";
  EXPECT_EQ(offered_window(0, 2856, kGrain), 2816U) << "1428 and 1388";
  EXPECT_EQ(offered_window(0, 4000, kGrain), 2816U) << "no third one that is not whole";
  EXPECT_EQ(offered_window(100, 2956, kGrain), 2944U);
  EXPECT_EQ(offered_window(5000, 3000, kGrain), 5000U) << "the buffer has shrunk; the edge has not";
  EXPECT_EQ(offered_window(0, 5000, {1000, 1}), 5000U);
}

TEST(OfferedWindow, NeverTakesBackAndNeverGivesMoreThanThereIs) {
  std::uint32_t seed = 1;
  const auto draw = [&seed](std::uint32_t below) { return (seed = seed * 1664525 + 1013904223) % below; };
  for (int i = 0; i < 100'000; ++i) {
    const WindowGrain grain{1 + draw(9000), 1U << draw(15)};
    const std::uint32_t standing = draw(1U << (1 + draw(29)));
    const std::uint32_t room = draw(1U << (1 + draw(29)));
    const std::uint32_t offered = offered_window(standing, room, grain);
    ASSERT_GE(offered, standing);
    if (offered == standing) continue;
    ASSERT_LE(offered, room);
    ASSERT_GE(offered - standing, grain.segment);
    ASSERT_EQ(offered % grain.unit, 0U) << "what the field cannot say";
  }
}

TEST(Rtt, FirstSampleAndSmoothing) {
  Rtt r;
  EXPECT_FALSE(r.known());
  EXPECT_EQ(r.rto(), 1s);
  r.sample(100'000);
  EXPECT_EQ(r.srtt(), 100'000U);
  EXPECT_EQ(r.var(), 50'000U);
  EXPECT_EQ(r.rto(), 300ms);
  r.sample(180'000);
  EXPECT_EQ(r.srtt(), 110'000U);  // 7/8 * 100 + 1/8 * 180
  EXPECT_EQ(r.var(), 57'500U);    // 3/4 * 50 + 1/4 * 80
  EXPECT_EQ(r.min(), 100'000U);
}

TEST(Rtt, AQueueShowsAndJitterDoesNot) {
  Rtt r;
  EXPECT_FALSE(r.shows_queue()) << "nothing is known";
  for (int i = 0; i < 50; ++i) r.sample(i % 2 == 0 ? 40'000 : 60'000);
  EXPECT_FALSE(r.shows_queue());
  for (int i = 0; i < 50; ++i) r.sample(100'000);
  EXPECT_TRUE(r.shows_queue());
  Rtt lan;
  lan.sample(100);
  for (int i = 0; i < 50; ++i) lan.sample(1900);
  EXPECT_FALSE(lan.shows_queue()) << "2 ms at least";
}

TEST(Rtt, TimeoutHasFloorBackoffAndCeiling) {
  Rtt r;
  for (int i = 0; i < 100; ++i) r.sample(100);
  EXPECT_EQ(r.rto(), 200ms);
  EXPECT_EQ(r.rto(1), 400ms);
  EXPECT_EQ(r.rto(3), 1600ms);
  EXPECT_EQ(r.rto(200), 60s);
  Rtt slow;
  slow.sample(50'000'000);
  EXPECT_EQ(slow.rto(), 60s);
  slow.sample(0);  // never counts as "no sample"
  EXPECT_TRUE(slow.known());
}

CongestionState started(std::uint32_t cwnd, std::uint32_t ssthresh) {
  CongestionState s;
  s.cwnd = cwnd;
  s.ssthresh = ssthresh;
  return s;
}

TEST(Congestion, InitialWindowOfRfc6928) {
  EXPECT_EQ(initial_window(1460), 14'600U);
  EXPECT_EQ(initial_window(536), 5'360U);
  EXPECT_EQ(initial_window(9000), 18'000U);
}

TEST(Congestion, BothDoublePerRoundInSlowStart) {
  for (const auto kind : {CongestionKind::cubic, CongestionKind::newreno}) {
    const auto& c = congestion_control(kind);
    CongestionState s = started(14'600, 0xffffffff);
    Growth g;
    for (int i = 0; i < 10; ++i) c.on_ack(s, g, {.now = Instant(1s), .mss = 1460, .srtt_us = 50'000}, 1460);
    EXPECT_EQ(s.cwnd, 29'200U);
    c.on_ack(s, g, {.now = Instant(1s), .mss = 1460, .srtt_us = 50'000, .cwnd_limited = false}, 1460);
    EXPECT_EQ(s.cwnd, 29'200U) << "grew although the application held the sender back";
  }
}

TEST(Congestion, NewRenoAddsOneSegmentPerWindow) {
  const auto& c = congestion_control(CongestionKind::newreno);
  CongestionState s = started(14'600, 14'600);
  Growth g;
  for (int i = 0; i < 10; ++i) c.on_ack(s, g, {.now = Instant(1s), .mss = 1460}, 1460);
  EXPECT_EQ(s.cwnd, 16'060U);
  c.on_loss(s, g, {.now = Instant(1s), .mss = 1460, .in_flight = 16'060});
  EXPECT_EQ(s.cwnd, 8'030U);
  EXPECT_EQ(s.ssthresh, 8'030U);
  c.on_timeout(s, g, {.now = Instant(1s), .mss = 1460, .in_flight = 8'030});
  EXPECT_EQ(s.cwnd, 1'460U);
  EXPECT_EQ(s.ssthresh, 4'015U);
}

TEST(Congestion, NeverBelowTwoSegmentsOfThreshold) {
  for (const auto kind : {CongestionKind::cubic, CongestionKind::newreno}) {
    CongestionState s = started(1'460, 5'000);
    Growth g;
    congestion_control(kind).on_loss(s, g, {.now = Instant(1s), .mss = 1460, .in_flight = 1'460});
    EXPECT_EQ(s.ssthresh, 2'920U);
  }
}

// RFC 9438: concave up to the window before the loss, flat there, then convex.
TEST(Congestion, CubicReturnsToItsPlateauAfterK) {
  const auto& c = congestion_control(CongestionKind::cubic);
  constexpr std::uint32_t kMss = 1000;
  CongestionState s = started(200 * kMss, 200 * kMss);
  Growth g;
  Instant now(10s);
  c.on_loss(s, g, {.now = now, .mss = kMss, .srtt_us = 100'000, .in_flight = 200 * kMss});
  EXPECT_EQ(s.cwnd, 140 * kMss);
  // K = cbrt(200 * 0.3 / 0.4) = 5.31 s
  const auto run = [&](Duration d) {
    const Instant end = now + d;
    while (now < end) {
      now += 100ms;
      for (std::uint32_t acked = 0; acked < s.cwnd; acked += kMss)
        c.on_ack(s, g, {.now = now, .mss = kMss, .srtt_us = 100'000}, kMss);
    }
  };
  run(2500ms);
  EXPECT_GT(s.cwnd, 180 * kMss);
  EXPECT_LT(s.cwnd, 200 * kMss);
  run(2800ms);
  EXPECT_NEAR(s.cwnd, 200 * kMss, 4 * kMss);
  run(4000ms);
  EXPECT_GT(s.cwnd, 215 * kMss);
}

TEST(Congestion, CubicIsNoSlowerThanRenoOnShortPaths) {
  const auto& c = congestion_control(CongestionKind::cubic);
  constexpr std::uint32_t kMss = 1000;
  CongestionState s = started(10 * kMss, 10 * kMss);
  Growth g;
  Instant now(10s);
  c.on_loss(s, g, {.now = now, .mss = kMss, .srtt_us = 1'000, .in_flight = 10 * kMss});
  for (int round = 0; round < 1000; ++round) {
    now += 1ms;
    for (std::uint32_t acked = 0; acked < 7 * kMss; acked += kMss)
      c.on_ack(s, g, {.now = now, .mss = kMss, .srtt_us = 1'000}, kMss);
  }
  EXPECT_GT(s.cwnd, 40 * kMss) << "after 1 s at 1 ms the cubic curve alone is still at the plateau";
}

class Segments : public ::testing::Test {
 protected:
  void SetUp() override {
    pool_ = kit::pool();
    before_ = kit::buffers_in_use();
  }
  void TearDown() override { EXPECT_EQ(kit::buffers_in_use(), before_); }

  Segment& make(std::uint16_t length, std::uint16_t odd = 0) {
    rte_mbuf* m = rte_pktmbuf_alloc(pool_);
    if (m == nullptr) throw std::bad_alloc();
    Segment& s = segment_of(m);
    s = Segment{};
    s.payload_offset = static_cast<std::uint16_t>(m->data_off + 54 + odd);
    s.length = length;
    s.seq = SubSeq(1000);
    s.dsn = DataSeq(7000);
    kit::pattern(3, 0, {payload_of(s), length});
    s.sum = wire::ones_sum({payload_of(s), length});
    return s;
  }
  static void expect_sound(Segment& s, std::uint32_t from, std::uint16_t length) {
    EXPECT_EQ(s.length, length);
    EXPECT_EQ(s.seq, SubSeq(1000 + from));
    EXPECT_EQ(s.dsn, DataSeq(7000 + from));
    std::vector<std::byte> want(length);
    kit::pattern(3, from, want);
    EXPECT_TRUE(std::equal(want.begin(), want.end(), payload_of(s)));
    EXPECT_EQ(s.sum % 0xffff, wire::ones_sum(want) % 0xffff) << "from " << from << " length " << length;
  }

  rte_mempool* pool_ = nullptr;
  std::uint32_t before_ = 0;
};

TEST_F(Segments, TrimsKeepBytesNumbersAndSum) {
  for (const std::uint16_t length : {1, 2, 3, 100, 101, 1428}) {
    for (const std::uint16_t n : {0, 1, 2, 3, 50, 51, 99, 100}) {
      if (n > length) continue;
      Segment& front = make(length, n % 2);
      trim_front(front, n);
      expect_sound(front, n, static_cast<std::uint16_t>(length - n));
      free_segment(front);
      Segment& back = make(length);
      trim_back(back, n);
      expect_sound(back, 0, n);
      free_segment(back);
    }
  }
}

TEST_F(Segments, SplitsShareTheBytes) {
  for (const std::uint16_t n : {1, 2, 33, 500, 1427}) {
    Segment& s = make(1428);
    Segment* rest = split_segment(pool_, s, n);
    ASSERT_NE(rest, nullptr);
    expect_sound(s, 0, n);
    expect_sound(*rest, n, static_cast<std::uint16_t>(1428 - n));
    if (rest->length > 1) {
      Segment* third = split_segment(pool_, *rest, 1);
      ASSERT_NE(third, nullptr);
      expect_sound(*third, n + 1U, static_cast<std::uint16_t>(1427 - n));
      free_segment(s);  // the bytes stay as long as one of them needs them
      free_segment(*rest);
      expect_sound(*third, n + 1U, static_cast<std::uint16_t>(1427 - n));
      free_segment(*third);
    } else {
      free_segment(s);
      free_segment(*rest);
    }
  }
}

TEST_F(Segments, SmallOnesAreCopiedTogetherKeepingTheSum) {
  for (const std::uint16_t first : {1, 2, 101, 900}) {
    for (const std::uint16_t second : {1, 2, 33, 512}) {
      Segment& whole = make(static_cast<std::uint16_t>(first + second));
      Segment* rest = split_segment(pool_, whole, first);
      ASSERT_NE(rest, nullptr);
      Segment& into = make(first);
      EXPECT_TRUE(append_small(into, *rest, 1428)) << first << " and " << second;
      expect_sound(into, 0, static_cast<std::uint16_t>(first + second));
      free_segment(into);
      free_segment(whole);
    }
  }
}

TEST_F(Segments, NothingIsAppendedWhereSomebodyReadsOrNoRoomIs) {
  Segment& into = make(1000);
  Segment& small = make(100);
  EXPECT_FALSE(append_small(into, small, 1099)) << "more than the peer takes";
  Segment* reader = clone_segment(pool_, into);
  EXPECT_FALSE(append_small(into, small, 1428)) << "a clone shares the buffer";
  EXPECT_FALSE(append_small(*reader, small, 1428)) << "the clone has no buffer of its own";
  free_segment(*reader);
  Segment& large = make(513);
  EXPECT_FALSE(append_small(into, large, 9000)) << "not small";
  Segment& full = make(1900);
  EXPECT_FALSE(append_small(full, large, 9000)) << "beyond the buffer's end";
  expect_sound(into, 0, 1000);
  for (Segment* s : {&into, &small, &large, &full}) free_segment(*s);
}

TEST_F(Segments, SplitWithoutABufferLeavesTheSegmentAlone) {
  Segment& s = make(1000);
  {
    const kit::Shortage none(0);
    EXPECT_EQ(split_segment(pool_, s, 10), nullptr);
    EXPECT_EQ(clone_segment(pool_, s), nullptr);
  }
  expect_sound(s, 0, 1000);
  free_segment(s);
}

}  // namespace
}  // namespace braid::tcp
