// protocol.md section 1, "Join" and "Priority, addresses, ending".
#include "unit/mptcp/rules.hpp"

namespace braid::kit {
namespace {

using stats::Drop;
using stats::Join;

TEST_F(MptcpRules, R13_JoinWithRightHmacs) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect();
  Remote& j = m.join(1);
  EXPECT_EQ(l.gateway->joins(Join::ok), 1U);
  m.data(j, 0, "over the join");
  const auto on_either = [&] {
    for (Remote* r : {&c, &j})
      while (const auto h = r->next(50ms))
        if (h->data == "over the join") return true;
    return false;
  };
  EXPECT_TRUE(on_either());
}

TEST_F(MptcpRules, R13_WrongHmacIsReset) {
  Lab& l = scripted();
  MpClient m(l);
  m.connect();
  Remote& j = m.half_join(1, l.listener());
  m.nonce ^= 1;
  j.say({.options = m.join_third()});
  expect_reset(j, 3);
  EXPECT_EQ(l.gateway->drops(Drop::join_bad_hmac), 1U);
  EXPECT_EQ(l.gateway->joins(Join::ok), 0U);
}

TEST_F(MptcpRules, R14_AnnouncementHasRightmostHmacAndIsEchoed) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect();
  const Ip ip = Ip::v4(0xcb007105);
  const auto announce = [&](std::uint64_t mac) {
    c.say({.options = [=](wire::OptionBuffer& o) {
      wire::AddAddr a;
      a.id = 7;
      a.ip = ip;
      a.hmac = mac;
      o.add_addr(a);
    }});
  };
  const std::uint64_t right = announce_mac(m.key(), m.key_of_peer, 7, ip, 0);
  announce(right ^ 1);
  c.quiet(10ms);
  EXPECT_EQ(l.gateway->counter(stats::Counter::mptcp_add_addr_bad_hmac), 1U);
  announce(right);
  const Heard h = c.expect({.flags = A, .length = 0});
  ASSERT_TRUE(h.mp().has(wire::kMpAddAddr));
  EXPECT_TRUE(h.mp().add_addr.echo);
  EXPECT_EQ(h.mp().add_addr.id, 7);
  EXPECT_EQ(h.mp().add_addr.ip, ip);
}

TEST_F(MptcpRules, R15_FourthAckAgainForEveryRepeatedThird) {
  Lab& l = scripted();
  MpClient m(l);
  m.connect();
  Remote& j = m.join(1);
  for (int i = 0; i < 3; ++i) {
    j.say({.options = m.join_third()});
    j.expect({.flags = A, .seq = 1, .ack = 1});
  }
}

TEST_F(MptcpRules, R15_SynAckIsRepeatedUntilTheThirdAck) {
  Lab& l = scripted();
  MpClient m(l);
  m.connect();
  Remote& j = m.half_join(1, l.listener());
  const Heard again = j.expect({.flags = S | A, .seq = 0, .ack = 1}, 500ms, 1500ms);
  EXPECT_EQ(again.mp().join.nonce, m.peer_nonce) << "the same nonce: the HMAC of the third ACK is over it";
  m.join_ack(j);
  EXPECT_EQ(l.gateway->joins(Join::ok), 1U);
}

TEST_F(MptcpRules, R15_JoinThatIsResetBeforeTheThirdAckIsCounted) {
  Lab& l = scripted();
  MpClient m(l);
  m.connect();
  Remote& j = m.half_join(1, l.listener());
  j.say({.flags = R});
  l.world.run_for(1ms);
  EXPECT_EQ(l.gateway->joins(Join::aborted), 1U);
  EXPECT_EQ(l.gateway->joins(Join::ok), 0U);
}

TEST_F(MptcpRules, R15_DataBeforeTheThirdAckIsReset) {
  Lab& l = scripted();
  MpClient m(l);
  m.connect();
  Remote& j = m.half_join(1, l.listener());
  m.data(j, 0, "too early");
  expect_reset(j, 1);
  EXPECT_EQ(l.gateway->drops(Drop::join_no_hmac), 1U);
}

TEST_F(MptcpRules, R16_UnknownTokenIsResetAsMptcpError) {
  Lab& l = scripted();
  MpClient m(l);
  m.connect();
  const std::uint64_t right = m.key_of_peer;
  m.key_of_peer ^= 0x5555;
  Remote& j = l.remote(1, 31000, 500);
  j.say({.flags = S, .options = m.join_syn(2)});
  expect_reset(j, 1);
  EXPECT_EQ(l.gateway->drops(Drop::join_no_token), 1U);
  m.key_of_peer = right;
}

