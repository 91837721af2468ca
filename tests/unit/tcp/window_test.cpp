// How the congestion window grows and shrinks: HyStart++ (RFC 9406), slow start resumed after a loss, the
// rate, PRR (RFC 6937), idle times (RFC 5681 4.1).
#include "tcp/delivery_rate.hpp"
#include "tcp/hystart.hpp"
#include "tcp/prr.hpp"
#include "tcp/resumed_start.hpp"
#include "unit/tcp/fixture.hpp"

namespace braid::kit {
namespace {

using stats::Counter;
using tcp::DeliveryRate;
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

// A path that delivers at most `per_rtt` segments in each round trip of 50 ms.
struct Steady {
  std::uint32_t per_rtt;
  SubSeq una{0xfffff000U};  // across the wrap
  Instant now{1s};

  // A round trip with `window` segments on the way.
  void round(DeliveryRate& d, std::uint32_t window) {
    const SubSeq nxt = una + window * kMss;
    const Duration spacing = Duration(50ms) / std::min(window, per_rtt);
    for (std::uint32_t i = 0; i < window; ++i) {
      una += kMss;
      now += spacing;
      d.on_ack(now, kMss, 50'000, una, nxt + i * kMss);
    }
  }
};

TEST(DeliveryRate, IsTheWindowsWhileItFitsAndThePathsAfterwards) {
  DeliveryRate d;
  Steady path{.per_rtt = 100};
  for (const std::uint32_t window : {20U, 40U, 80U}) {
    for (int i = 0; i < 2; ++i) path.round(d, window);
    EXPECT_NEAR(d.latest(), window * kMss / 50, window);
  }
  for (int i = 0; i < 3; ++i) path.round(d, 300);
  EXPECT_NEAR(d.latest(), 100 * kMss / 50, 20);
}

TEST(DeliveryRate, ABurstIsNoRate) {
  DeliveryRate d;
  SubSeq una(1);
  d.on_ack(Instant(1s), kMss, 50'000, una, una + 10 * kMss);
  for (int i = 0; i < 10; ++i) {
    una += kMss;
    d.on_ack(Instant(1s + 10ms), kMss, 50'000, una, una + 10 * kMss);
  }
  EXPECT_EQ(d.latest(), 10 * kMss / 50);
}

TEST(ResumedStart, EndsWhenTheRateNoLongerFollows) {
  ResumedStart r;
  EXPECT_FALSE(r.on());
  r.on_loss(20 * kMss, true, false);
  std::uint32_t rate = 1000;
  for (int i = 0; i < 20; ++i, rate += rate / 4) {
    r.on_round(rate);
    EXPECT_TRUE(r.on());
  }
  r.on_round(rate);
  for (int i = 0; i < 2; ++i) r.on_round(rate);
  EXPECT_TRUE(r.on());
  r.on_round(rate);
  EXPECT_FALSE(r.on());
}

TEST(ResumedStart, NotWhereThePathWasFull) {
  for (const bool queue : {false, true}) {
    ResumedStart r;
    for (const std::uint32_t rate : {500U, 1000U, 1000U}) r.on_round(rate);
    if (!queue) r.on_round(1000);  // one flat round may be chance, unless the delay says the same
    r.on_loss(20 * kMss, true, queue);
    EXPECT_FALSE(r.on());
  }
}

TEST(ResumedStart, AfterADelayThatWasJitter) {
  ResumedStart r;
  for (const std::uint32_t rate : {500U, 1000U, 2000U}) r.on_round(rate);
  r.on_delay(true);
  EXPECT_TRUE(r.on());
  r.on_round(2000);
  r.on_delay(true);
  EXPECT_FALSE(r.on());
}

TEST(ResumedStart, NotAfterSlowStart) {
  ResumedStart r;
  r.on_loss(20 * kMss, false, false);
  EXPECT_FALSE(r.on());
}

TEST(ResumedStart, GoesOnWhileEachLossFindsALargerWindow) {
  ResumedStart r;
  r.on_loss(20 * kMss, true, false);
  r.on_loss(25 * kMss, false, false);
  EXPECT_TRUE(r.on());
  r.on_loss(30 * kMss, false, false);
  EXPECT_FALSE(r.on());
}

TEST(ResumedStart, AMarkEndsIt) {
  ResumedStart r;
  r.on_loss(20 * kMss, true, false);
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

class Resuming : public TcpTest {
 protected:
  // Of ten segments on the way the first is missing.
  static Options three_sacked(const Remote& c) {
    return [&c](wire::OptionBuffer& o) {
      const wire::SackBlock b{SubSeq(c.initial_of_peer() + 1461), SubSeq(c.initial_of_peer() + 1 + 4 * 1460)};
      o.sack({&b, 1});
    };
  }
};

TEST_F(Resuming, EndsWhenTheRetransmissionIsLostToo) {
  Remote& c = served({.send = 1'000'000, .finish = false});
  c.skip();
  world_->run_for(1ms);
  c.say({.ack = 1, .options = three_sacked(c)});
  world_->run_for(20ms);
  EXPECT_TRUE(connection(c).flight().resumed.on());
  world_->run_for(3s);
  EXPECT_GE(count(Counter::tcp_timeouts), 1U);
  EXPECT_FALSE(connection(c).flight().resumed.on());
}

TEST_F(Resuming, NotWhereAMarkComesWithTheLoss) {
  host_->listen(80, {.send = 1'000'000, .finish = false});
  Remote& c = client();
  c.say(
      {.flags = static_cast<std::uint8_t>(S | wire::kEce | wire::kCwr), .options = [](wire::OptionBuffer& o) {
         o.mss(1460);
         o.sack_permitted();
       }});
  ASSERT_TRUE(c.next(1ms)->has(wire::kEce));
  c.say({});
  world_->run_for(1ms);
  c.skip();
  c.say({.flags = static_cast<std::uint8_t>(A | wire::kEce), .ack = 1, .options = three_sacked(c)});
  world_->run_for(20ms);
  EXPECT_EQ(count(Counter::tcp_fast_recoveries), 1U);
  EXPECT_FALSE(connection(c).flight().resumed.on());
}

}  // namespace
}  // namespace braid::kit
