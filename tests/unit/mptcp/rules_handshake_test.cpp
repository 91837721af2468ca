// protocol.md section 1, "Handshake and keys": each test names the rule it holds the gateway to.
#include <set>

#include "kit/edit.hpp"
#include "unit/mptcp/rules.hpp"

namespace braid::kit {
namespace {

using stats::Fallback;

// The lengths of all MPTCP options of a segment.
std::vector<std::size_t> mptcp_lengths(const Heard& h) {
  const ByteView view = options_of(h.packet, h.frame);
  Packet options(view.begin(), view.end());
  std::vector<std::size_t> out;
  for_each_option(options, [&out](unsigned kind, ByteSpan option) {
    if (kind == wire::kMptcpKind) out.push_back(option.size());
  });
  return out;
}

TEST_F(MptcpRules, R01_SynAckHasTwelveBytes) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = l.remote(0, 30000);
  c.say({.flags = S, .options = m.capable_syn()});
  const Heard h = c.expect({.flags = S | A, .seq = 0, .ack = 1});
  EXPECT_EQ(mptcp_lengths(h), std::vector<std::size_t>{12});
  EXPECT_TRUE(h.mp().capable.hmac_sha256);
}

// A form that does not fit its segment is no MP_CAPABLE: keys and a length without data, keys alone with
// data.
TEST_F(MptcpRules, R01_SizeTellsTheFormTogetherWithThePayload) {
  for (const bool data : {false, true}) {
    Lab& l = scripted();
    MpClient m(l);
    Remote& c = m.half_open();
    c.say({.data = data ? "early" : "", .options = m.capable_ack(data ? 0 : 5)});
    l.world.run_for(1ms);
    EXPECT_EQ(l.gateway->fallbacks(Fallback::third_ack), 1U) << data;
    c.skip();
    expect_plain_echo(c);
  }
}

TEST_F(MptcpRules, R02_FirstByteIsIdsnPlusOneOfSha256) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect();
  m.data(c, 0, "hello");
  const Heard h = c.expect({.flags = A, .data = "hello"}, 0ms, 100ms);
  EXPECT_EQ(m.acked_in(h), 5);
  EXPECT_EQ(m.mapped_in(h), 0);
  EXPECT_EQ(h.mp().dss.ssn, 1U);
  EXPECT_EQ(l.gateway->counter(stats::Counter::client_accepted_mptcp), 1U);
}

TEST_F(MptcpRules, R03_WrongEchoOfOurKeyMeansPlainTcp) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.half_open();
  m.key_of_peer ^= 1;
  m.third_ack(c);
  expect_plain_echo(c);
  EXPECT_EQ(l.gateway->fallbacks(Fallback::bad_keys), 1U);
}

// Neither without the algorithm, nor with the extension bit, nor in another version than was agreed on.
TEST_F(MptcpRules, R03_ThirdAckOfAnotherKindIsNoProof) {
  for (const unsigned kind : {0U, 1U, 2U}) {
    SCOPED_TRACE(kind);
    Lab& l = scripted();
    MpClient m(l);
    Remote& c = m.half_open();
    c.say({.options = [&m, kind](wire::OptionBuffer& o) {
      wire::MpCapable capable;
      capable.keys = 2;
      capable.hmac_sha256 = kind != 0;
      capable.extension = kind == 1;
      if (kind == 2) capable.version = 0;
      capable.sender_key = m.key();
      capable.receiver_key = m.key_of_peer;
      o.mp_capable(capable);
    }});
    l.world.run_for(1ms);
    EXPECT_EQ(l.gateway->fallbacks(Fallback::third_ack), 1U);
    expect_plain_echo(c);
  }
}

TEST_F(MptcpRules, R04_ThirdAckLostDataCarriesCapable) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.half_open();
  m.third_ack(c, "hello");
  const Heard h = c.expect({.flags = A, .data = "hello"}, 0ms, 100ms);
  EXPECT_EQ(m.acked_in(h), 5);
  EXPECT_EQ(m.mapped_in(h), 0);
}

TEST_F(MptcpRules, R04_ThirdAckAndDataBothCarryCapable) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect();
  m.third_ack(c);  // duplicated on the way
  m.third_ack(c, "hello");
  const Heard h = c.expect({.flags = A, .data = "hello"}, 0ms, 100ms);
  EXPECT_EQ(m.acked_in(h), 5);
  c.say({.seq = 1, .data = "hello", .options = m.capable_ack(5)});  // repeated
  c.expect({.flags = A, .ack = 6, .length = 0});
  m.data(c, 5, "!", 5);
  EXPECT_EQ(m.acked_in(c.expect({.flags = A, .data = "!"}, 0ms, 100ms)), 6);
}

