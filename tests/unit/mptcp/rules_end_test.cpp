// RFC 8684's rules of what ends a subflow or a session, and of what does not.
#include "unit/mptcp/rules.hpp"

namespace braid::kit {
namespace {

using stats::Counter;
using stats::RstReason;

constexpr auto kMptcpError = static_cast<std::uint8_t>(RstReason::mptcp);
constexpr auto kMiddlebox = static_cast<std::uint8_t>(RstReason::middlebox);

// 3.3: a checksum where none was agreed is as wrong as none where one was.
TEST_F(MptcpRules, ChecksumThatWasNotAgreedEndsTheSubflow) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect();
  c.say({.data = "checked", .options = [&m](wire::OptionBuffer& o) {
           wire::Dss d;
           d.has_map = d.has_checksum = true;
           d.dsn_is_8 = true;
           d.dsn = idsn_of(m.key()) + 1;
           d.ssn = 1;
           d.length = 7;
           d.checksum = 0x1234;
           o.dss(d);
         }});
  expect_reset(c, kMptcpError);
  EXPECT_EQ(at_server().received(), 0U);
}

// 3.5: the client has closed its only subflow, and may come back with another; a bare RST would leave it
// waiting.
TEST_F(MptcpRules, AbortReachesAClientThatHasClosedItsSubflow) {
  Lab& l = scripted({}, {.finish = false});
  MpClient m(l);
  Remote& c = m.connect();
  m.data(c, 0, "hello");
  l.world.run_for(5ms);
  c.skip();
  c.say({.flags = F | A, .options = m.ack(0)});
  l.world.run_for(1ms);
  at_server().abort(l.server_host().context());
  bool told = false;
  while (const auto h = c.next(100ms))
    told |= h->mp().has(wire::kMpFastclose) && h->mp().fastclose_key == m.key();
  EXPECT_TRUE(told);
}

// 3.7: what a joined subflow carries would be lost to the stream if the peer took it for a plain connection.
TEST_F(MptcpRules, JoinedSubflowWithoutDataAcksIsReset) {
  Lab& l = scripted({}, {.echo = true});
  MpClient m(l);
  Remote& c = m.connect();
  Remote& j = m.join(1);
  c.say(
      {.options = [](wire::OptionBuffer& o) { o.mp_prio(true); }});  // so that the echo takes the joined one
  m.data(c, 0, "hello");
  const auto echo = j.next(100ms);
  ASSERT_TRUE(echo && echo->data == "hello");
  j.say({});
  expect_reset(j, kMiddlebox);
  l.world.run_for(1s);
  c.skip();
  EXPECT_EQ(l.gateway->engine().use().subflows, 1U);
}

// 3.3.2: a DATA_ACK that does not advance may be left out.
TEST_F(MptcpRules, JoinedSubflowWhoseDataAckCannotAdvanceIsNotReset) {
  scripted({}, {.echo = true});
  MpClient m(lab());
  Remote& c = m.connect();
  Remote& j = m.join(1);
  const auto backup = [](bool is) { return [is](wire::OptionBuffer& o) { o.mp_prio(is); }; };
  const auto data_on = [](Remote& r) {
    while (const auto h = r.next(100ms))
      if (!h->data.empty()) return true;
    return false;
  };
  j.say({.options = backup(true)});
  m.data(c, 0, "hello");
  ASSERT_TRUE(data_on(c)) << "the echo, which is not acknowledged";
  j.say({.options = backup(false)});
  c.say({.ack = 1, .options = backup(true)});
  m.data(c, 5, "world");
  ASSERT_TRUE(data_on(j));
  j.say({});
  bool reset = false;
  while (const auto h = j.next(20ms)) reset |= h->has(R);
  EXPECT_FALSE(reset);
}

// 3: an ACK that brings a signal is no duplicate.
TEST_F(MptcpRules, SignalsAreNoDuplicateAcks) {
  Lab& l = make({.scripted_client = true});
  l.server_host().listen(kServerPort, {.send = 100'000, .finish = false});
  MpClient m(l);
  Remote& c = l.remote(0, 30000);
  c.say({.flags = S, .options = [](wire::OptionBuffer& o) {  // without SACK
           o.mss(1460);
           o.mp_capable({});
         }});
  const auto answer = c.next(1ms);
  ASSERT_TRUE(answer && answer->mp().has(wire::kMpCapable));
  m.key_of_peer = answer->mp().capable.sender_key;
  m.third_ack(c);
  l.world.run_for(5ms);
  c.skip();
  for (unsigned i = 0; i < 4; ++i)
    c.say({.ack = 1, .options = m.ack(0) + [](wire::OptionBuffer& o) { o.mp_prio(false); }});
  l.world.run_for(1ms);
  EXPECT_EQ(l.gateway->counter(Counter::tcp_fast_recoveries), 0U);
  for (unsigned i = 0; i < 3; ++i) c.say({.ack = 1, .options = m.ack(0)});
  l.world.run_for(1ms);
  EXPECT_EQ(l.gateway->counter(Counter::tcp_fast_recoveries), 1U) << "the test reaches what it is about";
}

}  // namespace
}  // namespace braid::kit
