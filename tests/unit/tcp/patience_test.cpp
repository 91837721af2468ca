// What a connection puts up with, and for how long: peers that send on into a full buffer, whose ends
// overtake their data, that keep windows shut, that are silent, or that repeat themselves after the end.
#include "unit/tcp/fixture.hpp"

namespace braid::kit {
namespace {

using stats::Counter;

class Patience : public TcpTest {
 protected:
  // For `span`, every second, whatever was heard is answered by `answer`.
  void answer_for(Remote& c, Duration span, const Say& answer) {
    for (Duration left = span; left > 0s; left -= 1s) {
      world_->run_for(1s);
      c.skip();
      c.say(answer);
    }
  }
};

// The window field counts in units, here of 32 bytes. What it cannot say must not add up to a window without
// end.
TEST_F(Patience, FullBufferTakesNoMoreHoweverSmallTheSegments) {
  Remote& c = served({.finish = false, .stop_reading_at = 0});
  const std::string crumb(20, 'c');
  for (unsigned i = 0; i < 2 * host_->budget / 20; ++i) {
    c.say({.data = crumb});
    if (i % 100 == 99) world_->run_for(1ms);
  }
  world_->run_for(100ms);
  const auto taken =
      static_cast<std::uint32_t>(connection(c).receive_next() - connection(c).initial_receive());
  EXPECT_LE(taken, host_->budget + 64);
  EXPECT_GE(taken, host_->budget - 64);
}

TEST_F(Patience, FinThatOvertakesTheLastBytesCountsWhenTheyAreThere) {
  Remote& c = served({.finish = false});
  c.say({.flags = F | A, .seq = 6});
  world_->run_for(1ms);
  EXPECT_FALSE(program().saw_fin());
  c.say({.seq = 1, .data = "hello"});
  world_->run_for(1ms);
  EXPECT_TRUE(program().saw_fin());
  EXPECT_EQ(program().received(), 5U);
}

// RFC 9293 3.8.4: what is on the way asks already.
TEST_F(Patience, KeepaliveDoesNotAskWhileDataIsOnTheWay) {
  host_->timeouts.keepalive = 2s;
  host_->timeouts.user = 5min;
  Remote& c = served({.send = 1000, .finish = false});
  world_->run_for(2min);
  EXPECT_EQ(count(Counter::tcp_keepalives), 0U);
  EXPECT_TRUE(exists(c));
  world_->run_for(8min);
  EXPECT_FALSE(exists(c)) << "the user time-out ends it all the same";
}

// RFC 9293 3.8.6: as long as the peer answers, also when it has taken the window back behind what was sent.
TEST_F(Patience, ShrunkWindowIsNoReasonToEnd) {
  host_->timeouts.user = 1min;
  Remote& c = served({.send = 100'000, .finish = false});
  world_->run_for(5ms);
  answer_for(c, 5min, {.ack = 1, .window = 0});
  EXPECT_TRUE(exists(c));
  c.say({.ack = 1, .window = 0xffff});
  bool sent = false;
  while (const auto h = sent ? std::nullopt : c.next(90s)) sent = !h->data.empty();
  EXPECT_TRUE(sent) << "it goes on";
}

TEST_F(Patience, ShrunkWindowOfASilentPeerIs) {
  host_->timeouts.user = 1min;
  Remote& c = served({.send = 100'000, .finish = false});
  world_->run_for(5ms);
  c.say({.ack = 1, .window = 0});
  world_->run_for(5min);
  EXPECT_FALSE(exists(c));
}

// ... but not where others need the buffers (RFC 6429 5).
TEST_F(Patience, ShrunkWindowEndsWhenBuffersAreScarce) {
  host_->timeouts.user = 5min;
  Remote& c = served({.send = 100'000, .finish = false});
  world_->run_for(5ms);
  host_->context().buffers_scarce = true;
  answer_for(c, 3min, {.ack = 1, .window = 0});
  EXPECT_FALSE(exists(c));
}

// In TIME-WAIT only the peer's own FIN begins the time anew, and nobody makes us answer more than now and
// then.
TEST_F(Patience, ForgedFinDoesNotProlongTimeWait) {
  host_->timeouts.time_wait = 10s;
  Remote& c = served({});  // which ends at once
  c.say({.ack = 2});
  c.say({.flags = F | A, .ack = 2});
  world_->run_for(1ms);
  ASSERT_EQ(connection(c).state(), tcp::State::time_wait);
  c.skip();
  unsigned answers = 0;
  for (unsigned i = 0; i < 1100; ++i) {
    c.say({.flags = F | A, .seq = 5000 + i, .ack = 2});
    while (exists(c) && c.next(10ms)) ++answers;
  }
  EXPECT_FALSE(exists(c));
  EXPECT_LE(answers, 110U);
}

}  // namespace
}  // namespace braid::kit
