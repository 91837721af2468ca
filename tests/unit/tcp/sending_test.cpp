// What a connection sends: loss recovery, probes, time-outs, every order of closing.
#include "unit/tcp/fixture.hpp"

namespace braid::kit {
namespace {

using stats::Counter;

constexpr std::uint64_t kPlenty = 100'000;

class Sending : public TcpTest {
 protected:
  // Ten full segments are on their way.
  Remote& first_flight(bool sack = true) {
    Remote& c = served({.send = kPlenty, .finish = false}, sack);
    for (unsigned i = 0; i < 10; ++i) c.expect({.flags = A, .seq = 1 + i * 1460, .length = 1460});
    return c;
  }
  static Options sacked(const Remote& c, std::uint32_t from, std::uint32_t to) {
    return [&c, from, to](wire::OptionBuffer& o) {
      const wire::SackBlock b{SubSeq(c.initial_of_peer() + from), SubSeq(c.initial_of_peer() + to)};
      o.sack({&b, 1});
    };
  }
};

TEST_F(Sending, InitialWindowIsTenSegments) {
  Remote& c = first_flight();
  c.quiet(1ms);
  c.say({.ack = 1 + 2 * 1460});  // two are through: four more in slow start
  for (unsigned i = 10; i < 14; ++i) c.expect({.flags = A, .seq = 1 + i * 1460});
  c.quiet(1ms);
}

TEST_F(Sending, SackedHoleIsRetransmittedAtOnce) {
  Remote& c = first_flight();
  world_->run_for(1ms);
  c.say({.ack = 1, .options = sacked(c, 1461, 1 + 4 * 1460)});
  const Heard h = c.expect({.flags = A, .seq = 1, .length = 1460}, 0ms, 15ms);
  EXPECT_FALSE(h.data.empty());
  EXPECT_EQ(count(Counter::tcp_fast_recoveries), 1U);
  EXPECT_EQ(count(Counter::tcp_timeouts), 0U);
}

TEST_F(Sending, RecoveryBegunByTheReorderingTimerSendsOneSegment) {  // RFC 6937 3: the others per ACK
  host_->listen(80, {.send = kPlenty, .finish = false});
  Remote& c = client();
  c.say({.flags = S, .options = [](wire::OptionBuffer& o) {
           o.mss(1460);
           o.sack_permitted();
         }});
  c.expect({.flags = static_cast<std::uint8_t>(S | A), .seq = 0, .ack = 1});
  world_->run_for(20ms);
  c.say({});
  for (unsigned i = 0; i < 10; ++i) c.expect({.flags = A, .seq = 1 + i * 1460, .length = 1460});
  world_->run_for(20ms);
  c.say({.ack = 1, .options = sacked(c, 1 + 9 * 1460, 1 + 10 * 1460)});
  c.expect({.flags = A, .seq = 1 + 10 * 1460});  // what the SACKed one has made room for
  c.quiet(3ms);  // a quarter of the round trip may be reordering (RFC 8985 6.2 step 4)
  c.expect({.flags = A, .seq = 1, .length = 1460}, 0ms, 5ms);
  c.quiet(10ms);
  EXPECT_EQ(count(Counter::tcp_fast_recoveries), 1U);
}

TEST_F(Sending, ThreeDuplicatesWithoutSack) {
  Remote& c = first_flight(false);
  world_->run_for(5ms);
  for (unsigned i = 0; i < 2; ++i) {  // limited transmit (RFC 3042)
    c.say({.ack = 1});
    c.expect({.flags = A, .seq = 1 + (10 + i) * 1460, .length = 1460});
    c.quiet(1ms);
  }
  c.say({.ack = 1});
  c.expect({.flags = A, .seq = 1, .length = 1460});
  EXPECT_EQ(count(Counter::tcp_fast_recoveries), 1U);
  c.say({.ack = 1461});  // a partial acknowledgement condemns the next one (RFC 6582)
  bool again = false;
  while (const auto h = c.next(1ms)) again |= h->seq == 1461;
  EXPECT_TRUE(again);
}

TEST_F(Sending, TailProbeComesBeforeTheTimeout) {  // RFC 8985 7
  Remote& c = served({.send = 1000, .finish = false});
  c.expect({.flags = A, .seq = 1, .length = 1000});
  c.expect({.flags = A, .seq = 1, .length = 1000}, 40ms, 100ms);
  EXPECT_EQ(count(Counter::tcp_tail_probes), 1U);
  EXPECT_EQ(count(Counter::tcp_timeouts), 0U);
}

constexpr auto kFinAck = static_cast<std::uint8_t>(F | A);

TEST_F(Sending, TailProbeRepeatsTheEndWithItsFin) {  // RFC 8985 7.3
  Remote& c = served({.send = 1000});
  c.expect({.flags = A, .seq = 1, .length = 1000});
  c.expect({.flags = kFinAck, .seq = 1001, .length = 0});
  c.expect({.flags = kFinAck, .seq = 1, .length = 1000}, 40ms, 100ms);
  EXPECT_EQ(count(Counter::tcp_tail_probes), 1U);
  EXPECT_EQ(count(Counter::tcp_timeouts), 0U);
  c.say({.flags = kFinAck, .ack = 1002});
  c.expect({.flags = A, .ack = 2});
  EXPECT_EQ(connection(c).state(), tcp::State::time_wait);
}

TEST_F(Sending, TailProbeRepeatsTheFinThatAloneIsMissing) {
  Remote& c = served({.send = 1000});
  c.expect({.flags = A, .seq = 1, .length = 1000});
  c.expect({.flags = kFinAck, .seq = 1001, .length = 0});
  c.say({.ack = 1001});
  c.expect({.flags = kFinAck, .seq = 1001, .length = 0}, 40ms, 100ms);
  EXPECT_EQ(count(Counter::tcp_tail_probes), 1U);
  EXPECT_EQ(count(Counter::tcp_timeouts), 0U);
  c.expect({.flags = kFinAck, .seq = 1001, .length = 0}, 150ms, 400ms);  // one probe; then the time-out
  EXPECT_EQ(count(Counter::tcp_tail_probes), 1U);
  EXPECT_EQ(count(Counter::tcp_timeouts), 1U);
  c.say({.flags = kFinAck, .ack = 1002});
  c.expect({.flags = A, .ack = 2});
}

TEST_F(Sending, TailProbeRepeatsWhenTheWindowTakesNothingNew) {  // RFC 8985 7.3
  Remote& c = client();
  c.window = 3000;
  host_->listen(80, {.send = kPlenty, .finish = false});
  c.handshake(1460, true, false, 0);
  c.skip_empty();
  for (const std::uint32_t seq : {1U, 1461U}) c.expect({.flags = A, .seq = seq, .length = 1460});
  c.quiet(1ms);
  c.expect({.flags = A, .seq = 1461, .length = 1460}, 1ms, 20ms);
  EXPECT_EQ(count(Counter::tcp_tail_probes), 1U);
  EXPECT_EQ(count(Counter::tcp_timeouts), 0U);
}

TEST_F(Sending, TimeoutBacksOffAndRestartsFromOneSegment) {
  Remote& c = first_flight(false);
  c.expect({.flags = A, .seq = 1, .length = 1460}, 190ms, 20ms);
  for (const Duration after : {390ms, 790ms}) {  // in two pieces: the path might swallow large segments only
    c.expect({.flags = A, .seq = 1, .length = 1240}, after, 20ms);
    c.expect({.flags = A, .seq = 1241, .length = 220});
  }
  EXPECT_EQ(count(Counter::tcp_timeouts), 3U);
  EXPECT_EQ(connection(c).cwnd(), 1460U);
  c.say({.ack = 1461});
  c.expect({.flags = A, .seq = 1461});
}

TEST_F(Sending, MeasurementBySackEndsTheBackoff) {  // RFC 6298 5 (7)
  Remote& c = first_flight();
  while (count(Counter::tcp_timeouts) < 4) world_->run_for(10ms);
  while (c.next(0ms)) {
  }
  c.say({.ack = 1, .options = sacked(c, 1 + 4 * 1460, 1 + 6 * 1460)});  // sent once, 3 s ago
  bool again = false;
  const Instant end = world_->now() + 20s;
  while (!again && world_->now() < end)
    if (const auto h = c.next(1s)) again = h->seq == 1;
  EXPECT_TRUE(again) << "still waits the time-out that was doubled four times";
}

// Thousands of segments on the way, of which an acknowledgement may make us pass a bounded number, over all
// of its blocks (CVE-2019-11478).
class LongFlight : public Sending {
 protected:
  static constexpr std::uint32_t kTiny = 536;  // the least segment there is

