// protocol.md section 1, "Data level".
#include "unit/mptcp/rules.hpp"

namespace braid::kit {
namespace {

using stats::Drop;
using stats::Fallback;

TEST_F(MptcpRules, R20_ShortAndLongNumbers) {
  for (const bool is_short : {false, true}) {
    Lab& l = scripted();
    MpClient m(l);
    m.short_numbers = is_short;
    Remote& c = m.connect();
    m.data(c, 0, "hello");
    const Heard h = c.expect({.flags = A, .data = "hello"}, 0ms, 100ms);
    EXPECT_EQ(m.acked_in(h), 5);
    EXPECT_FALSE(h.mp().dss.ack_is_8 && h.mp().dss.dsn_is_8) << "8+8 is misread by Apple's parser";
    m.data(c, 5, "a", 5);
    m.data(c, 6, "b", 5);
    l.world.run_for(1ms);
    EXPECT_EQ(at_server().received(), 7U);
  }
}

TEST_F(MptcpRules, R21_MappingOverSeveralSegments) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect();
  c.say({.data = "one ", .options = m.map(0, 1, 13)});
  c.say({.data = "two "});                               // no DSS: covered
  c.say({.data = "three", .options = m.map(0, 1, 13)});  // the same one again
  l.world.run_for(1ms);
  EXPECT_EQ(at_server().received(), 13U);
}

TEST_F(MptcpRules, R21_SubflowNumbersAreRelativeAndWrap) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = l.remote(0, 30000, 0xfffffffaU);
  c.say({.flags = S, .options = m.capable_syn()});
  m.key_of_peer = c.expect({.flags = S | A, .ack = 1}).mp().capable.sender_key;
  m.third_ack(c);
  m.data(c, 0, "across the wrap");
  m.data(c, 15, " and on");
  l.world.run_for(1ms);
  EXPECT_EQ(at_server().received(), 22U);
}

TEST_F(MptcpRules, R21_ContradictingMappingIsReset) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect();
  c.say({.data = "one ", .options = m.map(0, 1, 8)});
  c.say({.data = "two ", .options = m.map(100, 5, 4)});
  l.world.run_for(1ms);
  bool reset = false;
  while (const auto h = c.next(0ms)) reset |= h->has(R) && h->mp().has(wire::kMpTcprst);
  EXPECT_TRUE(reset);
  EXPECT_EQ(at_server().received(), 4U);
  EXPECT_EQ(l.gateway->engine().use().sessions, 1U) << "the session is held, not ended";
}

TEST_F(MptcpRules, R22_NumbersWrapInTheLowHalf) {
  // A key whose data numbers start right below a wrap of the low half.
  std::uint64_t key = 1;
  while (static_cast<std::uint32_t>(idsn_of(key)) < 0xfffff000U) ++key;
  for (const bool is_short : {false, true}) {
    Lab& l = scripted();
    MpClient m(l, key);
    m.short_numbers = is_short;
    Remote& c = m.connect();
    const std::string text(1000, 'x');
    for (std::uint64_t i = 0; i < 8; ++i) {
      m.data(c, i * 1000, text, i * 1000);
      std::int64_t acked = -1;
      for (int k = 0; k < 3 && acked < static_cast<std::int64_t>(i + 1) * 1000; ++k)
        if (const auto h = c.next(100ms)) acked = m.acked_in(*h);
      EXPECT_EQ(acked, static_cast<std::int64_t>(i + 1) * 1000);
      c.skip();
      c.say({.options = m.ack((i + 1) * 1000)});
    }
    EXPECT_EQ(at_server().received(), 8000U);
  }
}

TEST_F(MptcpRules, R22_AckBeyondWhatWasSentIsIgnored) {
  Lab& l = scripted({}, {.send = 100, .finish = false});
  MpClient m(l);
  Remote& c = m.connect();
  c.expect({.flags = A, .length = 100}, 0ms, 100ms);
  c.say({.ack = 1, .options = m.ack(0)});
  c.say({.options = m.ack(5000)});
  l.world.run_for(10ms);
  // Still unacknowledged at data level: the gateway brings it again although TCP has it.
  bool again = false;
  while (const auto h = c.next(10s)) again |= h->data.size() == 100 && m.mapped_in(*h) == 0;
  EXPECT_TRUE(again);
}

