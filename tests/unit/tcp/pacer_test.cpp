// Pacing: how segments are spread, what is made up for, and what counts as held back by the window.
#include "tcp/pacer.hpp"

#include "unit/tcp/fixture.hpp"

namespace braid::kit {
namespace {

using stats::Counter;
using tcp::Pacer;

constexpr std::uint32_t kMss = 1000;
constexpr std::uint32_t kBurst = 2 * kMss;

// Bytes that leave in `span` when somebody looks every `step`.
std::uint64_t carried(const Pacer::Rate& rate, Duration span, Duration step) {
  Pacer pacer;
  std::uint64_t bytes = 0;
  for (Instant now{1s}; now < Instant{1s} + span; now += step)
    for (; pacer.open(now); bytes += kMss) pacer.sent(now, rate, kMss, kBurst);
  return bytes;
}

TEST(Pacer, SpreadsAWindowOverTheRoundTrip) {
  const Pacer::Rate rate{.rtt_us = 100'000, .cwnd = 100 * kMss, .slow_start = false};
  const auto once = static_cast<double>(carried(rate, 10s, 1us));
  EXPECT_NEAR(once, 10 * 1.25e6, 5e4) << "a quarter more than the window in each";
  const Pacer::Rate doubled{.rtt_us = 100'000, .cwnd = 100 * kMss, .slow_start = true};
  EXPECT_NEAR(static_cast<double>(carried(doubled, 10s, 1us)), 10 * 2e6, 5e4);
}

TEST(Pacer, AlarmsThatComeLateCostNothing) {
  const Pacer::Rate rate{.rtt_us = 10'000, .cwnd = 1000 * kMss, .slow_start = false};
  EXPECT_NEAR(static_cast<double>(carried(rate, 1s, 262us)), 1.25e8, 1.25e6);
}

TEST(Pacer, IdleTimeIsNoCreditForALargeBurst) {
  const Pacer::Rate rate{.rtt_us = 100'000, .cwnd = 10 * kMss, .slow_start = false};
  Pacer pacer;
  unsigned burst = 0;
  for (; pacer.open(Instant{10s}); ++burst) pacer.sent(Instant{10s}, rate, kMss, kBurst);
  EXPECT_LE(burst, 4U);
}

TEST(Pacer, WhatLeavesAheadOfItsTimeIsNoDebt) {
  const Pacer::Rate rate{.rtt_us = 1'000'000, .cwnd = 10 * kMss, .slow_start = false};
  Pacer pacer;
  for (unsigned i = 0; i < 1000; ++i) pacer.sent(Instant{10s}, rate, kMss, kBurst);
  EXPECT_LE(pacer.next() - Instant{10s}, rate.time_of(kMss));
}

class Paced : public TcpTest {};

// A window's worth that a single acknowledgement lets out is no burst.
TEST_F(Paced, StretchAckLetsOutNoBurst) {
  host_->listen(80, {.send = 1'000'000, .finish = false});
  Remote& c = client();
  c.say({.flags = S, .options = [](wire::OptionBuffer& o) { o.mss(1460); }});
  c.expect({.flags = S | A});
  world_->run_for(50ms);
  c.say({});
  std::uint32_t upto = 1;
  for (unsigned i = 0; i < 4; ++i) {  // each round trip is 50 ms, acknowledged as a whole
    world_->run_for(50ms);
    while (const auto h = c.next(0ms))
      upto = std::max(upto, h->seq + static_cast<std::uint32_t>(h->data.size()));
    c.say({.ack = upto});
  }
  unsigned most = 0;
  for (unsigned turn = 0; turn < 20; ++turn) {
    world_->run_for(1ms);
    unsigned came = 0;
    while (c.next(0ms)) ++came;
    if (turn > 0) most = std::max(most, came);
  }
  EXPECT_GT(most, 0U);
  EXPECT_LT(most, 12U) << "of some 40 that the window lets out";
}

// RFC 8985 7.2: after an acknowledgement of everything, with more to send, what goes out next is probed for
// in time.
TEST_F(Paced, TailProbeAfterAnAckOfAllWithMoreToSend) {
  Remote& c = served({.send = 100'000, .finish = false});
  for (unsigned i = 0; i < 10; ++i) c.expect({.flags = A, .seq = 1 + i * 1460});
  world_->run_for(1ms);
  c.say({.ack = 1 + 10 * 1460});
  for (unsigned i = 10; i < 20; ++i) c.expect({.flags = A, .seq = 1 + i * 1460});
  world_->run_for(150ms);
  EXPECT_EQ(count(Counter::tcp_tail_probes), 1U);
  EXPECT_EQ(count(Counter::tcp_timeouts), 0U);
}

}  // namespace
}  // namespace braid::kit