TEST_F(MptcpRules, R17_JoinBeforeEstablishedIsRefused) {
  Lab& l = scripted();
  MpClient m(l);
  m.half_open();
  Remote& j = l.remote(1, 31000, 500);
  j.say({.flags = S, .options = m.join_syn(2)});
  expect_reset(j, 1);
  EXPECT_EQ(l.gateway->joins(Join::not_established), 1U);
}

TEST_F(MptcpRules, R17_JoinToAnotherAddressIsRefused) {
  Lab& l = scripted();
  MpClient m(l);
  m.connect();
  Endpoint elsewhere = l.listener();
  elsewhere.ip.lo += 2;  // local, but no address of this listener
  Remote& j = l.client_script->remote(1, {l.client_ip(1), 31000}, elsewhere, 500);
  j.say({.flags = S, .options = m.join_syn(2)});
  expect_reset(j, 3);
  EXPECT_EQ(l.gateway->joins(Join::wrong_address), 1U);
}

TEST_F(MptcpRules, R17_JoinToAnotherAddressOfTheListener) {
  Lab& l = scripted();
  MpClient m(l);
  m.connect();
  Remote& j = m.half_join(1, l.second_listener());
  m.join_ack(j);
  EXPECT_EQ(l.gateway->joins(Join::ok), 1U);
}

TEST_F(MptcpRules, JoinsAboveTheLimitAreRefused) {
  Lab& l = scripted([](relay::Settings& r, engine::Settings&) { r.listeners[0].profile.max_subflows = 2; });
  MpClient m(l);
  m.connect();
  m.join(1);
  Remote& j = l.remote(1, 31000, 500);
  j.say({.flags = S, .options = m.join_syn(3)});
  expect_reset(j, 2);
  EXPECT_EQ(l.gateway->joins(Join::limit), 1U);
}

// Id 0 is the initial subflow's; a list names several; and the ids we announce are not the client's.
TEST_F(MptcpRules, R18_AddressIdsAreTheClientsOwn) {
  Lab& l = scripted([](relay::Settings& r, engine::Settings&) {
    r.listeners[0].announce_addresses = {Endpoint{Ip::v4(0xc6120003), 0}};  // our id 1
  });
  MpClient m(l);
  Remote& c = m.connect();
  Remote& nine = m.join(1, 9);
  Remote& seven = m.join(1, 7);
  const auto remove = [&](const std::vector<std::uint8_t>& ids) {
    for (Remote* r : {&c, &nine, &seven}) r->skip();
    seven.say({.options = [&](wire::OptionBuffer& o) { o.remove_addr(ids); }});
    l.world.run_for(0ms);
  };
  const auto probed = [](Remote& r) {
    bool seen = false;
    while (const auto h = r.next(0ms)) seen |= h->seq == 0 && h->data.empty();  // an old number
    return seen;
  };
  remove({1});
  for (Remote* r : {&c, &nine, &seven}) EXPECT_FALSE(probed(*r));
  remove({0, 9});
  EXPECT_TRUE(probed(c));
  EXPECT_TRUE(probed(nine));
  EXPECT_FALSE(probed(seven));
}

TEST_F(MptcpRules, R19_InitialAddressIsRefusedWithTheCFlag) {
  const Endpoint announced{Ip::v4(0xc6120003), 0};
  Lab& l = scripted([&](relay::Settings& r, engine::Settings&) {
    r.listeners[0].profile.refuse_initial_join = true;
    r.listeners[0].announce_addresses = {announced};
  });
  MpClient m(l);
  Remote& c = l.remote(0, 30000);
  c.say({.flags = S, .options = m.capable_syn()});
  const Heard h = c.expect({.flags = S | A});
  EXPECT_TRUE(h.mp().capable.no_join_initial);
  m.key_of_peer = h.mp().capable.sender_key;
  m.third_ack(c);
  const Heard a = c.expect({.flags = A, .length = 0});
  ASSERT_TRUE(a.mp().has(wire::kMpAddAddr)) << describe(a);
  EXPECT_EQ(a.mp().add_addr.ip, announced.ip);
  Remote& j = l.remote(1, 31000, 500);
  j.say({.flags = S, .options = m.join_syn(2)});
  expect_reset(j, 3);
  Remote& good = m.half_join(1, {announced.ip, kListenPort});
  m.join_ack(good);
}

