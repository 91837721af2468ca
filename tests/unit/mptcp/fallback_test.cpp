// Fallback after the handshake (RFC 8684 3.7), packet by packet: MP_FAIL, infinite mappings, options that
// vanish.
#include "unit/mptcp/rules.hpp"

namespace braid::kit {
namespace {

using stats::Counter;
using stats::Fallback;

class MptcpFallback : public MptcpRules {
 protected:
  // Three bytes whose checksum is wrong.
  static Options bad_checksum(const MpClient& m, std::uint64_t at = 0, std::uint32_t ssn = 1) {
    return [&m, at, ssn](wire::OptionBuffer& o) {
      wire::Dss d;
      d.has_map = d.dsn_is_8 = d.has_checksum = true;
      d.dsn = idsn_of(m.key()) + 1 + at;
      d.ssn = ssn;
      d.length = 3;
      d.checksum = 0x1234;
      o.dss(d);
    };
  }
  static Options mp_fail(const MpClient& m) {
    return [&m](wire::OptionBuffer& o) { o.mp_fail(idsn_of(m.key()) + 1); };
  }
  static std::optional<Heard> next_data(Remote& c) {
    while (auto h = c.next(200ms))
      if (!h->data.empty()) return h;
    return {};
  }
  // An echo server's client after the first bytes, which were acknowledged as data both ways.
  static Remote& served(MpClient& m, const std::string& text) {
    Remote& c = m.connect();
    m.data(c, 0, text);
    EXPECT_TRUE(next_data(c).has_value());
    c.say({.options = m.ack(text.size())});
    return c;
  }
  static bool is_infinite(const Heard& h) {
    return h.mp().has(wire::kMpDss) && h.mp().dss.has_map && h.mp().dss.length == 0 &&
           h.mp().dss.checksum == 0;
  }
};

TEST_F(MptcpFallback, R26_MpFailIsRepeatedUntilAnswered) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect(true);
  c.skip();
  c.say({.data = "abc", .options = bad_checksum(m)});
  const Heard first = c.expect({.flags = A, .ack = 4, .length = 0});
  EXPECT_TRUE(first.mp().has(wire::kMpFail));
  EXPECT_EQ(first.mp().fail_dsn, idsn_of(m.key()) + 1);
  EXPECT_EQ(first.frame.flags, A) << "Apple takes it with ACK alone";
  const auto echo = next_data(c);
  ASSERT_TRUE(echo.has_value());
  EXPECT_EQ(echo->data, "abc") << "the bytes are what plain TCP would give";
  EXPECT_TRUE(is_infinite(*echo));
  // The MP_FAIL was lost: the client goes on as before, and is told again.
  c.say({.seq = 1, .ack = 4, .data = "abc", .options = bad_checksum(m)});
  EXPECT_TRUE(c.expect({.flags = A, .ack = 4, .length = 0}).mp().has(wire::kMpFail));
  c.say({.options = mp_fail(m)});
  l.world.run_for(1ms);
  c.skip();
  c.say({.seq = 1, .ack = 4, .data = "abc"});
  EXPECT_FALSE(c.expect({.flags = A, .ack = 4, .length = 0}).mp().has(wire::kMpFail)) << "it was answered";
}

// Each of two MP_FAILs on the way is answered: the second answer must not draw one in turn.
TEST_F(MptcpFallback, R26_AnswersToMpFailAreNotAnswered) {
  Lab& l = scripted({}, {.send = 0, .finish = false});
  MpClient m(l);
  Remote& c = m.connect(true);
  c.skip();
  c.say({.data = "abc", .options = bad_checksum(m)});
  EXPECT_TRUE(c.expect({.flags = A, .ack = 4, .length = 0}).mp().has(wire::kMpFail));
  c.say({.options = mp_fail(m)});
  c.say({.options = mp_fail(m)});
  c.quiet(1s);
}

TEST_F(MptcpFallback, R26_EveryMpFailOfAPeerThatBeganIsAnswered) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect(true);
  c.skip();
  for (int i = 0; i < 3; ++i) {
    c.say({.options = mp_fail(m)});
    EXPECT_TRUE(c.expect({.flags = A, .length = 0}).mp().has(wire::kMpFail)) << i;
  }
  c.quiet(1s);
}