TEST_F(MptcpRules, R23_DataFinAlone) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect();
  m.data(c, 0, "bye");
  c.expect({.flags = A, .data = "bye"}, 0ms, 100ms);
  m.data_fin(c, 3, 3);
  Heard h = c.expect({.flags = A, .length = 0});
  EXPECT_EQ(m.acked_in(h), 4);
  EXPECT_TRUE(at_server().saw_fin());
  // The echo server ends too: a DATA_FIN comes, of length 1, without subflow number.
  for (int i = 0; i < 3 && !h.mp().dss.data_fin; ++i) h = c.expect({.flags = A, .length = 0}, 0ms, 100ms);
  EXPECT_TRUE(h.mp().dss.data_fin);
  EXPECT_EQ(m.mapped_in(h), 3);
  EXPECT_EQ(h.mp().dss.length, 1);
  EXPECT_EQ(h.mp().dss.ssn, 0U);
  c.say({.options = m.ack(4)});
  c.expect({.flags = F | A}, 0ms, 100ms);  // only now, rule 24
}

TEST_F(MptcpRules, R23_DataFinWithDataAndRepeated) {
  Lab& l = scripted({}, {.send = 0, .finish = false});
  MpClient m(l);
  Remote& c = m.connect();
  m.data(c, 0, "bye", 0, true);
  const auto h = c.next(100ms);
  ASSERT_TRUE(h.has_value());
  EXPECT_EQ(m.acked_in(*h), 4);
  EXPECT_TRUE(at_server().saw_fin());
  EXPECT_EQ(at_server().received(), 3U);
  c.skip();
  m.data_fin(c, 3);  // as if our DATA_ACK was lost
  EXPECT_EQ(m.acked_in(c.expect({.flags = A, .length = 0})), 4);
}

TEST_F(MptcpRules, R23_DataFinIsRetransmitted) {
  Lab& l = scripted({}, {.send = 0});
  MpClient m(l);
  Remote& c = m.connect();
  unsigned seen = 0;
  while (const auto h = c.next(3s)) {
    if (h->mp().has(wire::kMpDss) && h->mp().dss.data_fin) ++seen;
    EXPECT_FALSE(h->has(F));
    if (seen >= 3) break;
  }
  EXPECT_GE(seen, 3U);
  c.say({.options = m.ack(1)});
  l.world.run_for(1ms);
  c.quiet(20s);
}

// A path may lose the options of segments without payload.
TEST_F(MptcpRules, R23_DataFinIsRepeatedOnEverySubflow) {
  Lab& l = scripted({}, {.send = 0});
  MpClient m(l);
  Remote& c = m.connect();
  Remote& j = m.join(1);
  l.world.run_for(3s);
  for (Remote* r : {&c, &j}) {
    unsigned seen = 0;
    while (const auto h = r->next(0ms)) seen += h->mp().has(wire::kMpDss) && h->mp().dss.data_fin ? 1 : 0;
    EXPECT_GE(seen, 2U) << (r == &c ? "on the first" : "on the join");
  }
}

// Two ends whose DATA_FIN is not acknowledged yet, since data before it is missing, would else answer each
// other for ever.
TEST_F(MptcpRules, R23_AnswerToADataFinIsNone) {
  Lab& l = scripted({}, {.send = 0});
  MpClient m(l);
  Remote& c = m.connect();
  l.world.run_for(1ms);
  c.skip();
  m.data_fin(c, 100);  // 100 bytes are missing before it
  const Heard h = c.expect({.flags = A, .length = 0});
  EXPECT_EQ(m.acked_in(h), 0);
  EXPECT_FALSE(h.mp().dss.data_fin);
}

TEST_F(MptcpRules, R24_SubflowFinIsNotTheEnd) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect();
  Remote& j = m.join(1);
  j.say({.flags = F | A});
  l.world.run_for(10ms);
  EXPECT_FALSE(at_server().saw_fin());
  c.skip();
  m.data(c, 0, "still open");
  bool echoed = false;
  while (const auto h = c.next(200ms)) echoed |= h->data == "still open";
  EXPECT_TRUE(echoed);
}

