// One connection, segment by segment: handshake, resets, receiving, windows.
#include "unit/tcp/fixture.hpp"

namespace braid::kit {
namespace {

using stats::Counter;
using stats::Drop;

class Connection : public TcpTest {};

TEST_F(Connection, SynAckAnswersTheOptionsOffered) {
  host_->listen(80, {.finish = false});
  Remote& full = client(1);
  full.stamp = 77;
  full.say({.flags = S, .options = [](wire::OptionBuffer& o) {
              o.mss(1000);
              o.sack_permitted();
              o.window_scale(9);
            }});
  const Heard a = full.expect({.flags = S | A, .seq = 0, .ack = 1});
  EXPECT_EQ(a.frame.options.mss, 1460);
  EXPECT_TRUE(a.frame.options.sack_permitted);
  EXPECT_TRUE(a.frame.options.has_window_scale);
  EXPECT_EQ(a.frame.options.ts_echo, 77U);
  Remote& bare = client(2);
  bare.say({.flags = S});
  const Heard b = bare.expect({.flags = S | A, .seq = 0, .ack = 1});
  EXPECT_FALSE(b.frame.options.sack_permitted);
  EXPECT_FALSE(b.frame.options.has_window_scale);
  EXPECT_FALSE(b.frame.options.has_timestamps);
  EXPECT_NE(a.frame.seq, b.frame.seq) << "initial numbers differ per flow";
}

TEST_F(Connection, RepeatedSynDrawsTheSameSynAckAndItIsRetransmitted) {
  host_->listen(80, {.finish = false});
  Remote& c = client();
  c.say({.flags = S});
  const Heard a = c.expect({.flags = S | A});
  c.say({.flags = S, .seq = 0});
  EXPECT_EQ(c.expect({.flags = S | A}).frame.seq, a.frame.seq);
  c.expect({.flags = S | A}, 900ms, 200ms);
  c.expect({.flags = S | A}, 1900ms, 200ms);
  c.quiet(3s);
  c.say({.seq = 1, .ack = 1});
  world_->run_for(1ms);
  EXPECT_EQ(connection(c).state(), tcp::State::established);
}

TEST_F(Connection, HandshakeTimesOut) {
  host_->listen(80, {});
  Remote& c = client();
  c.say({.flags = S});
  world_->run_for(11s);
  EXPECT_FALSE(exists(c));
}

TEST_F(Connection, WrongThirdAckIsReset) {
  host_->listen(80, {.finish = false});
  Remote& c = client();
  c.say({.flags = S});
  c.expect({.flags = S | A});
  c.say({.ack = 100});
  const Heard reset = c.expect({.flags = R, .seq = 100});  // RFC 9293 3.10.7.4: as it can be believed
  EXPECT_EQ(reset.frame.ack.raw, 0U);
  c.say({.ack = 1});
  c.say({.data = "x"});
  world_->run_for(1ms);
  EXPECT_EQ(connection(c).state(), tcp::State::established) << "a forged one ends nothing";
}

TEST_F(Connection, ResetExactlyAtTheEdgeOnly) {  // RFC 5961 3
  Remote& c = served({.finish = false});
  c.say({.flags = R, .seq = 100});
  c.expect({.flags = A, .seq = 1, .ack = 1});
  EXPECT_EQ(drops(Drop::challenge_reset), 1U);
  c.say({.flags = R, .seq = 0x7000'0000});
  c.quiet(1ms);
  EXPECT_EQ(drops(Drop::bad_reset), 1U);
  EXPECT_TRUE(exists(c));
  c.say({.flags = R});
  world_->run_for(0ms);
  EXPECT_EQ(program().failure(), tcp::Failure::reset);
  EXPECT_FALSE(exists(c));
}

TEST_F(Connection, SynOnAnEstablishedConnectionIsChallengedSeldom) {  // RFC 5961 4 and 7
  Remote& c = served({.finish = false});
  unsigned answers = 0;
  for (int i = 0; i < 100; ++i) {
    c.say({.flags = S, .seq = 5});
    while (c.next(2ms)) ++answers;
  }
  EXPECT_GE(answers, 1U);
  EXPECT_LE(answers, 3U);
  EXPECT_TRUE(exists(c));
  EXPECT_EQ(count(Counter::tcp_challenge_acks), answers);
}

TEST_F(Connection, AcksOutOfStepAreAnsweredSeldom) {  // else two ends answer each other for ever
  Remote& c = served({.finish = false});
  unsigned answers = 0;
  for (int i = 0; i < 100; ++i) {
    c.say({.seq = 0x7000'0000});
    while (c.next(2ms)) ++answers;
  }
  EXPECT_GE(answers, 1U);
  EXPECT_LE(answers, 3U);
  c.say({.seq = 0x7000'0000, .data = "x"});
  c.expect({.flags = A, .seq = 1, .ack = 1});
}

TEST_F(Connection, AckOfWhatWasNeverSentIsChallenged) {  // RFC 5961 5
  Remote& c = served({.finish = false});
  c.say({.ack = 5000, .data = "x"});
  c.expect({.flags = A, .ack = 1});
  EXPECT_EQ(drops(Drop::bad_ack), 1U);
  EXPECT_EQ(program().received(), 0U);
}

TEST_F(Connection, OldTimestampIsDropped) {  // PAWS, RFC 7323 5
  Remote& c = served({.finish = false}, true, true);
  c.stamp = 1000;
  c.say({.data = "new"});
  c.skip();
  c.stamp = 500;
  c.say({.data = "old"});
  c.expect({.flags = A, .ack = 4});
  EXPECT_EQ(drops(Drop::paws), 1U);
  EXPECT_EQ(program().received(), 3U);
}

TEST_F(Connection, OneAckForABurst) {
  Remote& c = served({.finish = false});
  for (int i = 0; i < 10; ++i) c.say({.data = std::string(1000, 'x')});
  c.expect({.flags = A, .ack = 10'001});
  c.quiet(1s);
}

TEST_F(Connection, SingleSegmentIsAcknowledgedLate) {
  Remote& c = served({.finish = false});
  c.say({.data = "x"});
  c.expect({.flags = A, .ack = 2}, 39ms, 2ms);
}

TEST_F(Connection, OutOfOrderDrawsSackAndFillingDrawsAnAck) {
  Remote& c = served({.expect_key = 9, .finish = false});
  c.say({.seq = 11, .data = "0123456789"});
  const Heard a = c.expect({.flags = A, .ack = 1});
  ASSERT_EQ(a.frame.options.sack_count, 1);
  EXPECT_EQ(a.frame.options.sack[0].begin.raw - c.initial(), 11U);
  EXPECT_EQ(a.frame.options.sack[0].end.raw - c.initial(), 21U);
  c.say({.seq = 1, .data = "abcdefghij"});
  c.expect({.flags = A, .ack = 21});
  EXPECT_EQ(program().received(), 20U);
}

TEST_F(Connection, RepeatedDataWithANewFin) {
  Remote& c = served({.finish = false});
  c.say({.data = "0123456789"});
  c.expect({.flags = A, .ack = 11}, 0ms, 50ms);
  c.say({.flags = F | A, .seq = 1, .data = "0123456789"});  // the data was heard, the FIN is new
  c.expect({.flags = A, .ack = 12});
  EXPECT_EQ(program().received(), 10U);
  EXPECT_TRUE(program().saw_fin());
}

TEST_F(Connection, FinAheadOfItsData) {
  Remote& c = served({.finish = false});
  c.say({.flags = F | A, .seq = 4, .data = "def"});
  c.expect({.flags = A, .ack = 1});
  EXPECT_FALSE(program().saw_fin());
  c.say({.seq = 1, .data = "abc"});
  c.expect({.flags = A, .ack = 8});
  EXPECT_TRUE(program().saw_fin());
  EXPECT_EQ(connection(c).state(), tcp::State::close_wait);
}

TEST_F(Connection, WindowClosesIsProbedAndReopens) {
  host_->budget = 4000;
  Remote& c = served({.finish = false, .stop_reading_at = 1}, true, false, 0);
  std::uint32_t edge = 4001;
  for (int i = 0; i < 5; ++i) {
    c.say({.seq = 1 + 1000U * static_cast<unsigned>(i), .data = std::string(1000, 'x')});
    while (const auto h = c.next(50ms)) {
      EXPECT_GE(h->ack + h->frame.window, edge) << "moved left";
      edge = std::max(edge, h->ack + h->frame.window);
    }
  }
  EXPECT_LE(edge, 5001U);
  c.say({.seq = edge, .data = "y"});  // a probe of the closed window
  const Heard closed = c.expect({.flags = A, .ack = edge});
  EXPECT_EQ(closed.frame.window, 0);
  program().resume_reading();
  program().touch(host_->context());
  const Heard open = c.expect({.flags = A, .ack = edge});
  EXPECT_GE(open.frame.window, 2000) << "no window update";
}

TEST_F(Connection, SmallStepsOfTheWindowAreSavedUp) {  // RFC 9293 3.8.6.2.2
  host_->budget = 20'000;
  Remote& c = served({.finish = false, .read_rate = 100}, true, false, 0);
  for (int i = 0; i < 20; ++i) c.say({.data = std::string(1000, 'x')});
  world_->run_for(100ms);
  c.skip();
  unsigned updates = 0;
  std::uint32_t last = 0;
  while (const auto h = c.next(60s)) {
    ++updates;
    EXPECT_GE(h->frame.window, last + 1000U);
    last = h->frame.window;
  }
  EXPECT_LE(updates, 12U);
}

TEST_F(Connection, DataBeyondTheWindowIsNotTaken) {
  host_->budget = 4000;
  Remote& c = served({.finish = false, .stop_reading_at = 0}, true, false, 0);
  c.say({.seq = 4500, .data = "beyond"});
  c.expect({.flags = A, .ack = 1});
  EXPECT_EQ(drops(Drop::out_of_window), 1U);
  c.say({.seq = 1, .data = std::string(1400, 'x')});
  c.say({.seq = 1401, .data = std::string(1400, 'x')});
  c.say({.seq = 2801, .data = std::string(1400, 'x')});  // 200 too many
  world_->run_for(50ms);
  EXPECT_EQ(c.next(0ms)->ack, 4001U);
}

TEST_F(Connection, KeepaliveProbesAndGivesUp) {
  host_->timeouts.keepalive = 60s;
  Remote& c = served({.finish = false});
  c.expect({.flags = A, .seq = 0, .length = 0}, 60s, 1s);
  c.say({});
  c.quiet(59s);
  for (int i = 0; i < 9; ++i) ASSERT_TRUE(c.next(76s).has_value()) << "probe " << i;
  const auto end = c.next(76s);
  ASSERT_TRUE(end.has_value());
  EXPECT_TRUE(end->has(R));
  EXPECT_EQ(program().failure(), tcp::Failure::timed_out);
}

TEST_F(Connection, OldConnectionsAnswerToOurSynIsReset) {  // RFC 9293 3.10.7.3
  const Endpoint there{peer_, 9000};
  host_->connect(there, {});
  Remote* r = script_->incoming(there);
  ASSERT_NE(r, nullptr);
  ASSERT_TRUE(r->next().has_value());
  r->say({.ack = 777});
  EXPECT_EQ(r->expect({.flags = R}).frame.seq.raw, r->initial_of_peer() + 777);
}

TEST_F(Connection, OldDataWithANewFinIsJustAFin) {
  Remote& c = served({.expect_key = 1});
  c.say({.data = "abc"});
  c.say({.flags = F | A, .seq = 1, .data = "abc"});
  world_->run_for(1ms);
  EXPECT_EQ(program().received(), 3U);
  EXPECT_TRUE(program().saw_fin());
}

TEST_F(Connection, ActiveOpenIsRefusedOrTimesOut) {
  const Endpoint there{peer_, 9000};
  App& refused = host_->connect(there, {});
  Remote* r = script_->incoming(there);
  ASSERT_NE(r, nullptr);
  const Heard syn = *r->next();
  EXPECT_EQ(syn.frame.options.mss, 1460);
  r->say({.flags = R | A, .ack = 5});  // does not acknowledge the SYN
  world_->run_for(1ms);
  EXPECT_FALSE(refused.released());
  r->say({.flags = R | A, .ack = 1});
  world_->run_for(1ms);
  EXPECT_EQ(refused.failure(), tcp::Failure::refused);
  host_->timeouts.user = 10s;
  App& silent = host_->connect(there, {});
  world_->run_for(11s);
  EXPECT_EQ(silent.failure(), tcp::Failure::timed_out);
}

}  // namespace
}  // namespace braid::kit
