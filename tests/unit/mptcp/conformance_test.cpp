// Rules of RFC 8684 that docs/conformance lists by their ids.
#include <map>

#include "unit/mptcp/rules.hpp"
#include "unit/tcp/fixture.hpp"

namespace braid::kit {
namespace {

using stats::Counter;
using stats::Fallback;
using stats::RstReason;

class MptcpConformance : public MptcpRules {
 protected:
  // Announces one address (port 0: the subflow's), or two.
  static Tune announcing(std::vector<Endpoint> addresses) {
    return [addresses = std::move(addresses)](relay::Settings& r, engine::Settings&) {
      r.listeners[0].announce_addresses = addresses;
    };
  }
  static Options add_addr(const MpClient& m, std::uint8_t id) {
    wire::AddAddr a;
    a.id = id;
    a.ip = Ip::v4(0xcb007105);
    a.hmac = announce_mac(m.key(), m.key_of_peer, id, a.ip, 0);
    return [a](wire::OptionBuffer& o) { o.add_addr(a); };
  }
  static Options remove_addr(std::uint8_t id) {
    return [id](wire::OptionBuffer& o) { o.remove_addr(std::vector<std::uint8_t>{id}); };
  }
  // The MPTCP options of a segment, each with its kind and length.
  static std::vector<Packet> mptcp_options(const Heard& h) {
    std::vector<Packet> found;
    const ByteView options = options_of(h.packet, h.frame);
    Packet copy(options.begin(), options.end());
    for_each_option(copy, [&](unsigned kind, ByteSpan option) {
      if (kind == wire::kMptcpKind) found.emplace_back(option.begin(), option.end());
    });
    return found;
  }
  static unsigned bits(const Packet& option, std::size_t at, unsigned mask) {
    return std::to_integer<unsigned>(option.at(at)) & mask;
  }
  // The reset that comes on `c` before long, whatever else does.
  static std::optional<Heard> reset_of(Remote& c, Duration within = 1ms) {
    while (auto h = c.next(within))
      if (h->has(R)) return h;
    return {};
  }
};

// 3-3, 3.4.1-1, 3.4.2-5: with each of the options on segments that TCP does not take, nothing happens.
TEST_F(MptcpConformance, OptionsOfUnacceptableSegmentsDoNothing) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect();
  Remote& j = m.join(1, 9);
  echo(m, c, c, 0, "before");
  l.world.run_for(100ms);
  const std::uint32_t at = c.sent();
  const Options forged[] = {
      add_addr(m, 7),
      remove_addr(9),
      [](wire::OptionBuffer& o) { o.mp_prio(true); },
      [&](wire::OptionBuffer& o) { o.mp_fail(idsn_of(m.key()) + 1); },
      [&](wire::OptionBuffer& o) { o.mp_fastclose(m.key_of_peer); },
      m.map_ack(6, 0, 1, 6, true),  // DATA_FIN
      m.map_ack(6, at, 0, 6),       // infinite mapping
  };
  const auto acted_on = [&] {
    std::uint64_t n = 0;
    for (const Counter k :
         {Counter::mptcp_add_addr_received, Counter::mptcp_remove_addr_received, Counter::mptcp_prio_received,
          Counter::mptcp_fail_received, Counter::mptcp_fastclose_received, Counter::mptcp_fail_sent,
          Counter::mptcp_subflows_stale, Counter::tcp_keepalives})
      n += l.gateway->counter(k);
    return n + l.gateway->fallbacks(Fallback::peer);
  };
  const std::uint64_t una = c.heard();
  const Say unacceptable[] = {
      {.seq = at + 0x7000'0000},                               // beyond the window
      {.seq = at - 3},                                         // old
      {.ack = static_cast<std::uint32_t>(una + 100'000)},      // of what was never sent (RFC 5961 5)
      {.ack = static_cast<std::uint32_t>(una - 0x1000'0000)},  // and far too old
      {.flags = S | A},                                        // RFC 5961 4
      {.flags = R, .seq = at + 100},                           // RFC 5961 3
      {.flags = F | A, .seq = at + 0x7000'0000},
      {.flags = 0},
  };
  for (const Say& where : unacceptable)
    for (const Options& what : forged) {
      Say s = where;
      s.seq = s.seq.value_or(at);
      s.options = what;
      c.say(s);
      l.world.run_for(200ms);  // a challenge ACK may come
      while (const auto h = c.next(0ms))
        EXPECT_FALSE(h->mp().has(wire::kMpAddAddr) || h->has(R)) << describe(*h);
    }
  EXPECT_EQ(acted_on(), 0U);
  EXPECT_FALSE(at_server().saw_fin());
  EXPECT_EQ(l.gateway->engine().use().subflows, 2U);
  j.skip();
  // Where TCP takes the segment, the same options count.
  c.say({.seq = at, .options = forged[1]});
  l.world.run_for(1ms);
  EXPECT_EQ(l.gateway->counter(Counter::mptcp_remove_addr_received), 1U);
  c.say({.seq = at, .options = forged[0]});
  l.world.run_for(1ms);
  EXPECT_EQ(l.gateway->counter(Counter::mptcp_add_addr_received), 1U);
}

// 3.7-3: TCP's acknowledgement of our data has no DATA_ACK.
TEST_F(MptcpConformance, DataAcknowledgedWithoutADataAckMeansPlainTcp) {
  Lab& l = scripted({}, {.send = 3, .finish = false});
  MpClient m(l);
  Remote& c = m.connect();
  std::optional<Heard> h;
  while ((h = c.next(100ms)) && h->data.empty()) {
  }
  ASSERT_TRUE(h && h->mp().has(wire::kMpDss));
  c.say({});
  l.world.run_for(1ms);
  EXPECT_EQ(l.gateway->fallbacks(Fallback::no_mapping), 1U);
  c.say({.data = "plain"});
  EXPECT_EQ(at_server().received(), 5U);
}

// 3.7-11: data of a path that is gone are missing before the mapping that fails.
TEST_F(MptcpConformance, FailedChecksumBehindAHoleIsResetWithMpFail) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect(true);
  m.data(c, 0, "mapped ");
  m.data(c, 100, "hole");
  l.world.run_for(100ms);
  c.skip();
  c.say({.data = "abc", .options = m.map(104, c.sent(), 3)});  // with the checksum 0
  const auto h = reset_of(c);
  ASSERT_TRUE(h.has_value());
  EXPECT_EQ(h->frame.flags, R);
  EXPECT_TRUE(h->mp().has(wire::kMpFail));
  EXPECT_EQ(h->mp().fail_dsn, idsn_of(m.key()) + 1 + 104);
  EXPECT_EQ(l.gateway->fallbacks(Fallback::checksum), 0U);
  EXPECT_EQ(at_server().received(), 7U);
}

// 3.7-14
TEST_F(MptcpConformance, NoDataAckAfterAnInfiniteMapping) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect();
  echo(m, c, c, 0, "mapped");
  c.skip();
  c.say({.data = "no end", .options = m.map(6, c.sent(), 0)});
  unsigned heard = 0;
  for (int i = 0; i < 3; ++i) {
    while (const auto h = c.next(100ms)) {
      EXPECT_FALSE(h->mp().has(wire::kMpDss) && h->mp().dss.has_ack) << describe(*h);
      ++heard;
      c.say({});
    }
    c.say({.data = "more"});
  }
  EXPECT_GE(heard, 3U);
  EXPECT_EQ(l.gateway->fallbacks(Fallback::peer), 1U);
}

// 3.1-14, 3.1-15
TEST_F(MptcpConformance, SynThatNamesNoAlgorithmOfOursIsAnsweredWithoutMpCapable) {
  Lab& l = scripted();
  Remote& c = l.remote(0, 30000);
  c.say({.flags = S, .options = [](wire::OptionBuffer& o) {
           wire::MpCapable cap;
           cap.hmac_sha256 = false;
           o.mp_capable(cap);
         }});
  EXPECT_EQ(c.expect({.flags = S | A}).mp().present, 0);
  c.say({});
  expect_plain_echo(c);
  EXPECT_EQ(l.gateway->fallbacks(Fallback::version), 1U);
}

// 3.3-3
TEST_F(MptcpConformance, ContradictoryMappingIsResetAsMptcpError) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect();
  c.say({.data = "one ", .options = m.map(0, 1, 8)});
  c.say({.data = "two ", .options = m.map(100, 5, 4)});
  const auto h = reset_of(c);
  ASSERT_TRUE(h && h->mp().has(wire::kMpTcprst));
  EXPECT_EQ(h->mp().tcprst.reason, 1);
}

// 3.3.6-3: a path that died while it held most of the buffer.
TEST_F(MptcpConformance, PathThatHoldsTheBufferIsResetForItsPerformance) {
  LabSpec spec;
  spec.access = {{.name = "fast", .rate = 40e6, .delay = 25ms}, {.name = "slow", .rate = 5e6, .delay = 12ms}};
  spec.tune = [](relay::Settings& r, engine::Settings&) { r.buffer = 200'000; };
  Lab& l = make(spec);
  l.client->budget = l.server_host().budget = 4U << 20;
  l.server_host().listen(kServerPort,
                         {.send = 1ULL << 32, .send_key = 2, .expect_key = 1, .ahead = 1U << 20});
  App& app = l.fetch({.send = 1000, .expect_key = 2, .finish = false});
  l.world.run_for(3s);
  l.access(0).cut();
  l.world.run_for(20s);
  EXPECT_EQ(l.gateway->engine().stats().resets_sent[RstReason::performance], 1U);
  unsigned resets = 0;
  for (const Captured& packet : l.access(0).captured()) {
    wire::TcpFrame f;
    if (packet.inbound || wire::parse_frame(packet.packet, wire::Trust::verify, f) != wire::FrameKind::tcp)
      continue;
    if (!f.has(wire::kRst)) continue;
    ++resets;
    ASSERT_TRUE(f.options.mptcp.has(wire::kMpTcprst));
    EXPECT_EQ(f.options.mptcp.tcprst.reason, 5);
  }
  EXPECT_EQ(resets, 1U);
  app.abort(l.client->context());
}

// 3.4.2-6
TEST_F(MptcpConformance, RemovedPathThatDoesNotAnswerIsReset) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect();
  Remote& j = m.join(1, 9);
  c.say({.options = remove_addr(9)});
  EXPECT_TRUE(reset_of(j, 30s).has_value());
  EXPECT_EQ(l.gateway->engine().use().subflows, 1U);
  echo(m, c, c, 0, "goes on");
}

// 3.3.3-4
TEST_F(MptcpConformance, FinsGoOutOnAllSubflowsAlsoOnFailedOnes) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect();
  Remote& j = m.join(1, 9);
  c.say({.options = remove_addr(9)});  // it is asked, and does not answer
  l.world.run_for(10ms);
  EXPECT_EQ(l.gateway->counter(Counter::mptcp_subflows_stale), 1U);
  m.data_fin(c, 0);
  l.world.run_for(100ms);
  c.say({.options = m.ack(1)});
  const auto fin = [](Remote& r) {
    while (const auto h = r.next(100ms))
      if (h->has(F)) return true;
    return false;
  };
  EXPECT_TRUE(fin(c));
  EXPECT_TRUE(fin(j));
}

// 3.4.1-2, 3.4.1-9
TEST_F(MptcpConformance, AnAddressIdNamesOneAddress) {
  const std::vector<Endpoint> ours{{Ip::v4(0xc6120003), 0}, {Ip::v4(0xc6120004), 8080}};
  Lab& l = scripted(announcing(ours));
  MpClient m(l);
  Remote& c = m.connect();
  std::map<std::uint8_t, Endpoint> named;
  unsigned heard = 0;
  for (unsigned of_this = 0; const auto h = c.next(30s);) {
    if (!h->mp().has(wire::kMpAddAddr) || h->mp().add_addr.echo) continue;
    const wire::AddAddr& a = h->mp().add_addr;
    const auto [at, fresh] = named.try_emplace(a.id, Endpoint{a.ip, a.port});
    EXPECT_EQ(at->second, (Endpoint{a.ip, a.port})) << "id " << int{a.id};
    ++heard;
    of_this = fresh ? 1 : of_this + 1;
    if (of_this < 2) continue;  // each is heard twice
    c.say({.options = m.ack(0) + [a](wire::OptionBuffer& o) {
      wire::AddAddr e = a;
      e.echo = true;
      o.add_addr(e);
    }});
    if (named.size() == 2) break;
    m.data(c, 0, "x");
  }
  EXPECT_EQ(heard, 4U);
  ASSERT_EQ(named.size(), 2U);
  for (const auto& [id, endpoint] : named) {
    EXPECT_NE(id, 0) << "the id of the first subflow's address";
    if (endpoint != ours[0]) continue;
    Remote& j = l.client_script->remote(1, {l.client_ip(1), 31000}, {endpoint.ip, kListenPort}, 70000);
    j.say({.flags = S, .options = m.join_syn(5)});
    const Heard h = j.expect({.flags = S | A});
    EXPECT_EQ(h.mp().join.address_id, id) << "and so does a join to it";
  }
}

// 3-2, and 3.4.1: each of several announcements is echoed, those of one burst too.
TEST_F(MptcpConformance, NoMoreThanTwoSignalsInARow) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect();
  c.skip();
  for (const std::uint8_t id : {7, 8, 9, 10}) c.say({.options = add_addr(m, id)});
  std::vector<int> echoed;
  const auto hear = [&] {
    unsigned in_a_row = 0;
    while (const auto h = c.next(10s)) {
      in_a_row = h->data.empty() && h->ack == c.sent() ? in_a_row + 1 : 0;
      EXPECT_LE(in_a_row, 2U) << describe(*h);
      if (h->mp().has(wire::kMpAddAddr) && h->mp().add_addr.echo) echoed.push_back(h->mp().add_addr.id);
    }
  };
  hear();
  EXPECT_EQ(echoed, (std::vector{7, 8}));
  m.data(c, 0, "x");
  hear();
  EXPECT_EQ(echoed, (std::vector{7, 8, 9})) << "the one that waited; the fourth found no place";
  c.say({.options = add_addr(m, 10)});
  hear();
  EXPECT_EQ(echoed, (std::vector{7, 8, 9, 10}));
  EXPECT_EQ(l.gateway->counter(Counter::mptcp_add_addr_received), 5U);
}

// 3.3.4-2: what waits for the holes of all subflows together is bounded by the session's buffer, and what one
// of them does not get in comes again.
TEST_F(MptcpConformance, BytesAheadOnAllSubflowsCountAgainstOneBuffer) {
  constexpr std::uint32_t kBuffer = 64 << 10, kPiece = 1000, kPieces = 60;
  Lab& l = scripted(
      [](relay::Settings& r, engine::Settings&) {
        r.buffer = kBuffer;
        r.listeners[0].profile.max_subflows = 8;
      },
      {.finish = false});
  MpClient m(l);
  std::vector<Remote*> paths{&m.connect()};
  for (std::uint8_t i = 1; i < 8; ++i) paths.push_back(&m.join(1, static_cast<std::uint8_t>(i + 1)));
  const auto piece = [&](Remote& c, std::uint32_t i) {
    const std::uint32_t at = i * kPiece;
    c.say({.seq = 1 + at,
           .data = std::string(kPiece, 'x'),
           .options = m.map_ack(at, 1 + at, static_cast<std::uint16_t>(kPiece), 0)});
  };
  std::uint64_t most = 0;
  for (Remote* c : paths) {
    for (std::uint32_t i = 1; i < kPieces; ++i) piece(*c, i);
    l.world.run_for(1ms);
    std::uint64_t held = 0;
    l.gateway->engine().for_each_connection(
        [&held](const tcp::Connection& it) { held += it.flight().early.bytes(); });
    most = std::max(most, held);
  }
  EXPECT_GE(most, kBuffer - kPiece);
  EXPECT_LE(most, kBuffer + (16U << 10)) << "and what is taken beyond the right edge";
  EXPECT_GT(l.gateway->drops(stats::Drop::receive_budget), 0U);
  for (std::uint32_t i = 0; i < kPieces; ++i) piece(*paths[7], i);  // in order there is always room
  EXPECT_EQ(at_server().received(), kPieces * kPiece);
  for (Remote* c : paths)
    for (std::uint32_t i = 0; i < kPieces; ++i) piece(*c, i);
  l.world.run_for(1ms);
  for (Remote* c : paths) {
    std::optional<Heard> last;
    while (auto h = c->next(0ms)) last = std::move(h);
    ASSERT_TRUE(last.has_value());
    EXPECT_EQ(last->ack, 1 + kPieces * kPiece);
  }
}

// 3.4.1-7
TEST_F(MptcpConformance, UnassignedFlagsOfAddAddrAreSentAsZeroAndNotLookedAt) {
  Lab& l = scripted(announcing({{Ip::v4(0xc6120003), 0}}));
  MpClient m(l);
  Remote& c = m.connect();
  unsigned seen = 0;
  const auto look = [&] {
    while (const auto h = c.next(100ms))
      for (const Packet& option : mptcp_options(*h))
        if (bits(option, 2, 0xf0) == 0x30) {
          EXPECT_EQ(bits(option, 2, 0x0e), 0U);
          ++seen;
        }
  };
  look();
  EXPECT_EQ(seen, 1U);
  wire::OptionBuffer o;
  add_addr(m, 7)(o);
  const ByteView bytes = o.padded();
  Packet options(bytes.begin(), bytes.end());
  options[2] |= std::byte{0x0e};
  l.client_script->raw(
      0, Script::build(c.flow(), {}, c.initial() + c.sent(), c.initial_of_peer() + c.heard(), options));
  look();
  EXPECT_EQ(seen, 2U) << "the echo";
  EXPECT_EQ(l.gateway->counter(Counter::mptcp_add_addr_received), 1U);
}

// 3.5-3
TEST_F(MptcpConformance, FastcloseIsRepeatedThreeTimes) {
  Lab& l = scripted({}, {.send = 0, .finish = false});
  MpClient m(l);
  Remote& c = m.connect();
  m.data(c, 0, "x");
  l.world.run_for(100ms);
  c.skip();
  at_server().abort(l.server_host().context());
  unsigned in_acks = 0;
  std::optional<Heard> last;
  while (auto h = c.next(60s)) {
    if (!h->has(R) && h->mp().has(wire::kMpFastclose)) ++in_acks;
    last = std::move(h);
  }
  EXPECT_EQ(in_acks, 1 + 3U);
  ASSERT_TRUE(last.has_value());
  EXPECT_TRUE(last->has(R) && last->mp().has(wire::kMpFastclose));
}

// 3.3-4, and 3.2-2 for the SYN/ACK of a join.
TEST_F(MptcpConformance, ReservedBitsOfDssAndJoinAreZero) {
  scripted();
  MpClient m(lab());
  Remote& c = m.connect();
  Remote& j = lab().client_script->remote(1, {lab().client_ip(1), 31000}, lab().listener(), 70000);
  j.say({.flags = S, .options = m.join_syn(2)});
  const auto joins = mptcp_options(j.expect({.flags = S | A}));
  ASSERT_EQ(joins.size(), 1U);
  EXPECT_EQ(bits(joins[0], 2, 0xfe), 0x10U) << "subtype, three reserved bits";
  unsigned seen = 0;
  const auto look = [&](const std::string& text, std::uint64_t at, bool fin) {
    m.data(c, at, text, at, fin);
    while (const auto h = c.next(100ms)) {
      for (const Packet& option : mptcp_options(*h))
        if (bits(option, 2, 0xf0) == 0x20) {
          EXPECT_EQ(bits(option, 2, 0x0f), 0U) << describe(*h);
          EXPECT_EQ(bits(option, 3, 0xe0), 0U) << describe(*h);
          ++seen;
        }
      c.say({.options = m.ack(at + h->data.size())});
    }
  };
  look("data", 0, false);
  look("and its end", 4, true);
  EXPECT_GE(seen, 4U) << "ACKs, data and a DATA_FIN";
}

// The role of a client, which only the simulator plays.
class MptcpClientConformance : public TcpTest {
 protected:
  const Endpoint there_{peer_, 9000};
  static constexpr std::uint64_t kKey = 0xfedcba9876543210ULL;