// 3.3.3: a FIN ends one direction of one subflow. What we have to send goes on.
TEST_F(MptcpRules, R24_FinOnTheOnlySubflowDoesNotCutWhatIsToBeSent) {
  constexpr std::int64_t kBytes = 40'000;  // more than an initial window
  Lab& l = scripted({}, {.send = kBytes, .finish = false});
  MpClient m(l);
  Remote& c = m.connect();
  l.world.run_for(10ms);
  c.say({.flags = F | A, .options = m.ack(0)});
  std::int64_t got = 0;
  bool fin = false;
  while (const auto h = c.next(3s)) {
    fin |= h->has(F);
    if (h->data.empty()) continue;
    EXPECT_FALSE(fin) << "before everything was acknowledged";
    got = std::max(got, m.mapped_in(*h) + static_cast<std::int64_t>(h->data.size()));
    c.say({.options = m.ack(static_cast<std::uint64_t>(got))});
  }
  EXPECT_EQ(got, kBytes);
  EXPECT_TRUE(fin) << "nothing more keeps it";
}

// The peer has said by DATA_FIN that no more comes from it on any subflow: this one stays for the answer.
TEST_F(MptcpRules, R24_AnswerGoesOutBehindDataFinAndFin) {
  Lab& l = make({.servers = {{.name = "s", .delay = 20ms}}, .scripted_client = true});
  l.server_host().listen(kServerPort, {.echo = true, .finish_after_peer = true});
  MpClient m(l);
  Remote& c = m.connect();
  l.world.run_for(100ms);
  m.data(c, 0, "question", 0, true);
  c.say({.flags = F | A, .options = m.ack(0)});
  bool answered = false;
  bool data_fin = false;
  bool fin = false;
  while (const auto h = c.next(3s)) {
    answered |= h->data == "question";
    data_fin |= h->mp().has(wire::kMpDss) && h->mp().dss.data_fin;
    EXPECT_TRUE(data_fin || !h->has(F)) << "too early: " << describe(*h);
    fin |= h->has(F);
    if (answered) c.say({.options = m.ack(data_fin ? 9 : 8)});
  }
  EXPECT_TRUE(answered && data_fin && fin);
}

TEST_F(MptcpRules, R24_SubflowThatThePeerHasClosedIsClosedOnceAnotherComes) {
  Lab& l = scripted({}, {.send = 40'000, .finish = false});
  MpClient m(l);
  Remote& c = m.connect();
  l.world.run_for(10ms);
  c.say({.flags = F | A, .options = m.ack(0)});
  l.world.run_for(10ms);
  c.skip();
  m.join(1);
  bool fin = false;
  for (int i = 0; i < 100 && !fin; ++i) {
    c.say({});
    while (const auto h = c.next(1ms)) fin |= h->has(F);
  }
  EXPECT_TRUE(fin);
}

TEST_F(MptcpRules, R24_ServerHalfCloseBecomesDataFin) {
  Lab& l = scripted({}, {.send = 3});
  MpClient m(l);
  Remote& c = m.connect();
  bool data_fin = false;
  for (int i = 0; i < 5 && !data_fin; ++i) {
    const auto h = c.next(100ms);
    ASSERT_TRUE(h.has_value());
    EXPECT_FALSE(h->has(F));
    data_fin = h->mp().has(wire::kMpDss) && h->mp().dss.data_fin;
  }
  EXPECT_TRUE(data_fin);
  m.data(c, 0, "other direction lives", 4);
  l.world.run_for(1ms);
  EXPECT_EQ(at_server().received(), 21U);
}

TEST_F(MptcpRules, R25_NothingIsDeliveredBeforeTheWholeMappingIsIn) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect(true);
  const std::string text = "abcdefg";
  const auto sum =
      wire::dss_checksum(idsn_of(m.key()) + 1, 1, 7, wire::ones_sum(std::as_bytes(std::span(text))));
  c.say({.data = "abc", .options = [&](wire::OptionBuffer& o) {
           wire::Dss d;
           d.has_map = d.dsn_is_8 = d.has_checksum = true;
           d.dsn = idsn_of(m.key()) + 1;
           d.ssn = 1;
           d.length = 7;
           d.checksum = sum;
           o.dss(d);
         }});
  const auto h = c.next(100ms);
  if (h) {
    EXPECT_EQ(m.acked_in(*h), 0);
  }
  EXPECT_EQ(at_server().received(), 0U);
  c.say({.data = "defg"});
  l.world.run_for(50ms);
  EXPECT_EQ(at_server().received(), 7U);
}

TEST_F(MptcpRules, R25_MappingWithoutTheAgreedChecksumIsReset) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect(true);
  m.checksum = false;
  m.data(c, 0, "hello");
  l.world.run_for(0ms);
  bool reset = false;
  while (const auto h = c.next(1ms)) reset |= h->has(R);
  EXPECT_TRUE(reset);
  EXPECT_EQ(at_server().received(), 0U);
}