// With the third ACK lost, the first data has the keys; what overtakes it tells nothing.
TEST_F(MptcpRules, R04_DataThatOvertakesTheFirstIsNoFallback) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.half_open();
  c.say({.seq = 6, .data = "world", .options = m.map_ack(5, 6, 5, 0)});
  c.quiet(1ms);
  EXPECT_EQ(l.gateway->drops(stats::Drop::before_first), 1U);
  c.say({.seq = 1, .data = "hello", .options = m.capable_ack(5)});
  const Heard h = c.expect({.flags = A, .data = "hello"}, 0ms, 100ms);
  EXPECT_EQ(m.acked_in(h), 5);
  c.say({.seq = 6, .data = "world", .options = m.map_ack(5, 6, 5, 5)});
  EXPECT_EQ(m.acked_in(c.expect({.flags = A, .data = "world"}, 0ms, 100ms)), 10);
  EXPECT_EQ(l.gateway->fallbacks(Fallback::third_ack), 0U);
}

// The client sends its keys until a DATA_ACK moves: it comes at once, even from a server that says nothing.
TEST_F(MptcpRules, R05_FirstDataIsAcknowledgedAsDataAtOnce) {
  Lab& l = scripted({}, {.finish = false, .stop_reading_at = 0});
  MpClient m(l);
  Remote& c = m.connect();
  m.third_ack(c, "hello");
  EXPECT_EQ(m.acked_in(c.expect({.flags = A, .ack = 6, .length = 0}, 0ms, 50ms)), 5);
}

// Or until it hears of an address, which therefore goes out without waiting for data.
TEST_F(MptcpRules, R05_AnnouncementComesRightAfterTheThirdAck) {
  Lab& l = scripted([](relay::Settings& r, engine::Settings&) {
    r.listeners[0].announce_addresses = {Endpoint{Ip::v4(0xc6120003), 0}};
  });
  MpClient m(l);
  Remote& c = m.connect();
  EXPECT_TRUE(c.expect({.flags = A, .length = 0}).mp().has(wire::kMpAddAddr));
}

TEST_F(MptcpRules, R06_ServerSpeaksFirst) {
  Lab& l = make({.scripted_client = true});
  l.server_host().listen(kServerPort, {.send = 10, .finish = false});
  MpClient m(l);
  Remote& c = m.connect();
  const Heard h = c.expect({.flags = A, .length = 10}, 0ms, 100ms);
  EXPECT_EQ(m.mapped_in(h), 0);
  EXPECT_EQ(m.acked_in(h), 0);
}

TEST_F(MptcpRules, R07_FirstSegmentWithoutCapableMeansPlainTcp) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.half_open();
  c.say({});
  expect_plain_echo(c);
  EXPECT_EQ(l.gateway->fallbacks(Fallback::third_ack), 1U);
  EXPECT_EQ(l.gateway->counter(stats::Counter::client_accepted_tcp), 1U);
}

TEST_F(MptcpRules, R08_ChecksumIsNegotiatedByEitherSide) {
  for (const bool ours : {false, true}) {
    for (const bool theirs : {false, true}) {
      Lab& l = scripted(
          [ours](relay::Settings& r, engine::Settings&) { r.listeners[0].profile.require_checksum = ours; });
      MpClient m(l);
      Remote& c = m.connect(theirs);
      EXPECT_EQ(m.checksum, ours || theirs);
      m.data(c, 0, "hello");
      const Heard h = c.expect({.flags = A, .data = "hello"}, 0ms, 100ms);
      EXPECT_EQ(h.mp().dss.has_checksum, ours || theirs);
    }
  }
}

// A peer may set the flag and leave out the two bytes.
TEST_F(MptcpRules, R08_FlagOnDataWithoutTheTwoBytesIsReset) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.half_open(true);
  m.third_ack(c, "hello");  // 22 bytes, flag A
  l.world.run_for(0ms);
  bool reset = false;
  while (const auto h = c.next(1ms)) reset |= h->has(R);
  EXPECT_TRUE(reset);
  EXPECT_EQ(at_server().received(), 0U);
  EXPECT_EQ(l.gateway->fallbacks(Fallback::checksum), 0U);
}