  void begin() {
    c_ = &client();
    host_->listen(80, {.send = 40'000'000, .finish = false, .ahead = 4'000'000});
    c_->handshake(kTiny, true, false, 7);
    for (unsigned i = 0; i < 200 && connection(*c_).cwnd() < 2100 * kTiny;
         ++i) {  // more and more are on the way
      take_all();
      c_->say({.ack = c_->heard()});
    }
    una_ = c_->heard();
    take_all();
    segments_ = (c_->heard() - una_) / kTiny;
    ASSERT_GT(segments_, 2000U);
  }
  // Whether something is taken for lost when these have been reported.
  bool report(std::initializer_list<std::uint32_t> places) {
    std::vector<wire::SackBlock> blocks;
    for (const std::uint32_t n : places) {
      const SubSeq begin = SubSeq(c_->initial_of_peer()) + (una_ + n * kTiny);
      blocks.push_back({begin, begin + kTiny});
    }
    c_->say({.ack = una_, .options = [blocks](wire::OptionBuffer& o) { o.sack(blocks); }});
    world_->run_for(1ms);
    return count(Counter::tcp_fast_recoveries) != 0;
  }
  void take_all() {
    while (c_->next(1ms)) {
    }
  }
  Remote* c_ = nullptr;
  std::uint32_t una_ = 0;
  std::uint32_t segments_ = 0;
};

TEST_F(LongFlight, BlocksTooFarAwayAreNotLookedForAtOnce) {
  begin();
  EXPECT_FALSE(report({1800, 1700, 1600})) << "too far";
  EXPECT_TRUE(report({400, 401, 402}));
}

TEST_F(LongFlight, BlocksTooFarAwayAreFoundByAndBy) {
  begin();
  EXPECT_FALSE(report({1800, 1801, 1802}));
  unsigned more = 0;
  while (more < 4 && !report({1800, 1801, 1802})) ++more;
  EXPECT_LT(more, 4U);
}

TEST_F(LongFlight, EndIsFoundAtOnce) {  // where a tail loss probe's answer is
  begin();
  report({segments_ - 1});
  world_->run_for(10ms);
  EXPECT_NE(count(Counter::tcp_fast_recoveries), 0U);
}

TEST_F(Sending, WhatArrivedBeforeASilenceIsNoMeasurementOfIt) {
  Remote& c = first_flight();
  world_->run_for(5s);
  ASSERT_GE(count(Counter::tcp_timeouts), 2U);
  const std::uint32_t before = connection(c).rtt().srtt();
  while (c.next(0ms)) {
  }
  c.say({.ack = 1 + 10 * 1460});  // all had arrived; only its acknowledgements were lost
  world_->run_for(1ms);
  EXPECT_LE(connection(c).rtt().srtt(), before + 1000);
}

TEST_F(Sending, ReceiverThatReneges) {  // RFC 2018 8
  Remote& c = first_flight();
  c.say({.ack = 1, .options = sacked(c, 1461, 1 + 4 * 1460)});
  world_->run_for(1ms);
  c.skip();
  c.say({.ack = 1461});  // up to a segment that was reported, and no report of it any more
  bool again = false;
  const Instant end = world_->now() + 5s;
  while (!again && world_->now() < end)
    if (const auto h = c.next(1s)) again = h->seq == 1461;
  EXPECT_TRUE(again);
}

TEST_F(Sending, InOrderAcksAreNoReordering) {  // RFC 8985 6.2 step 4: else every recovery waits
  Remote& c = first_flight();
  world_->run_for(20ms);
  c.say({.ack = 1 + 3 * 1460});
  world_->run_for(0ms);
  c.skip();
  c.say({.ack = 1 + 3 * 1460, .options = sacked(c, 1 + 4 * 1460, 1 + 8 * 1460)});
  c.expect({.flags = A, .seq = 1 + 3 * 1460}, 0ms, 1ms);
}

TEST_F(Sending, ThirdDuplicateCountsOnce) {  // RFC 6582 3.2
  Remote& c = first_flight(false);
  world_->run_for(5ms);
  for (int i = 0; i < 3; ++i) c.say({.ack = 1});
  c.expect({.flags = A, .seq = 1, .length = 1460});
  c.skip();
  for (int i = 0; i < 5; ++i) c.say({.ack = 1, .data = "up"});
  unsigned again = 0;
  while (const auto h = c.next(1ms)) again += h->seq == 1 && !h->data.empty() ? 1 : 0;
  EXPECT_EQ(again, 0U);
}

TEST_F(Sending, NothingIsTimedOnceTheFinIsAcknowledged) {
  Remote& c = served({.send = 1000});
  c.expect({.flags = A, .seq = 1, .length = 1000});
  c.expect({.flags = F | A});
  c.say({.seq = 101, .ack = 1002, .data = "out of order, so that something is held"});
  world_->run_for(30s);
  EXPECT_EQ(count(Counter::tcp_timeouts), 0U);
}

TEST_F(Sending, UserTimeoutEndsTheConnection) {
  host_->timeouts.user = 20s;
  Remote& c = first_flight();
  std::optional<Heard> last;
  while (auto h = c.next(60s)) last = std::move(h);
  ASSERT_TRUE(last.has_value());
  EXPECT_TRUE(last->has(R));
  EXPECT_EQ(program().failure(), tcp::Failure::timed_out);
}

TEST_F(Sending, ClosedWindowIsProbedUntilItOpens) {
  host_->listen(80, {.send = 5000, .finish = false});
  Remote& c = client();
  c.window = 0;
  c.say({.flags = S, .options = [](wire::OptionBuffer& o) { o.mss(1460); }});
  c.expect({.flags = S | A});
  c.say({});
  for (int i = 0; i < 3; ++i) {
    const auto probe = c.next(5s);
    ASSERT_TRUE(probe.has_value()) << "no window probe";
    EXPECT_EQ(probe->data.size(), 0U);
    c.say({});
  }
  EXPECT_GE(count(Counter::tcp_zero_window_probes), 3U);
  c.window = 1000;
  c.say({});
  const Heard h = c.expect({.flags = A, .seq = 1});
  EXPECT_EQ(h.data.size(), 1000U) << "an idle sender fills what is open";
}

TEST_F(Sending, SmallWindowIsNeverExceeded) {
  host_->listen(80, {.send = 20'000, .finish = false});
  Remote& c = client();
  c.window = 3000;
  c.say({.flags = S, .options = [](wire::OptionBuffer& o) { o.mss(1460); }});
  c.expect({.flags = S | A});
  c.say({});
  std::uint32_t acked = 1;
  while (acked < 20'001) {
    const auto h = c.next(10s);
    ASSERT_TRUE(h.has_value()) << "stuck at " << acked;
    EXPECT_LE(h->seq + h->data.size(), acked + 3000);
    acked = c.heard();
    c.say({});
  }
}

TEST_F(Sending, LostSegmentBehindALostFinIsRetransmitted) {
  Remote& c = served({.send = 1460});  // data and FIN, both lost, again and again
  c.expect({.flags = A, .seq = 1, .length = 1460});
  c.expect({.flags = F | A, .seq = 1461});
  unsigned data = 0;
  for (int i = 0; i < 8; ++i) {
    const auto h = c.next(20s);
    ASSERT_TRUE(h.has_value());
    data += h->data.empty() ? 0 : 1;
  }
  EXPECT_GE(data, 4U) << "the FIN's unit held the data back";
  c.say({.ack = 1461});
  const auto h = c.next(60s);
  ASSERT_TRUE(h.has_value());
  EXPECT_TRUE(h->has(F));
}

TEST_F(Sending, CloseByUsFirst) {
  Remote& c = served({.send = 10});
  c.expect({.flags = A, .length = 10});
  c.expect({.flags = F | A, .seq = 11});
  EXPECT_EQ(connection(c).state(), tcp::State::fin_wait_1);
  c.say({});
  world_->run_for(0ms);
  EXPECT_EQ(connection(c).state(), tcp::State::fin_wait_2);
  c.say({.data = "still talking"});
  c.expect({.flags = A, .ack = 14}, 0ms, 50ms);
  c.say({.flags = F | A});
  c.expect({.flags = A, .ack = 15});
  EXPECT_EQ(connection(c).state(), tcp::State::time_wait);
  EXPECT_TRUE(program().ended_cleanly());
  world_->run_for(500ms);
  c.say({.flags = F | A, .seq = 14});  // repeated: acknowledged again, and the wait begins anew
  c.expect({.flags = A, .ack = 15});
  world_->run_for(900ms);
  EXPECT_TRUE(exists(c));
  c.say({.flags = R});  // RFC 1337
  world_->run_for(0ms);
  EXPECT_TRUE(exists(c));
  world_->run_for(200ms);
  EXPECT_FALSE(exists(c));
}

TEST_F(Sending, CloseByThePeerFirst) {
  Remote& c = served({.send = 10, .finish_after_peer = true});
  c.expect({.flags = A, .length = 10});
  c.say({.flags = F | A});
  const Heard fin = c.expect({.flags = F | A, .seq = 11, .ack = 2});
  EXPECT_EQ(connection(c).state(), tcp::State::last_ack);
  c.say({.ack = fin.seq + 1});
  world_->run_for(0ms);
  EXPECT_FALSE(exists(c));
  EXPECT_TRUE(program().ended_cleanly());
}

TEST_F(Sending, BothCloseAtOnce) {
  Remote& c = served({});
  c.expect({.flags = F | A, .seq = 1, .ack = 1});
  c.say({.flags = F | A, .ack = 1});  // crossing ours
  c.expect({.flags = A, .ack = 2});
  EXPECT_EQ(connection(c).state(), tcp::State::closing);
  c.say({.ack = 2});
  world_->run_for(0ms);
  EXPECT_EQ(connection(c).state(), tcp::State::time_wait);
  EXPECT_TRUE(program().ended_cleanly());
}

TEST_F(Sending, FinIsRetransmitted) {
  Remote& c = served({});
  c.expect({.flags = F | A, .seq = 1});
  c.expect({.flags = F | A, .seq = 1}, 50ms, 20ms);  // the tail loss probe
  c.expect({.flags = F | A, .seq = 1}, 190ms, 20ms);
  c.expect({.flags = F | A, .seq = 1}, 390ms, 20ms);
}

TEST_F(Sending, DataAfterTheProgramIsGoneIsReset) {  // RFC 1122 4.2.2.13
  Remote& c = served({.abort_after_received = 3});
  c.expect({.flags = F | A});
  c.say({.data = "abc"});
  EXPECT_TRUE(c.next(1ms)->has(R));
  c.say({.data = "more"});
  EXPECT_TRUE(c.next(1ms)->has(R)) << "and by a host that no longer knows it";
}

// RFC 9293 3.8.6.2.1: a window much smaller than the peer ever had is no reason for a small segment before
// the persist timer has fired.
TEST_F(Sending, SillyWindowIsNotFilledAtOnce) {
  Remote& c = served({.send = 100'000, .finish = false}, true, false, 0);
  std::uint32_t upto = 1;
  while (const auto h = c.next(1ms)) upto = h->seq + static_cast<std::uint32_t>(h->data.size());
  c.say({.ack = upto, .window = 100});
  c.quiet(150ms);
  const auto h = c.next(2s);
  ASSERT_TRUE(h.has_value());
  std::size_t sent = h->data.size();
  while (const auto more = c.next(1ms)) sent += more->data.size();
  EXPECT_EQ(sent, 100U);
}

}  // namespace
}  // namespace braid::kit