TEST_F(MptcpFallback, R26_MpFailIsAnsweredAndAnInfiniteMappingFollows) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect(true);
  m.checksum = true;
  m.data(c, 0, "good");
  const auto before = next_data(c);
  ASSERT_TRUE(before.has_value());
  c.skip();
  c.say({.options = mp_fail(m)});
  const Heard answer = c.expect({.flags = A, .length = 0});
  EXPECT_TRUE(answer.mp().has(wire::kMpFail));
  EXPECT_EQ(answer.frame.flags, A);
  EXPECT_EQ(l.gateway->fallbacks(Fallback::peer), 1U);
  c.say({.data = "plain"});
  const auto echo = next_data(c);
  ASSERT_TRUE(echo.has_value());
  EXPECT_TRUE(is_infinite(*echo));
  EXPECT_EQ(static_cast<std::uint32_t>(echo->mp().dss.dsn),
            static_cast<std::uint32_t>(idsn_of(m.key_of_peer) + 1 + 4));
  EXPECT_EQ(echo->mp().dss.ssn, 5U);
  const auto again = c.next(3s);  // not acknowledged: the repetition carries the mapping too
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->seq, echo->seq);
  EXPECT_TRUE(is_infinite(*again));
  c.say({.data = "more"});
  const auto last = next_data(c);
  ASSERT_TRUE(last.has_value());
  EXPECT_EQ(last->mp().present, 0) << "once is enough";
}

TEST_F(MptcpFallback, R26_MpFailBesideOthersComesOnNothingButARst) {
  Lab& l = scripted();
  MpClient m(l);
  m.connect(true);
  Remote& j = m.join(1);
  j.say({.data = "abc", .options = bad_checksum(m)});
  const auto h = j.next(10ms);
  ASSERT_TRUE(h.has_value());
  EXPECT_EQ(h->frame.flags, R);
  EXPECT_TRUE(h->mp().has(wire::kMpFail));
  EXPECT_EQ(h->mp().tcprst.reason, 6) << "rule 39: middlebox interference";
  l.world.run_for(1ms);
}

TEST_F(MptcpFallback, R27_OptionsThatVanishInMidStream) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = served(m, "mapped ");
  c.say({.data = "and no more"});
  const auto echo = next_data(c);
  ASSERT_TRUE(echo.has_value());
  EXPECT_EQ(echo->data, "and no more");
  EXPECT_EQ(at_server().received(), 18U);
  EXPECT_EQ(l.gateway->fallbacks(Fallback::stripped), 1U);
}

TEST_F(MptcpFallback, R27_NotWithAHole) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect();
  m.data(c, 0, "mapped ");
  c.say({.data = "hole", .options = m.map(100, 8, 4)});  // data of a path that is gone is missing before it
  l.world.run_for(100ms);
  c.skip();
  c.say({.data = "and no more"});
  expect_reset(c, 6);
  EXPECT_EQ(at_server().received(), 7U);
}

TEST_F(MptcpFallback, R27_NotWhereChecksumsWereAgreed) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect(true);
  m.checksum = true;
  m.data(c, 0, "mapped ");
  l.world.run_for(100ms);
  c.skip();
  c.say({.data = "and no more"});
  expect_reset(c, 6);
  EXPECT_EQ(at_server().received(), 7U);
}

TEST_F(MptcpFallback, ContradictoryMappingIsNoFallback) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect();
  c.say({.data = "mapped", .options = m.map(0, 1, 20)});
  c.say({.data = "elsewhere", .options = m.map(500, 7, 9)});
  l.world.run_for(0ms);
  bool reset = false;
  while (const auto h = c.next(1ms)) reset |= h->has(R);
  EXPECT_TRUE(reset);
  EXPECT_EQ(l.gateway->fallbacks(Fallback::stripped), 0U);
}

// A client that has not noticed would send again as data what TCP acknowledges: new bytes to a plain stream.
TEST_F(MptcpFallback, R26_ThatOptionsVanishedIsToldByMpFail) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = served(m, "mapped ");
  c.skip();
  c.say({.data = "and no more"});
  const Heard told = c.expect({.flags = A, .ack = 19, .length = 0});
  ASSERT_TRUE(told.mp().has(wire::kMpFail));
  EXPECT_EQ(told.mp().fail_dsn, idsn_of(m.key()) + 1 + 7);
}

TEST_F(MptcpFallback, R26_ThatOptionsNeverCameIsToldToo) {
  Lab& l = scripted({}, {.send = 3, .finish = false});
  MpClient m(l);
  Remote& c = m.connect();
  ASSERT_TRUE(next_data(c).has_value());  // with DSS: the client takes both directions for MPTCP
  c.say({.ack = 1, .data = "stripped"});
  const Heard told = c.expect({.flags = A, .ack = 9, .length = 0});
  EXPECT_TRUE(told.mp().has(wire::kMpFail));
  EXPECT_EQ(l.gateway->fallbacks(Fallback::no_mapping), 1U);
}