TEST_F(MptcpRules, R34_AnnouncementRepeatsUntilEchoed) {
  const Endpoint announced{Ip::v4(0xc6120003), 8443};
  Lab& l = scripted(
      [&](relay::Settings& r, engine::Settings&) { r.listeners[0].announce_addresses = {announced}; });
  MpClient m(l);
  Remote& c = m.connect();
  Heard a = c.expect({.flags = A, .length = 0});
  ASSERT_TRUE(a.mp().has(wire::kMpAddAddr));
  EXPECT_EQ(a.mp().add_addr.port, 8443);
  EXPECT_EQ(a.mp().add_addr.hmac, announce_mac(m.key_of_peer, m.key(), 1, announced.ip, 8443));
  a = c.expect({.flags = A, .length = 0}, 100ms, 2000ms);  // not echoed: once more
  ASSERT_TRUE(a.mp().has(wire::kMpAddAddr));
  c.say({.options = [&](wire::OptionBuffer& o) {
    wire::AddAddr e = a.mp().add_addr;
    e.echo = true;
    o.add_addr(e);
  }});
  c.quiet(30s);
  EXPECT_EQ(l.gateway->counter(stats::Counter::mptcp_add_addr_echoed), 1U);
}

TEST_F(MptcpRules, R34_AnnouncementIsGivenUpWithoutEcho) {
  Lab& l = scripted([&](relay::Settings& r, engine::Settings&) {
    r.listeners[0].announce_addresses = {Endpoint{Ip::v4(0xc6120003), 0}};
  });
  MpClient m(l);
  Remote& c = m.connect();
  const auto heard = [&c] {
    unsigned n = 0;
    while (const auto h = c.next(100s)) n += h->mp().has(wire::kMpAddAddr) ? 1 : 0;
    return n;
  };
  EXPECT_EQ(heard(), 2U) << "no more in a row on an idle path";
  unsigned later = 0;
  for (std::uint64_t i = 0; i < 10; ++i) {
    m.data(c, i, "x", i);
    later += heard();
  }
  EXPECT_EQ(later, 3U);
}

TEST_F(MptcpRules, R32_PrioMovesTheDownlink) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect();
  Remote& j = m.join(1);
  c.skip();
  c.say({.options = [](wire::OptionBuffer& o) { o.mp_prio(true); }});
  l.world.run_for(1ms);
  EXPECT_EQ(l.gateway->counter(stats::Counter::mptcp_prio_received), 1U);
  echo(m, c, j, 0, "to the other");
  j.say({.options = m.ack(12) + [](wire::OptionBuffer& o) { o.mp_prio(true); }});
  c.say({.options = [](wire::OptionBuffer& o) { o.mp_prio(false); }});
  l.world.run_for(1ms);
  echo(m, j, c, 12, "and back again");
}

// The client's B governs what we send; its own sending there is its affair, and our direction has a B of its
// own.
TEST_F(MptcpRules, R32_BackupFlagGovernsTheDownlinkOnly) {
  Lab& l = scripted({}, {.send = 3000, .finish = false, .send_after = 4});
  MpClient m(l);
  Remote& c = m.connect();
  Remote& j = m.half_join(1, l.listener(), 2, true);
  m.join_ack(j);
  j.skip();
  m.data(j, 0, "up");
  l.world.run_for(0ms);
  EXPECT_EQ(at_server().received(), 2U);
  c.skip();
  m.data(c, 2, "up");
  l.world.run_for(0ms);
  EXPECT_EQ(at_server().received(), 4U);
  bool down = false;
  while (const auto h = c.next(0ms)) down |= !h->data.empty();
  EXPECT_TRUE(down);
  while (const auto h = j.next(0ms)) EXPECT_TRUE(h->data.empty()) << describe(*h);
}

TEST_F(MptcpRules, R32_OurSynAckHasNoBackupFlag) {
  Lab& l = scripted();
  MpClient m(l);
  m.connect();
  Remote& j = l.remote(1, 31000, 500);
  j.say({.flags = S, .options = m.join_syn(2, true)});
  EXPECT_FALSE(j.expect({.flags = S | A}).mp().join.backup);
}

TEST_F(MptcpRules, R33_BackupCarriesNothingWhileAnotherIsUsable) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect();
  Remote& j = m.join(1, 2, true);
  for (std::uint64_t i = 0; i < 5; ++i) echo(m, c, c, i * 5, "bytes");
  c.skip();
  j.quiet(1ms);
  c.say({.flags = R});  // the regular one is gone
  l.world.run_for(1ms);
  echo(m, j, j, 25, "backup");
}