TEST_F(MptcpRules, R25_R26_BadChecksumAloneFallsBack) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect(true);
  c.say({.data = "abc", .options = [&](wire::OptionBuffer& o) {
           wire::Dss d;
           d.has_map = d.dsn_is_8 = d.has_checksum = true;
           d.dsn = idsn_of(m.key()) + 1;
           d.ssn = 1;
           d.length = 3;
           d.checksum = 0x1234;
           o.dss(d);
         }});
  bool failed = false;
  while (const auto h = c.next(100ms)) failed |= h->mp().has(wire::kMpFail);
  EXPECT_TRUE(failed) << "no MP_FAIL";
  EXPECT_EQ(l.gateway->drops(Drop::data_checksum), 1U);
  EXPECT_EQ(l.gateway->fallbacks(Fallback::checksum), 1U);
}

TEST_F(MptcpRules, R25_R26_BadChecksumBesideOthersIsResetWithMpFail) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect(true);
  Remote& j = m.join(1);
  c.skip();
  j.say({.data = "abc", .options = [&](wire::OptionBuffer& o) {
           wire::Dss d;
           d.has_map = d.dsn_is_8 = d.has_checksum = true;
           d.dsn = idsn_of(m.key()) + 1;
           d.ssn = 1;
           d.length = 3;
           d.checksum = 0x1234;
           o.dss(d);
         }});
  const auto h = j.next(10ms);
  ASSERT_TRUE(h.has_value());
  EXPECT_TRUE(h->has(R));
  EXPECT_TRUE(h->mp().has(wire::kMpFail)) << "RFC 8684 3.7: MP_FAIL on the RST";
  m.data(c, 0, "abc");
  l.world.run_for(1ms);
  EXPECT_EQ(at_server().received(), 3U);
}

// What was kept for its checksum comes before what follows the fallback, and costs no buffer for each crumb.
TEST_F(MptcpRules, R25_KeptBytesKeepTheirPlaceInAFallback) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect(true);
  c.say({.data = "one ", .options = m.map(0, 1, 13)});
  c.say({.data = "two "});
  l.world.run_for(1ms);
  EXPECT_EQ(at_server().received(), 0U);
  c.say({.data = "three", .options = [](wire::OptionBuffer& o) { o.mp_fail(0); }});
  l.world.run_for(10ms);
  EXPECT_EQ(at_server().received(), 13U);
  EXPECT_EQ(l.gateway->engine().use().sessions, 1U);
}

TEST_F(MptcpRules, R25_MappingInCrumbsDoesNotTakeABufferForEach) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect(true);
  const auto before = buffers_in_use();
  c.say({.data = "x", .options = m.map(0, 1, 60'000)});
  for (int i = 0; i < 3000; ++i) c.say({.data = "x"});
  l.world.run_for(10ms);
  EXPECT_LT(buffers_in_use() - before, 100U);
}

TEST_F(MptcpRules, R26_InfiniteMappingFallsBack) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect();
  c.say({.data = "infinite", .options = m.map(0, 1, 0)});
  c.say({.data = " and plain"});
  l.world.run_for(1ms);
  EXPECT_EQ(at_server().received(), 18U);
  EXPECT_EQ(l.gateway->fallbacks(Fallback::peer), 1U);
}

TEST_F(MptcpRules, R27_NoFallbackAfterAJoin) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect();
  Remote& j = m.join(1);
  j.say({.flags = R});
  l.world.run_for(1ms);
  c.skip();
  c.say({.data = "infinite", .options = m.map(0, 1, 0)});
  l.world.run_for(1ms);
  EXPECT_EQ(l.gateway->fallbacks(Fallback::peer), 0U);
  bool reset = false;
  while (const auto h = c.next(0ms)) reset |= h->has(R);
  EXPECT_TRUE(reset);
  EXPECT_EQ(at_server().received(), 0U);
}