// Both directions have lost their options, and the server ends before it has data that could say so.
TEST_F(MptcpFallback, R24_FinWithoutOptionsEndsThePlainStream) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect();
  m.data(c, 0, "all");
  c.say({.flags = F | A});
  EXPECT_TRUE(at_server().saw_fin());
  EXPECT_EQ(l.gateway->fallbacks(Fallback::stripped), 1U);
  bool fin = false;
  while (const auto h = c.next(100ms)) fin |= h->has(F);
  EXPECT_TRUE(fin) << "the echo server's end";
}

// A box that acknowledges for us, without options, is reason enough for a client to fall back on its own. The
// mapping it sent before covers all it has, DATA_FIN included; what it now waits for is our FIN behind our
// last byte.
TEST_F(MptcpFallback, R24_FinWithoutOptionsBehindADataFinLeavesOurHalfOpen) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect();
  m.data(c, 0, "all", 0, true);
  c.say({.flags = F | A});
  std::string got;
  bool fin = false;
  while (const auto h = c.next(100ms)) {
    EXPECT_FALSE(fin) << describe(*h);
    got += h->data;
    fin = h->has(F);
    c.say({});
  }
  EXPECT_EQ(got, "all") << "the echo";
  EXPECT_TRUE(fin);
  EXPECT_EQ(l.gateway->fallbacks(Fallback::stripped), 1U);
}

// One that has acknowledged data reads mappings: its stream may go on elsewhere, and if it does not, nobody
// is told that it was whole.
TEST_F(MptcpFallback, R24_FinWithoutOptionsAfterADataAckIsNotTheStreamsEnd) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect();
  m.data(c, 0, "all");
  ASSERT_TRUE(next_data(c).has_value());
  c.say({.options = m.ack(3)});
  c.say({.flags = F | A});
  l.world.run_for(10ms);
  EXPECT_FALSE(at_server().saw_fin());
  EXPECT_EQ(l.gateway->fallbacks(Fallback::stripped), 0U);
  ASSERT_TRUE(l.run([&] { return at_server().released(); }, 10min));
  EXPECT_FALSE(at_server().saw_fin());
  EXPECT_EQ(at_server().failure(), tcp::Failure::reset);
}

TEST_F(MptcpFallback, R24_FinWithOptionsIsNotTheStreamsEnd) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect();
  m.data(c, 0, "all");
  ASSERT_TRUE(next_data(c).has_value());
  c.say({.flags = F | A, .options = m.ack(3)});
  l.world.run_for(10ms);
  EXPECT_FALSE(at_server().saw_fin());
  EXPECT_EQ(l.gateway->fallbacks(Fallback::stripped), 0U);
}

// The mapping that failed ends inside a segment, as after a box that has put bytes in.
TEST_F(MptcpFallback, R26_RestOfTheSegmentIsPlainToo) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect(true);
  c.say({.data = "abcdef", .options = bad_checksum(m)});
  l.world.run_for(1ms);
  EXPECT_EQ(at_server().received(), 6U);
  EXPECT_EQ(l.gateway->fallbacks(Fallback::checksum), 1U);
}

// Every order of a fallback and the steps of a join: a join counts from its third ACK on, and none is taken
// after a fallback.
TEST_F(MptcpFallback, R27_JoinsAndFallbackInEveryOrder) {
  for (const int steps : {0, 1, 2}) {  // of the join, before the fallback
    Lab& l = scripted();
    MpClient m(l);
    Remote& c = served(m, "x");
    Remote* j = steps == 0 ? nullptr : &m.half_join(1, l.listener());
    if (steps == 2) m.join_ack(*j);
    c.say({.data = "plain", .options = m.map(1, 2, 0)});
    l.world.run_for(1ms);
    const bool falls_back = steps != 2;
    EXPECT_EQ(l.gateway->fallbacks(Fallback::peer), falls_back ? 1U : 0U) << steps;
    EXPECT_EQ(at_server().received(), falls_back ? 6U : 1U) << steps;
    EXPECT_EQ(l.gateway->engine().use().subflows, 1U) << steps;
    if (steps == 0) {
      Remote& late = l.remote(1, 31000, 500);
      late.say({.flags = S, .options = m.join_syn(2)});
      EXPECT_TRUE(late.expect({.flags = R | A}).has(R));
    }
    if (steps == 1) {
      EXPECT_TRUE(j->expect({.flags = R | A}).has(R)) << "the join's third ACK may come no more";
      j->say({.options = m.join_third()});
      EXPECT_TRUE(j->expect({.flags = R}).has(R));
      EXPECT_EQ(l.gateway->joins(stats::Join::fallback), 1U);
    }
    EXPECT_EQ(l.gateway->joins(stats::Join::ok), falls_back ? 0U : 1U) << steps;
  }
}