TEST_F(MptcpRules, R35_SessionWithoutSubflowIsHeldAndJoined) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect();
  echo(m, c, c, 0, "before");
  c.say({.flags = R});
  l.world.run_for(20s);
  EXPECT_EQ(l.gateway->counter(stats::Counter::mptcp_sessions_held), 1U);
  EXPECT_EQ(l.gateway->engine().use().pairs, 1U);
  Remote& j = m.join(1);
  echo(m, j, j, 6, "after");
  l.world.run_for(100s);
  EXPECT_EQ(l.gateway->engine().use().pairs, 1U) << "ended although it was joined";
}

TEST_F(MptcpRules, R35_HoldEnds) {
  Lab& l = scripted([](relay::Settings& r, engine::Settings&) { r.listeners[0].profile.hold = 30s; });
  MpClient m(l);
  Remote& c = m.connect();
  echo(m, c, c, 0, "x");
  c.say({.flags = R});
  l.world.run_for(29s);
  EXPECT_EQ(l.gateway->engine().use().sessions, 1U);
  l.world.run_for(2s);
  EXPECT_EQ(l.gateway->engine().use().sessions, 0U);
  EXPECT_EQ(l.server_host().accepted()[0]->failure(), tcp::Failure::reset);
  const auto records = l.gateway->records();
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].who, relay::Who::timeout);
}

TEST_F(MptcpRules, R36_ResetKillsOneSubflowOnly) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect();
  Remote& j = m.join(1);
  c.skip();
  j.say({.flags = R | A,
         .options = [](wire::OptionBuffer& o) { o.mp_tcprst({.transient = true, .reason = 5}); }});
  l.world.run_for(1ms);
  echo(m, c, c, 0, "still here");
  EXPECT_EQ(l.gateway->engine().stats().resets_received[stats::RstReason::performance], 1U);  // R39
  EXPECT_EQ(l.gateway->engine().use().subflows, 1U);
}

TEST_F(MptcpRules, R36_TcprstCountsOnARstAlone) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect();
  c.say({.options = [](wire::OptionBuffer& o) { o.mp_tcprst({.transient = false, .reason = 3}); }});
  l.world.run_for(1ms);
  echo(m, c, c, 0, "still here");
  EXPECT_EQ(l.gateway->engine().stats().resets_received[stats::RstReason::prohibited], 0U);
}

TEST_F(MptcpRules, R39_EveryReasonHasItsCounter) {
  for (unsigned reason = 0; reason <= 8; ++reason) {
    Lab& l = scripted();
    MpClient m(l);
    m.connect();
    Remote& j = m.join(1);
    j.say({.flags = R | A, .options = [=](wire::OptionBuffer& o) {
             o.mp_tcprst({.transient = false, .reason = static_cast<std::uint8_t>(reason)});
           }});
    l.world.run_for(1ms);
    const auto& received = l.gateway->engine().stats().resets_received;
    for (unsigned i = 0; i <= 7; ++i)  // 7: none that the RFC knows
      EXPECT_EQ(received[static_cast<stats::RstReason>(i)], i == std::min(reason, 7U) ? 1U : 0U) << reason;
  }
}

TEST_F(MptcpRules, R39_OurReasonsAreCountedToo) {
  Lab& l = scripted();
  MpClient m(l);
  m.connect();
  m.key_of_peer ^= 0x5555;
  Remote& j = l.remote(1, 31000, 500);
  j.say({.flags = S, .options = m.join_syn(2)});
  expect_reset(j, 1);
  EXPECT_EQ(l.gateway->engine().stats().resets_sent[stats::RstReason::mptcp], 1U);
}

TEST_F(MptcpRules, R37_AfterAFallbackItIsAPlainReset) {
  Lab& l = scripted({}, {.abort_after_received = 1});
  MpClient m(l);
  Remote& c = m.half_open();
  c.say({});
  c.say({.data = "x"});
  std::optional<Heard> last;
  while (const auto h = c.next(100ms)) last = h;
  ASSERT_TRUE(last.has_value());
  EXPECT_TRUE(last->has(R));
  EXPECT_EQ(last->mp().present, 0);
}