TEST_F(MptcpRules, NoMappingOnTheFirstDataFallsBack) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect();
  c.say({.data = "stripped"});
  l.world.run_for(1ms);
  EXPECT_EQ(at_server().received(), 8U);
  EXPECT_EQ(l.gateway->fallbacks(Fallback::no_mapping), 1U);
}

TEST_F(MptcpRules, R28_OneRightEdgeThatNeverMovesLeft) {
  Lab& l = scripted([](relay::Settings& r, engine::Settings&) { r.buffer = 64'000; },
                    {.finish = false, .stop_reading_at = 0});
  l.server_host().budget = 4000;
  MpClient m(l);
  Remote& c = m.connect();
  Remote& j = m.join(1);
  c.skip();
  std::int64_t edge = 0;
  std::uint64_t sent = 0;
  const std::string piece(1000, 'x');
  for (int i = 0; i < 60; ++i) {
    Remote& on = i % 2 == 0 ? c : j;
    m.data(on, sent, piece);
    sent += piece.size();
    l.world.run_for(50ms);
    for (Remote* r : {&c, &j}) {
      while (const auto h = r->next(0ms)) {
        if (m.acked_in(*h) < 0) continue;
        const std::int64_t now = m.acked_in(*h) + h->frame.window;
        EXPECT_GE(now, edge) << "moved left: " << describe(*h);
        edge = std::max(edge, now);
      }
    }
  }
  EXPECT_LE(edge, 64'000 + 4000) << "more offered than the buffer holds";
}

TEST_F(MptcpRules, R28_WindowWithoutADataAckIsStale) {
  Lab& l = scripted({}, {.send = 100'000, .finish = false, .piece = 500});
  MpClient m(l);
  Remote& c = m.half_open();
  c.window = 8;  // 1,024 bytes
  m.third_ack(c);
  std::uint32_t heard = 0;
  const auto listen = [&] {
    while (const auto h = c.next(1ms))
      heard = std::max(heard, h->seq + static_cast<std::uint32_t>(h->data.size()) - 1);
  };
  listen();
  EXPECT_EQ(heard, 1000U);
  c.window = 0xffff;
  c.say({.options = [](wire::OptionBuffer& o) { o.mp_prio(false); }});
  listen();
  EXPECT_LE(heard, 1024U);
  c.say({.options = m.ack(heard)});
  listen();
  EXPECT_GT(heard, 4000U);
}

TEST_F(MptcpRules, R29_DataAckAloneFreesNothing) {
  Lab& l = scripted({}, {.send = 100, .finish = false});
  MpClient m(l);
  Remote& c = m.connect();
  c.expect({.flags = A, .length = 100}, 0ms, 100ms);
  c.say({.ack = 1, .options = m.ack(100)});  // acknowledged as data, not on the subflow
  const auto again = c.next(3s);
  ASSERT_TRUE(again.has_value()) << "not retransmitted on the subflow: a middlebox would see a hole";
  EXPECT_EQ(again->data.size(), 100U);
}

// A box has acknowledged the segment and lost it: the same path may do that again.
TEST_F(MptcpRules, R29_WhatAPathSwallowsGoesToAnother) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect();
  Remote& j = m.join(1, 2, true);
  l.world.run_for(1ms);
  c.skip();
  m.data(c, 0, "swallowed");
  c.expect({.flags = A, .data = "swallowed"}, 0ms, 100ms);
  c.say({.options = m.ack(0)});  // acknowledges the segment, and nothing as data
  bool again = false;
  while (const auto h = j.next(3s)) again |= h->data == "swallowed" && m.mapped_in(*h) == 0;
  EXPECT_TRUE(again);
  EXPECT_GE(l.gateway->counter(stats::Counter::mptcp_reinjected_segments), 1U);
}

TEST_F(MptcpRules, R30_OneWayTrafficIsAcknowledged) {
  Lab& l = scripted({}, {.finish = false, .stop_reading_at = 0});
  MpClient m(l);
  Remote& c = m.connect();
  m.data(c, 0, std::string(1000, 'x'));
  const Heard h = c.expect({.flags = A, .length = 0}, 0ms, 100ms);
  EXPECT_EQ(m.acked_in(h), 1000);
}

// RFC 3042: the session gives a subflow what its limited transmit lets out.
TEST_F(MptcpRules, DuplicatesWithoutSackLetNewSegmentsOut) {
  Lab& l = scripted({}, {.send = 100'000, .finish = false});
  MpClient m(l);
  m.sack = false;
  Remote& c = m.connect();
  std::int64_t highest = -1;
  const auto fresh = [&] {  // segments of new data
    unsigned n = 0;
    while (const auto h = c.next(1ms)) {
      if (h->data.empty() || m.mapped_in(*h) <= highest) continue;
      highest = m.mapped_in(*h);
      ++n;
    }
    return n;
  };
  EXPECT_EQ(fresh(), 10U);
  for (int i = 0; i < 2; ++i) {
    c.say({.ack = 1, .options = m.ack(0)});
    EXPECT_EQ(fresh(), 1U) << i;
  }
}

TEST_F(MptcpRules, R31_SackFitsBesideTheDataAck) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.half_open();
  m.third_ack(c);
  c.say({.seq = 101, .data = "x", .options = m.map(100, 101, 1)});
  const Heard h = c.expect({.flags = A, .length = 0});
  EXPECT_GE(h.frame.options.sack_count, 1);
  EXPECT_EQ(m.acked_in(h), 0);
  EXPECT_LE(options_of(h.packet, h.frame).size(), wire::kMaxOptionBytes);
}

// A session's handshake with timestamps.
Remote& with_stamps(Lab& l, MpClient& m) {
  Remote& c = l.remote(0, 30000);
  c.stamp = 7;
  c.say({.flags = S, .options = m.capable_syn()});
  const Heard h = c.expect({.flags = S | A});
  c.stamp_echo = h.frame.options.ts_value;
  m.key_of_peer = h.mp().capable.sender_key;
  m.third_ack(c);
  return c;
}

TEST_F(MptcpRules, R31_FullSegmentsFitWithAllTheirOptions) {
  Lab& l = scripted({}, {.send = 50'000, .finish = false});
  MpClient m(l);
  Remote& c = with_stamps(l, m);
  std::size_t largest = 0;
  while (const auto d = c.next(50ms)) {
    largest = std::max(largest, d->packet.size());
    EXPECT_LE(options_of(d->packet, d->frame).size(), wire::kMaxOptionBytes);
    EXPECT_TRUE(d->frame.options.has_timestamps);
    EXPECT_TRUE(d->mp().has(wire::kMpDss));
  }
  EXPECT_EQ(largest, 1500 + wire::kEthernetHeader) << "full segments, and none too large";
}

// An IPv6 address with a port takes 32 of the 40 bytes: that segment goes without its timestamps.
TEST_F(MptcpRules, R31_LargeAnnouncementGoesWithoutTimestamps) {
  const Endpoint announced{Ip::v6(0x2001'0db8'0000'0000ULL, 3), 8443};
  Lab& l = make({.v6 = true, .scripted_client = true, .tune = [&](relay::Settings& r, engine::Settings&) {
                   r.listeners[0].announce_addresses = {announced};
                 }});
  l.server_host().listen(kServerPort, {.echo = true});
  MpClient m(l);
  Remote& c = with_stamps(l, m);
  const Heard a = c.expect({.flags = A, .length = 0});
  ASSERT_TRUE(a.mp().has(wire::kMpAddAddr)) << describe(a);
  EXPECT_EQ(a.mp().add_addr.ip, announced.ip);
  EXPECT_EQ(a.mp().add_addr.port, 8443);
  EXPECT_FALSE(a.frame.options.has_timestamps);
}

// A segment that reaches beyond its mapping is cut there; without a buffer to do it, nobody is accused.
TEST_F(MptcpRules, R21_SegmentThatCannotBeCutEndsTheSubflowForWantOfResources) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect();
  l.world.run_for(10ms);
  const Shortage one_left(1);
  c.say({.data = "mapped, and not", .options = m.map_ack(0, 1, 6, 0)});
  expect_reset(c, static_cast<std::uint8_t>(stats::RstReason::resources));
}

}  // namespace
}  // namespace braid::kit