  // The SYN of a join, answered with `options`.
  Remote& join(const std::function<Options(const wire::MpJoin& syn, std::uint64_t key)>& options) {
    App& app = host_->connect_mptcp(there_, {.finish = false});
    Remote* r = script_->incoming(there_);
    r->next();
    r->say({.flags = S | A, .options = [](wire::OptionBuffer& o) {
              wire::MpCapable c;
              c.keys = 1;
              c.sender_key = kKey;
              o.mp_capable(c);
            }});
    const std::uint64_t key = r->next()->mp().capable.sender_key;
    EXPECT_NE(host_->join(app, 0, there_), nullptr);
    Remote* j = script_->incoming(there_);
    j->say({.flags = S | A, .options = options(j->next()->mp().join, key)});
    return *j;
  }
};

// 3.2-10
TEST_F(MptcpClientConformance, SynAckWithoutMpJoinDrawsAReset) {
  Remote& j =
      join([](const wire::MpJoin&, std::uint64_t) { return [](wire::OptionBuffer& o) { o.mss(1460); }; });
  const auto h = j.next();
  ASSERT_TRUE(h.has_value());
  EXPECT_TRUE(h->has(R)) << describe(*h);
  EXPECT_FALSE(exists(j));
}

// 3.2-2: twelve bits behind the subtype.
TEST_F(MptcpClientConformance, ReservedBitsOfTheThirdAckAreZero) {
  Remote& j = join([](const wire::MpJoin& syn, std::uint64_t key) {
    wire::MpJoin answer;
    answer.nonce = 77;
    const auto mac = join_mac(kKey, key, answer.nonce, syn.nonce);
    for (unsigned i = 0; i < 8; ++i) answer.hmac64 = answer.hmac64 << 8 | mac[i];
    return [answer](wire::OptionBuffer& o) { o.mp_join_syn_ack(answer); };
  });
  const auto h = j.next();
  ASSERT_TRUE(h && h->mp().has(wire::kMpJoinAck));
  const ByteView options = options_of(h->packet, h->frame);
  Packet copy(options.begin(), options.end());
  for_each_option(copy, [&](unsigned kind, ByteSpan option) {
    if (kind != wire::kMptcpKind) return;
    EXPECT_EQ(option[2], std::byte{0x10});
    EXPECT_EQ(option[3], std::byte{0});
  });
}

}  // namespace
}  // namespace braid::kit
