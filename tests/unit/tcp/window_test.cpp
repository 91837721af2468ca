// How the congestion window grows and shrinks: HyStart++ (RFC 9406), slow start resumed after a loss, PRR
// (RFC 6937), idle times (RFC 5681 4.1).
#include "tcp/hystart.hpp"
#include "tcp/prr.hpp"
#include "tcp/resumed_start.hpp"
#include "unit/tcp/fixture.hpp"

namespace braid::kit {
namespace {

using tcp::HyStart;
using tcp::Prr;
using tcp::ResumedStart;

constexpr std::uint32_t kMss = 1000;

// One round trip of slow start: `segments` acknowledged one by one, each after `rtt_us`. Returns the growth.
std::uint32_t round(HyStart& h, SubSeq& una, std::uint32_t segments, std::uint32_t rtt_us, bool& ended) {
  const SubSeq nxt = una + 2 * segments * kMss;
  std::uint32_t grown = 0;
  for (std::uint32_t i = 0; i < segments; ++i) {
    una += kMss;
    bool ends = false;
    grown += h.on_ack(kMss, rtt_us, una, nxt, kMss, ends);
    ended |= ends;
  }
  return grown;
}

TEST(HyStart, DoublesWhileTheRoundTripStands) {
  HyStart h;
  SubSeq una(0xfffff000U);  // across the wrap
  bool ended = false;
  for (std::uint32_t n = 10; n < 2000; n *= 2) EXPECT_EQ(round(h, una, n, 50'000, ended), n * kMss);
  EXPECT_FALSE(ended);
}

TEST(HyStart, RisingRoundTripsEndSlowStart) {
  HyStart h;
  SubSeq una(1);
  bool ended = false;
  round(h, una, 20, 50'000, ended);
  round(h, una, 40, 50'000, ended);
  round(h, una, 80, 60'000, ended);  // the queue fills
  EXPECT_LE(round(h, una, 100, 62'000, ended), 25 * kMss) << "conservative: a quarter";
  EXPECT_FALSE(ended);
  for (int i = 0; i < 5; ++i) round(h, una, 100, 62'000, ended);
  EXPECT_TRUE(ended);
}

TEST(HyStart, JitterDoesNotEndIt) {
  HyStart h;
  SubSeq una(1);
  bool ended = false;
  round(h, una, 20, 50'000, ended);
  round(h, una, 40, 50'000, ended);
  round(h, una, 80, 60'000, ended);  // one bad round
  round(h, una, 80, 50'000, ended);
  EXPECT_EQ(round(h, una, 100, 50'000, ended), 100 * kMss);
  EXPECT_FALSE(ended);
}

// A path that delivers at most `per_rtt` segments in each round trip of 50 ms, and what of a window grows on
// it.
struct Steady {
  std::uint32_t per_rtt;
  SubSeq una{0xfffff000U};  // across the wrap
  Instant now{1s};

  // One round trip with `window` segments on the way; returns the growth, in bytes.
  std::uint32_t round(ResumedStart& r, std::uint32_t window) {
    const SubSeq nxt = una + window * kMss;
    const Duration spacing = Duration(50ms) / std::min(window, per_rtt);
    std::uint32_t grown = 0;
    for (std::uint32_t i = 0; i < window && r.on(); ++i) {
      una += kMss;
      now += spacing;
      grown += r.on_ack(now, kMss, 50'000, una, nxt + i * kMss);
    }
    return grown;
  }
};

TEST(ResumedStart, GrowsByAQuarterUntilTheRateStands) {
  ResumedStart r;
  EXPECT_FALSE(r.on());
  r.on_loss(20 * kMss, true, 52'000, 50'000);
  ASSERT_TRUE(r.on());
  Steady path{.per_rtt = 100};
  std::uint32_t window = 14 * kMss;
  unsigned rounds = 0;
  for (; r.on() && rounds < 50; ++rounds) window += path.round(r, window / kMss);
  EXPECT_GE(window, 100 * kMss);
  EXPECT_LE(window, 300 * kMss)
      << "three rounds of a quarter each beyond what the path takes, and the one before";
  EXPECT_LT(rounds, 20U);
}

TEST(ResumedStart, NotWhereAQueueStood) {
  ResumedStart r;
  r.on_loss(20 * kMss, true, 75'000, 50'000);
  EXPECT_FALSE(r.on());
  r.on_loss(20 * kMss, true, 4'900, 1'000);
  EXPECT_TRUE(!r.on()) << "4 ms at least";
}

TEST(ResumedStart, NotAfterSlowStart) {
  ResumedStart r;
  r.on_loss(20 * kMss, false, 50'000, 50'000);
  EXPECT_FALSE(r.on());
}

TEST(ResumedStart, GoesOnWhileEachLossFindsALargerWindow) {
  ResumedStart r;
  r.on_loss(20 * kMss, true, 50'000, 50'000);
  r.on_loss(25 * kMss, false, 50'000, 50'000);
  EXPECT_TRUE(r.on());
  r.on_loss(30 * kMss, false, 50'000, 50'000);
  EXPECT_FALSE(r.on());
}

TEST(ResumedStart, AMarkEndsIt) {
  ResumedStart r;
  r.on_loss(20 * kMss, true, 50'000, 50'000);
  r.on_mark();
  EXPECT_FALSE(r.on());
}

TEST(Prr, OneForTwoWhileTheWindowComesDown) {
  Prr p{.flight = 20 * kMss};
  std::uint32_t pipe = 19 * kMss;
  std::uint32_t sent = 0;
  for (int i = 0; i < 18; ++i) {  // half the window: threshold 10
    pipe -= kMss;
    const std::uint32_t out = p.allowance(kMss, pipe, 10 * kMss, false, kMss) / kMss * kMss;
    p.sent += out;
    pipe += out;
    sent += out;
  }
  EXPECT_EQ(sent, 9 * kMss);
  EXPECT_EQ(pipe, 10 * kMss);
}

TEST(Prr, FillsUpToTheThresholdAfterHeavyLoss) {
  Prr p{.flight = 20 * kMss};
  p.sent = kMss;
  EXPECT_EQ(p.allowance(kMss, 3 * kMss, 10 * kMss, false, kMss), kMss)
      << "what was delivered, while more is lost";
  p.sent += kMss;
  EXPECT_EQ(p.allowance(kMss, 3 * kMss, 10 * kMss, true, kMss), 2 * kMss) << "and one more when all is well";
  EXPECT_EQ(p.allowance(50 * kMss, 9 * kMss + 500, 10 * kMss, true, kMss), 500U) << "never beyond";
}

TEST(Prr, TheFirstRetransmissionAlwaysGoes) {
  Prr p{.flight = 100 * kMss};
  EXPECT_EQ(p.allowance(kMss, 98 * kMss, 10 * kMss, false, kMss), kMss);
}

class Window : public TcpTest {};

TEST_F(Window, HalvesWithEveryTimeoutOfIdleTime) {
  Remote& c = served({.echo = true});
  const std::string full(1460, 'x');
  const auto burst = [&](unsigned segments) {  // echoed segments before the first acknowledgement
    for (unsigned i = 0; i < segments; ++i) c.say({.ack = c.heard(), .data = full});
    std::uint32_t echoed = 0;
    while (const auto h = c.next(1ms)) echoed += static_cast<std::uint32_t>(h->data.size());
    const std::uint32_t first = echoed / 1460;
    for (std::uint32_t left = segments * 1460 - echoed; left != 0;) {
      c.say({});
      while (const auto h = c.next(1ms)) left -= static_cast<std::uint32_t>(h->data.size());
    }
    c.say({});
    world_->run_for(1ms);
    return first;
  };
  EXPECT_EQ(burst(60), 10U);
  EXPECT_GE(burst(60), 40U) << "slow start has opened it";
  const std::uint32_t open = connection(c).cwnd();
  world_->run_for(150ms);
  EXPECT_EQ(burst(1), 1U);
  EXPECT_GE(connection(c).cwnd(), open) << "less than a time-out";
  world_->run_for(450ms);  // two time-outs of 200 ms
  EXPECT_EQ(burst(60), open / 4 / 1460);
  world_->run_for(60s);
  EXPECT_EQ(burst(60), 10U);
}

}  // namespace
}  // namespace braid::kit