TEST_F(MptcpRules, R37_FastcloseInAnAckEndsTheServerByReset) {
  for (const std::uint8_t flags : {A, static_cast<std::uint8_t>(R | A)}) {
    Lab& l = scripted();
    MpClient m(l);
    Remote& c = m.connect();
    Remote& j = m.join(1);
    echo(m, c, c, 0, "x");
    c.skip();
    j.skip();
    c.say({.flags = flags, .options = [&](wire::OptionBuffer& o) { o.mp_fastclose(m.key_of_peer); }});
    if (flags == A) c.expect({.flags = R | A});
    j.expect({.flags = R | A});
    l.world.run_for(1ms);
    EXPECT_EQ(l.server_host().accepted()[0]->failure(), tcp::Failure::reset);
    EXPECT_FALSE(l.server_host().accepted()[0]->saw_fin());
    EXPECT_EQ(l.gateway->counter(stats::Counter::mptcp_fastclose_received), 1U);
  }
}

TEST_F(MptcpRules, R37_FastcloseWithAWrongKeyIsIgnored) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect();
  c.say({.options = [&](wire::OptionBuffer& o) { o.mp_fastclose(m.key_of_peer ^ 1); }});
  l.world.run_for(1ms);
  echo(m, c, c, 0, "alive");
  EXPECT_EQ(l.gateway->counter(stats::Counter::mptcp_fastclose_received), 0U);
}

TEST_F(MptcpRules, R37_ServerResetBecomesFastcloseInAnAckUntilReset) {
  Lab& l = scripted({}, {.abort_after_received = 1});
  MpClient m(l);
  Remote& c = m.connect();
  Remote& j = m.join(1);
  c.skip();
  m.data(c, 0, "x");
  // The best subflow gets it in an ACK with nothing else, the others a RST; whichever they are.
  l.world.run_for(1ms);
  Remote* chosen = nullptr;
  for (Remote* r : {&c, &j}) {
    while (const auto h = r->next(0ms)) {
      if (!h->mp().has(wire::kMpFastclose)) continue;
      EXPECT_EQ(h->mp().fastclose_key, m.key());
      if (!h->has(R)) {
        EXPECT_EQ(h->frame.flags, A);
        chosen = r;
      }
    }
  }
  ASSERT_NE(chosen, nullptr) << "no MP_FASTCLOSE in an ACK";
  const auto again = chosen->next(2000ms);
  ASSERT_TRUE(again.has_value()) << "not repeated";
  EXPECT_TRUE(again->mp().has(wire::kMpFastclose));
  chosen->say({.flags = R});
  chosen->quiet(60s);
  EXPECT_EQ(l.gateway->engine().use().sessions, 0U);
}

// The peer chooses the round-trip time, but not how long a session that is over stays.
TEST_F(MptcpRules, R37_FastcloseIsGivenUpSoonOnASlowPathToo) {
  Lab& l = scripted({}, {.send = 10'000, .send_key = 2, .finish = false});
  MpClient m(l);
  Remote& c = m.connect();
  l.world.run_for(45s);
  c.say({.options = m.ack(10'000)});  // of segments too that were sent once only: a round trip of 45 s
  l.world.run_for(10ms);
  l.gateway->abort_all();
  l.server_host().die();
  EXPECT_TRUE(l.run([&l] { return l.gateway->in_use() == 0; }, tcp::Timeouts{}.fin_wait + 1s));
  std::optional<Heard> last;
  while (auto h = c.next(1ms)) last = std::move(h);
  ASSERT_TRUE(last.has_value());
  EXPECT_TRUE(last->has(R) && last->mp().has(wire::kMpFastclose)) << describe(*last);
}

TEST_F(MptcpRules, R38_RemoveAddrProbesFirstAndNeverTheLastPath) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect();
  Remote& j = m.join(1, 9);
  const std::vector<std::uint8_t> ids{9};
  c.skip();
  c.say({.options = [&](wire::OptionBuffer& o) { o.remove_addr(ids); }});
  const Heard probe = j.expect({.flags = A, .length = 0});
  EXPECT_EQ(probe.seq, 0U) << "an old number draws an ACK";
  echo(m, c, c, 0, "set aside");
  j.say({.options = m.ack(0)});  // it lives
  l.world.run_for(1ms);
  EXPECT_EQ(l.gateway->counter(stats::Counter::mptcp_subflows_recovered), 1U);
  EXPECT_EQ(l.gateway->engine().use().subflows, 2U);
}

}  // namespace
}  // namespace braid::kit