// The client may believe that its join is complete: it would not take part in a fallback.
TEST_F(MptcpFallback, R27_PathThatStripsIsGivenUpForAJoinUnderWay) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = served(m, "x");
  Remote& j = m.half_join(1, l.listener());
  c.say({.data = "plain"});
  const Heard reset = c.expect({.flags = R | A});
  EXPECT_EQ(reset.mp().tcprst.reason, 6) << "rule 39: middlebox interference";
  m.join_ack(j);
  m.data(j, 1, "plain");
  ASSERT_TRUE(next_data(j).has_value());
  EXPECT_EQ(at_server().received(), 6U);
  EXPECT_EQ(l.gateway->joins(stats::Join::ok), 1U);
  EXPECT_EQ(l.gateway->fallbacks(Fallback::stripped), 0U);
}

// A box has cut the client's segment, left the options on its first part, and the rest has overtaken that.
TEST_F(MptcpFallback, R21_RestOfACutSegmentIsNoSignOfPlainTcp) {
  Lab& l = scripted({}, {.send = 3, .finish = false});
  MpClient m(l);
  Remote& c = m.connect();
  ASSERT_TRUE(next_data(c).has_value());
  c.say({.seq = 4, .data = "def"});
  l.world.run_for(1ms);
  c.say({.seq = 1, .data = "abc", .options = m.map_ack(0, 1, 6, 3)});
  l.world.run_for(1ms);
  EXPECT_EQ(at_server().received(), 6U);
  EXPECT_EQ(l.gateway->fallbacks(Fallback::no_mapping), 0U);
  m.data(c, 6, "ghi", 3);
  l.world.run_for(1ms);
  EXPECT_EQ(at_server().received(), 9U);
}

// The way back loses the options: TCP acknowledges our data, DATA_ACKs come no more.
TEST_F(MptcpFallback, DataAcksThatVanishInMidStream) {
  Lab& l = scripted({}, {.send = 60'000, .send_key = 2});
  MpClient m(l);
  Remote& c = m.connect();
  std::uint64_t got = 0;
  const Instant end = l.world.now() + 60s;
  while (got < 60'000 && l.world.now() < end) {
    const auto h = c.next(1s);
    if (!h || h->data.empty()) continue;
    got = std::max<std::uint64_t>(got, h->seq + h->data.size() - 1);
    if (got < 5000) {
      c.say({.ack = static_cast<std::uint32_t>(1 + got), .options = m.ack(got)});
    } else {
      c.say({.ack = static_cast<std::uint32_t>(1 + got)});
    }
  }
  EXPECT_EQ(got, 60'000U) << "stuck behind a data window that nobody moves";
  l.world.run_for(10s);
  EXPECT_EQ(l.gateway->fallbacks(Fallback::stripped), 1U);
}

TEST_F(MptcpFallback, CrumbsDoNotTakeABufferForEach) {
  Lab& l = scripted({}, {.send = 30'000, .send_key = 2, .finish = false, .piece = 1});
  MpClient m(l);
  Remote& c = m.half_open();
  c.window = 100;
  c.say({});  // plain from the beginning
  l.world.run_for(5s);
  EXPECT_EQ(l.gateway->fallbacks(Fallback::third_ack), 1U);
  EXPECT_LT(buffers_in_use(), 4000U);
}

TEST_F(MptcpFallback, R08_LaterVersionIsAnsweredWithOurs) {
  Lab& l = scripted();
  MpClient m(l);
  for (const int version : {2, 15}) {
    Remote& c = l.remote(0, static_cast<std::uint16_t>(31000 + version));
    c.say({.flags = S, .options = [version](wire::OptionBuffer& o) {
             wire::MpCapable v;
             v.version = static_cast<std::uint8_t>(version);
             o.mp_capable(v);
           }});
    const Heard h = c.expect({.flags = S | A});
    ASSERT_TRUE(h.mp().has(wire::kMpCapable)) << "version " << version;
    EXPECT_EQ(h.mp().capable.version, 1);
  }
}

TEST_F(MptcpFallback, AnnouncementsAreGivenUpWhileDataFlows) {
  Lab& l = scripted([](relay::Settings& r, engine::Settings&) {
    r.listeners[0].announce_addresses = {{Ip::v4(0xc6120003), 0}};
    r.listeners[0].profile.announce = r.listeners[0].announce_addresses;
  });
  MpClient m(l);
  Remote& c = m.connect();
  for (unsigned i = 0; i < 300; ++i) {
    m.data(c, i, "x", i);
    l.world.run_for(100ms);
    c.skip();
  }
  EXPECT_GE(l.gateway->counter(Counter::mptcp_add_addr_sent), 2U);
  EXPECT_LE(l.gateway->counter(Counter::mptcp_add_addr_sent), 5U);
}

}  // namespace
}  // namespace braid::kit
