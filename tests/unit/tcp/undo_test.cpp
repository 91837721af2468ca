// Needless retransmissions: found by timestamps (RFC 3522) and D-SACK (RFC 2883), taken back (RFC 4015).
#include "unit/tcp/fixture.hpp"

namespace braid::kit {
namespace {

using stats::Counter;

constexpr std::uint64_t kPlenty = 100'000;
constexpr std::uint32_t kFull = 1460;
constexpr std::uint32_t kStamped = 1448;  // payload of a full segment with timestamps

class Undo : public TcpTest {
 protected:
  static Options blocks(const Remote& c,
                        std::initializer_list<std::pair<std::uint32_t, std::uint32_t>> list) {
    std::vector<wire::SackBlock> out;
    for (const auto& [from, to] : list)
      out.push_back({SubSeq(c.initial_of_peer() + from), SubSeq(c.initial_of_peer() + to)});
    return [out](wire::OptionBuffer& o) { o.sack(out); };
  }
  // Ten segments on their way, then the time-out's retransmission of the first. Returns the timestamp of the
  // originals.
  std::uint32_t time_out(Remote& c) {
    const Heard first = c.expect({.flags = A, .seq = 1, .length = kStamped});
    c.skip();
    c.expect({.flags = A, .seq = 1, .length = kStamped}, 190ms, 20ms);
    return first.frame.options.ts_value;
  }
};

TEST_F(Undo, TimeoutThatWasADelay) {
  Remote& c = served({.send = kPlenty, .finish = false}, false, true);
  const std::uint32_t stamp = time_out(c);
  ASSERT_EQ(connection(c).cwnd(), kStamped);
  c.stamp_echo = stamp;
  c.say({.ack = 1 + kStamped});
  c.expect({.flags = A, .seq = 1 + 10 * kStamped}, 0ms, 1ms);  // goes on with what is new
  EXPECT_EQ(count(Counter::tcp_recoveries_undone), 1U);
  EXPECT_GE(connection(c).cwnd(), 10 * kStamped);
  EXPECT_GT(connection(c).rtt().srtt(), 20'000U) << "the delay is no measurement";
}

TEST_F(Undo, TimeoutsThatWereOneLongDelay) {
  Remote& c = served({.send = kPlenty, .finish = false}, false, true);
  const std::uint32_t stamp = time_out(c);
  world_->run_for(1s);
  ASSERT_GE(count(Counter::tcp_timeouts), 2U);
  c.skip();
  c.stamp_echo = stamp;
  c.say({.ack = 1 + kStamped});
  world_->run_for(0ms);
  EXPECT_EQ(count(Counter::tcp_recoveries_undone), 1U);
  EXPECT_GE(connection(c).cwnd(), 10 * kStamped);
}

// A path was out: three segments had arrived and their acknowledgements had not. What answers the
// retransmission echoes the originals, since it came too late to count, and reports it.
TEST_F(Undo, LostAcknowledgementsAreNoDelay) {
  Remote& c = served({.send = kPlenty, .finish = false}, true, true);
  const std::uint32_t stamp = c.expect({.flags = A, .seq = 1, .length = kStamped}).frame.options.ts_value;
  world_->run_for(5s);
  ASSERT_GE(count(Counter::tcp_timeouts), 4U);
  c.skip();
  c.stamp_echo = stamp;
  c.say({.ack = 1 + 3 * kStamped, .options = blocks(c, {{1, 1 + kStamped}})});
  world_->run_for(0ms);
  EXPECT_EQ(count(Counter::tcp_recoveries_undone), 1U);
  EXPECT_LT(connection(c).rtt().srtt(), 10'000U) << "five seconds were no round trip";
}

// The same without timestamps, after a single time-out: what arrived with the segment that was sent again has
// no round trip either (RFC 6298 3).
TEST_F(Undo, WhatIsAcknowledgedWithARetransmissionIsNotMeasured) {
  Remote& c = served({.send = kPlenty, .finish = false});
  world_->run_for(400ms);
  ASSERT_EQ(count(Counter::tcp_timeouts), 1U);
  c.skip();
  c.say({.ack = 1 + 3 * kFull, .options = blocks(c, {{1, 1 + kFull}})});
  world_->run_for(0ms);
  EXPECT_EQ(count(Counter::tcp_recoveries_undone), 1U);
  EXPECT_LT(connection(c).rtt().srtt(), 10'000U);
}

TEST_F(Undo, EchoFromNowhereIsNoDelayOfHours) {
  Remote& c = served({.send = kPlenty, .finish = false}, false, true);
  const std::uint32_t stamp = time_out(c);
  c.stamp_echo = stamp - 1'000'000'000;
  c.say({.ack = 1 + kStamped});
  world_->run_for(0ms);
  EXPECT_LE(connection(c).rtt().srtt(), tcp::Rtt::kMaxRto);
}

TEST_F(Undo, TimeoutThatWasALoss) {
  Remote& c = served({.send = kPlenty, .finish = false}, false, true);
  const std::uint32_t stamp = time_out(c);
  c.stamp_echo = stamp + 200;  // of the retransmission
  c.say({.ack = 1 + kStamped});
  c.expect({.flags = A, .seq = 1 + kStamped}, 0ms, 1ms);
  EXPECT_EQ(count(Counter::tcp_recoveries_undone), 0U);
  EXPECT_LE(connection(c).cwnd(), 2 * kStamped);
}

TEST_F(Undo, RetransmissionReportedTwiceByDsack) {
  Remote& c = served({.send = kPlenty, .finish = false});
  for (unsigned i = 0; i < 10; ++i) c.expect({.flags = A, .seq = 1 + i * kFull, .length = kFull});
  world_->run_for(1ms);
  c.say({.ack = 1, .options = blocks(c, {{1 + kFull, 1 + 5 * kFull}})});  // only late, as it turns out
  c.expect({.flags = A, .seq = 1, .length = kFull}, 0ms, 15ms);
  const std::uint32_t reduced = connection(c).cwnd();
  ASSERT_LT(reduced, 10 * kFull);
  c.say({.ack = 1 + 5 * kFull});
  EXPECT_EQ(count(Counter::tcp_recoveries_undone), 0U);
  c.say({.ack = 1 + 5 * kFull, .options = blocks(c, {{1, 1 + kFull}})});
  world_->run_for(0ms);
  EXPECT_EQ(count(Counter::tcp_recoveries_undone), 1U);
  EXPECT_GE(connection(c).cwnd(), 10 * kFull);
}

TEST_F(Undo, DsackOfOtherSegmentsUndoesNothing) {
  Remote& c = served({.send = kPlenty, .finish = false});
  for (unsigned i = 0; i < 10; ++i) c.expect({.flags = A, .seq = 1 + i * kFull, .length = kFull});
  c.say({.ack = 1 + kFull, .options = blocks(c, {{1, 1 + kFull}})});  // the network doubled it
  world_->run_for(0ms);
  EXPECT_EQ(count(Counter::tcp_recoveries_undone), 0U);
}

TEST_F(Undo, DsackOfATailLossProbeUndoesNothing) {  // RFC 8985 7.4.2
  Remote& c = served({.send = 3 * kFull, .finish = false});
  for (unsigned i = 0; i < 3; ++i) c.expect({.flags = A, .seq = 1 + i * kFull});
  const Heard probe = c.expect({.flags = A, .seq = 1 + 2 * kFull}, 0ms, 100ms);
  ASSERT_EQ(count(Counter::tcp_tail_probes), 1U);
  c.say({.ack = 1, .options = blocks(c, {{1 + kFull, 1 + 3 * kFull}})});  // the first one is lost
  c.expect({.flags = A, .seq = 1, .length = kFull}, 0ms, 30ms);
  c.say({.ack = 1 + 3 * kFull, .options = blocks(c, {{1 + 2 * kFull, 1 + 3 * kFull}})});
  world_->run_for(0ms);
  EXPECT_EQ(count(Counter::tcp_recoveries_undone), 0U);
  EXPECT_LT(connection(c).cwnd(), 10 * kFull);
  EXPECT_FALSE(probe.data.empty());
}

// What Braid reports as a receiver.
TEST_F(Undo, BytesThatComeTwiceAreReported) {
  Remote& c = served({.finish = false, .finish_after_peer = true});
  c.say({.data = "twelve bytes"});
  c.expect({.flags = A, .ack = 13}, 0ms, 50ms);
  const auto report = [&](const Heard& h, unsigned count, std::uint32_t from, std::uint32_t to) {
    ASSERT_EQ(h.frame.options.sack_count, count);
    EXPECT_EQ(h.frame.options.sack[0].begin, SubSeq(c.initial() + from));
    EXPECT_EQ(h.frame.options.sack[0].end, SubSeq(c.initial() + to));
  };
  c.say({.seq = 1, .data = "twelve bytes"});  // all of it
  report(c.expect({.flags = A, .ack = 13}), 1, 1, 13);
  c.say({.seq = 8, .data = "bytes and more"});  // a part
  report(c.expect({.flags = A, .ack = 22}), 1, 8, 13);
  c.say({.seq = 40, .data = "early"});
  report(c.expect({.flags = A, .ack = 22}), 1, 40, 45);
  c.say({.seq = 40, .data = "early"});  // behind a hole (RFC 2883 4.1.2)
  report(c.expect({.flags = A, .ack = 22}), 2, 40, 45);
  c.say({.seq = 22, .data = "fills up the hole."});
  const Heard h = c.expect({.flags = A, .ack = 45});
  EXPECT_EQ(h.frame.options.sack_count, 0U) << "reported once";
}

}  // namespace
}  // namespace braid::kit