TEST_F(MptcpRules, R08_ExtensionBitMeansPlainTcp) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = l.remote(0, 30000);
  c.say({.flags = S, .options = [](wire::OptionBuffer& o) {
           wire::MpCapable cap;
           cap.extension = true;
           o.mp_capable(cap);
         }});
  const Heard h = c.expect({.flags = S | A});
  EXPECT_EQ(h.mp().present, 0);
  c.say({});
  expect_plain_echo(c);
}

TEST_F(MptcpRules, R09_VersionZeroMeansPlainTcp) {
  Lab& l = scripted();
  Remote& c = l.remote(0, 30000);
  c.say({.flags = S, .options = [](wire::OptionBuffer& o) {
           wire::MpCapable cap;
           cap.version = 0;
           cap.keys = 1;  // version 0: the SYN has the key
           cap.sender_key = 99;
           o.mp_capable(cap);
         }});
  const Heard h = c.expect({.flags = S | A});
  EXPECT_EQ(h.mp().present, 0);
  c.say({});
  expect_plain_echo(c);
  EXPECT_EQ(l.gateway->counter(stats::Counter::client_accepted_mptcp), 0U);
}

TEST_F(MptcpRules, R10_NoFreeTokenMeansPlainTcp) {
  Lab& l = scripted();
  l.gateway->engine().fail_every(1);  // no session can be had
  MpClient m(l);
  Remote& c = l.remote(0, 30000);
  c.say({.flags = S, .options = m.capable_syn()});
  c.quiet(10ms);  // nor a plain stream: the SYN is dropped, not refused, and the client tries again
  l.gateway->engine().fail_every(0);
  EXPECT_EQ(l.gateway->fallbacks(Fallback::no_token), 1U);
  EXPECT_EQ(l.gateway->drops(stats::Drop::connection_limit), 1U);
  c.say({.flags = S, .seq = 0, .options = m.capable_syn()});
  EXPECT_TRUE(c.expect({.flags = S | A}).mp().has(wire::kMpCapable));
}

TEST_F(MptcpRules, R10_HalfOpenConnectionsHaveTokensOfTheirOwn) {
  Lab& l = scripted();
  std::set<std::uint32_t> tokens;
  for (std::uint16_t i = 0; i < 40; ++i) {
    MpClient m(l, 1000 + i);
    Remote& c = l.remote(0, static_cast<std::uint16_t>(31000 + i));
    c.say({.flags = S, .options = m.capable_syn()});
    const Heard h = c.expect({.flags = S | A});
    ASSERT_TRUE(h.mp().has(wire::kMpCapable));
    EXPECT_NE(h.mp().capable.sender_key, 0U);
    EXPECT_TRUE(tokens.insert(token_of(h.mp().capable.sender_key)).second);
  }
}

TEST_F(MptcpRules, R11_RetriedSynWithoutOptionMeansPlainTcp) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.half_open();
  c.say({.flags = S, .seq = 0, .options = [](wire::OptionBuffer& o) { o.mss(1460); }});
  const Heard h = c.expect({.flags = S | A, .seq = 0, .ack = 1});
  EXPECT_EQ(h.mp().present, 0);
  c.say({});
  expect_plain_echo(c);
  EXPECT_EQ(l.gateway->fallbacks(Fallback::retried_syn), 1U);
}

// Payload of a SYN lies outside the data sequence space. Without a cookie it is not taken, and comes again.
TEST_F(MptcpRules, R12_SynPayloadHasNoDataSequenceNumber) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = l.remote(0, 30000);
  c.say({.flags = S, .data = "early", .options = m.capable_syn()});
  const Heard h = c.expect({.flags = S | A, .seq = 0, .ack = 1});
  m.key_of_peer = h.mp().capable.sender_key;
  c.say({.seq = 1, .data = "early", .options = m.capable_ack(5)});
  const Heard echo = c.expect({.flags = A, .data = "early"}, 0ms, 100ms);
  EXPECT_EQ(m.acked_in(echo), 5) << "its first byte is IDSN + 1";
  c.say({.seq = 6, .data = "!", .options = m.map_ack(5, 6, 1, 5)});
  EXPECT_EQ(m.acked_in(c.expect({.flags = A, .data = "!"}, 0ms, 100ms)), 6);
}

}  // namespace
}  // namespace braid::kit
