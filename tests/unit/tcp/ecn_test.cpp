// Explicit congestion notification, RFC 3168.
#include "unit/tcp/fixture.hpp"

namespace braid::kit {
namespace {

using stats::Counter;

constexpr std::uint8_t E = wire::kEce;
constexpr std::uint8_t W = wire::kCwr;
constexpr std::uint8_t kEct0 = 2;
constexpr std::uint8_t kMarked = 3;
constexpr std::uint32_t kFull = 1460;

class Ecn : public TcpTest {
 protected:
  static std::uint8_t flags(unsigned f) { return static_cast<std::uint8_t>(f); }
  static Options syn_options() {
    return [](wire::OptionBuffer& o) {
      o.mss(kFull);
      o.sack_permitted();
      o.window_scale(7);
    };
  }
  // A client's connection that asks by `asked`, after the handshake; `agreed` is what the SYN/ACK says.
  Remote& asking(const Plan& plan, unsigned asked, unsigned agreed) {
    host_->listen(80, plan);
    Remote& c = client();
    c.say({.flags = flags(S | asked), .options = syn_options()});
    const Heard h = c.expect({.flags = flags(S | A), .seq = 0, .ack = 1});
    EXPECT_EQ(h.frame.flags & (E | W), agreed);
    EXPECT_EQ(h.frame.ecn, 0) << "6.1.1: no SYN/ACK asks to be marked";
    c.say({});
    c.skip_empty();
    return c;
  }
  Remote& agreed(const Plan& plan) { return asking(plan, E | W, E); }
  // Takes ten segments; each must ask to be marked.
  static void take_ten(Remote& c, std::uint32_t from) {
    for (unsigned i = 0; i < 10; ++i)
      EXPECT_EQ(c.expect({.flags = A, .seq = from + i * kFull}).frame.ecn, kEct0);
  }
};

TEST_F(Ecn, OnlyBothFlagsOfASynAskForIt) {  // 6.1.1
  Remote& c = asking({.send = 100, .finish = false}, E, 0);
  EXPECT_EQ(c.expect({.flags = A, .length = 100}).frame.ecn, 0);
}

TEST_F(Ecn, SynRepeatedWithoutTheFlagsTakesTheOfferBack) {  // 6.1.1.1
  host_->listen(80, {.send = 100, .finish = false});
  Remote& c = client();
  c.say({.flags = flags(S | E | W), .options = syn_options()});
  c.expect({.flags = flags(S | A)});
  c.say({.flags = S, .seq = 0, .options = syn_options()});
  EXPECT_EQ(c.expect({.flags = flags(S | A)}).frame.flags & (E | W), 0);
  c.say({});
  EXPECT_EQ(c.expect({.flags = A, .length = 100}).frame.ecn, 0);
}

TEST_F(Ecn, MarkIsEchoedUntilItIsAnswered) {  // 6.1.3
  Remote& c = agreed({.send = 0, .finish = false});
  c.say({.data = "a", .ecn = kMarked});
  EXPECT_TRUE(c.expect({.flags = A, .ack = 2}).has(E)) << "at once, not with the delayed ACK";
  c.say({.data = "b", .ecn = kEct0});
  EXPECT_TRUE(c.expect({.flags = A, .ack = 3}, 40ms, 5ms).has(E));
  c.say({.flags = flags(A | W), .data = "c", .ecn = kEct0});
  EXPECT_FALSE(c.expect({.flags = A, .ack = 4}, 40ms, 5ms).has(E));
  c.say({.flags = flags(A | W), .data = "d", .ecn = kMarked});
  EXPECT_TRUE(c.expect({.flags = A, .ack = 5}).has(E)) << "a mark on the answer is a new one";
  EXPECT_EQ(count(Counter::tcp_ecn_marks), 2U);
}

TEST_F(Ecn, MarkOutsideTheWindowIsNone) {  // 6.1.5, 6.1.6
  Remote& c = agreed({.send = 0, .finish = false});
  c.say({.seq = 0x7000'0000, .data = "x", .ecn = kMarked});
  EXPECT_FALSE(c.expect({.flags = A, .ack = 1}).has(E));
  EXPECT_EQ(count(Counter::tcp_ecn_marks), 0U);
}

TEST_F(Ecn, WithoutAgreementMarksMeanNothing) {
  Remote& c = asking({.send = 0, .finish = false}, 0, 0);
  c.say({.data = "a", .ecn = kMarked});
  EXPECT_FALSE(c.expect({.flags = A, .ack = 2}, 40ms, 5ms).has(E));
}

TEST_F(Ecn, EchoReducesTheWindowOnceAndIsAnsweredOnce) {  // 6.1.2
  Remote& c = agreed({.send = 200'000, .finish = false});
  take_ten(c, 1);
  const std::uint32_t before = connection(c).cwnd();
  c.say({.flags = flags(A | E), .ack = 1 + 2 * kFull});
  world_->run_for(0ms);
  const std::uint32_t after = connection(c).cwnd();
  EXPECT_LT(after, before);
  c.say({.flags = flags(A | E), .ack = 1 + 4 * kFull});
  world_->run_for(0ms);
  EXPECT_EQ(connection(c).cwnd(), after) << "of the same window, and no reason to grow";
  EXPECT_EQ(count(Counter::tcp_ecn_reductions), 1U);
  c.say({.flags = flags(A | E), .ack = 1 + 10 * kFull});
  const Heard first = c.expect({.flags = A, .seq = 1 + 10 * kFull});
  EXPECT_TRUE(first.has(W));
  EXPECT_EQ(first.frame.ecn, kEct0);
  EXPECT_FALSE(c.expect({.flags = A, .seq = 1 + 11 * kFull}).has(W));
  c.say({.flags = flags(A | E), .ack = 1 + 12 * kFull});
  world_->run_for(0ms);
  EXPECT_EQ(count(Counter::tcp_ecn_reductions), 2U) << "a mark after the answer is a new one";
  EXPECT_EQ(count(Counter::tcp_retransmitted_segments), 0U);
}

TEST_F(Ecn, RetransmissionDoesNotAskToBeMarked) {  // 6.1.5
  Remote& c = agreed({.send = 1000, .finish = false});
  EXPECT_EQ(c.expect({.flags = A, .seq = 1}).frame.ecn, kEct0);
  EXPECT_EQ(c.expect({.flags = A, .seq = 1}, 40ms, 1s).frame.ecn, 0);
}

TEST_F(Ecn, ReductionForALossIsToldToo) {  // 6.1.2
  Remote& c = agreed({.send = 200'000, .finish = false});
  take_ten(c, 1);
  world_->run_for(1ms);
  c.say({.ack = 1, .options = [&](wire::OptionBuffer& o) {
           const wire::SackBlock b{SubSeq(c.initial_of_peer() + 1 + kFull),
                                   SubSeq(c.initial_of_peer() + 1 + 10 * kFull)};
           o.sack({&b, 1});
         }});
  const Heard again = c.expect({.flags = A, .seq = 1});
  EXPECT_FALSE(again.has(W)) << "new data says it";
  EXPECT_TRUE(c.expect({.flags = A, .seq = 1 + 10 * kFull}).has(W));
}

TEST_F(Ecn, ActiveOpenAsksAndGivesUpOnARepeatedSyn) {  // 6.1.1, 6.1.1.1
  const Endpoint there{peer_, 9000};
  host_->ecn = true;
  host_->connect(there, {.send = 100, .finish = false});
  Remote* r = script_->incoming(there);
  ASSERT_NE(r, nullptr);
  const Heard first = *r->next();
  EXPECT_EQ(first.frame.flags & (E | W), E | W);
  EXPECT_EQ(first.frame.ecn, 0);
  const Heard second = r->expect({.flags = S}, 900ms, 200ms);
  EXPECT_EQ(second.frame.flags & (E | W), 0);
  r->say({.flags = flags(S | A | E), .options = syn_options()});
  EXPECT_EQ(r->expect({.flags = A, .length = 100}).frame.ecn, 0);
}

TEST_F(Ecn, ActiveOpenTakesOnlyTheRightAnswer) {  // 6.1.1
  host_->ecn = true;
  std::uint16_t port = 9000;
  for (const auto& [answer, on] : {std::pair<unsigned, bool>{E, true}, {E | W, false}, {0, false}}) {
    const Endpoint there{peer_, port++};
    host_->connect(there, {.send = 100, .finish = false});
    Remote* r = script_->incoming(there);
    ASSERT_NE(r, nullptr);
    r->next();
    r->say({.flags = flags(S | A | answer), .options = syn_options()});
    EXPECT_EQ(r->expect({.flags = A, .length = 100}).frame.ecn, on ? kEct0 : 0) << answer;
  }
}

}  // namespace
}  // namespace braid::kit
