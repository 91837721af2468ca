// 3.4.2: addresses of ours that go and come back while sessions live.
#include "engine/presence.hpp"
#include "unit/mptcp/rules.hpp"

namespace braid::kit {
namespace {

using stats::Counter;

constexpr Duration kTold = engine::Presence::kMoment + 10ms;  // by then sessions have heard of a change

class MptcpAddresses : public MptcpRules {
 protected:
  // One address is announced, the gateway's own on the second access link.
  Lab& announcing(const Plan& server = {.echo = true}) {
    return scripted(
        [](relay::Settings& r, engine::Settings&) {
          r.listeners[0].announce_addresses = {Endpoint{Ip::v4(0xc6120201), 0}};
        },
        server);
  }
  // A session that has heard of it.
  static Remote& connected(MpClient& m) {
    Remote& c = m.connect();
    EXPECT_EQ(heard(m, c, 1s), "+1");
    return c;
  }
  Remote& join_announced(MpClient& m) {
    Remote& j = m.half_join(1, {lab().own_ip(1), kListenPort});
    m.join_ack(j);
    return j;
  }
  // What is heard of addresses within `d`: "+1" announced, "-1" removed. Announcements are echoed.
  static std::string heard(MpClient& m, Remote& c, Duration d = 0ms) {
    std::string all;
    while (const auto h = c.next(d)) {
      if (h->mp().has(wire::kMpRemoveAddr))
        for (unsigned i = 0; i < h->mp().remove_addr.count; ++i)
          all += "-" + std::to_string(h->mp().remove_addr.ids[i]);
      if (!h->mp().has(wire::kMpAddAddr) || h->mp().add_addr.echo) continue;
      all += "+" + std::to_string(h->mp().add_addr.id);
      c.say({.options = m.ack(0) + [a = h->mp().add_addr](wire::OptionBuffer& o) {
        wire::AddAddr e = a;
        e.echo = true;
        o.add_addr(e);
      }});
    }
    return all;
  }
};

TEST_F(MptcpAddresses, GoneIsToldOnTheRemainingPathAndBackIsAnnounced) {
  Lab& l = announcing();
  ASSERT_EQ(l.own_ip(1), Ip::v4(0xc6120201));
  MpClient m(l);
  Remote& c = connected(m);
  Remote& j = join_announced(m);
  l.world.run_for(100ms);
  heard(m, c);
  l.set_link(1, false);
  l.world.run_for(engine::Presence::kMoment - 10ms);
  EXPECT_EQ(heard(m, c), "") << "it may be back in a moment";
  l.world.run_for(20ms);
  EXPECT_EQ(heard(m, c), "-1");
  EXPECT_EQ(l.gateway->counter(Counter::mptcp_remove_addr_sent), 1U);
  echo(m, c, c, 0, "not over the dead path");
  l.world.run_for(60s);
  EXPECT_EQ(l.gateway->engine().use().subflows, 1U) << "the silent subflow is given up";
  heard(m, c);
  m.data(c, 22, "x", 22);
  l.set_link(1, true);
  l.world.run_for(kTold);
  EXPECT_EQ(heard(m, c, 1s), "+1");
  j.skip();
  join_announced(m);
}

TEST_F(MptcpAddresses, UnusedOneIsToldToo) {
  Lab& l = announcing();
  MpClient m(l);
  Remote& c = connected(m);
  l.set_link(1, false);
  l.world.run_for(kTold);
  EXPECT_EQ(heard(m, c), "-1");
}

TEST_F(MptcpAddresses, GoneFromTheBeginningIsNotAnnouncedBeforeItComes) {
  Lab& l = announcing();
  l.set_link(1, false);
  l.world.run_for(kTold);
  MpClient m(l);
  Remote& c = m.connect();
  EXPECT_EQ(heard(m, c, 10s), "");
  l.set_link(1, true);
  l.world.run_for(kTold);
  EXPECT_EQ(heard(m, c, 1s), "+1");
}

TEST_F(MptcpAddresses, OfTheOnlyPathIsToldWhenThereIsAnother) {
  Lab& l = announcing();
  MpClient m(l);
  Remote& c = connected(m);
  Remote& j = join_announced(m);
  c.say({.flags = R});
  l.world.run_for(100ms);
  l.set_link(1, false);
  l.world.run_for(60s);
  EXPECT_EQ(l.gateway->counter(Counter::mptcp_remove_addr_sent), 0U);
  EXPECT_EQ(l.gateway->engine().use().subflows, 1U) << "the only path is not given up";
  j.skip();
  Remote& back = m.half_join(0, l.listener(), 3);
  back.say({.options = m.join_third()});
  EXPECT_EQ(heard(m, back, 1s), "-1") << "beside the DATA_ACK of the fourth ACK";
}

// None is live when the address goes.
TEST_F(MptcpAddresses, PathHeardAgainIsToldWhatWentMeanwhile) {
  Lab& l = announcing({.finish = false});
  MpClient m(l);
  Remote& c = connected(m);
  join_announced(m);
  l.world.run_for(100ms);
  App& server = *l.server_host().accepted().at(0);
  const auto send = [&] {
    server.plan().send += 1000;
    server.touch(l.server_host().context());
  };
  l.access(0).cut();
  send();  // silence on whichever path carries it
  l.world.run_for(5s);
  l.set_link(1, false);
  l.world.run_for(5s);
  EXPECT_EQ(l.gateway->counter(Counter::mptcp_remove_addr_sent), 0U);
  l.access(0).uncut();
  c.skip();
  c.say({.ack = 1 + 1000, .options = m.ack(1000)});
  l.world.run_for(kTold);
  c.say({.ack = 1 + 1000, .options = m.ack(1000)});
  EXPECT_EQ(heard(m, c, 2s), "-1");
}

// 3.4.2-7: REMOVE_ADDR would end it at the client.
TEST_F(MptcpAddresses, LivePathIsNotGivenUpWhateverTheLinkSays) {
  Lab& l = announcing();
  MpClient m(l);
  Remote& c = connected(m);
  Remote& j = join_announced(m);
  l.set_link(1, false);
  l.access(1).uncut();
  for (std::uint64_t i = 0; i < 20; ++i) {
    l.world.run_for(500ms);
    j.say({.options = m.ack(0)});
  }
  EXPECT_EQ(heard(m, c), "");
  EXPECT_EQ(l.gateway->engine().use().subflows, 2U);
}

// 3.4.2-1 of many sessions, idle ones too: some in each turn, and each once.
TEST_F(MptcpAddresses, EverySessionHearsOfIt) {
  constexpr unsigned kSessions = 200;
  Lab& l = scripted([](relay::Settings& r, engine::Settings& e) {
    r.listeners[0].announce_addresses = {Endpoint{Ip::v4(0xc6120201), 0}};
    e.connections = 256;
    e.handshakes = 256;
  });
  std::vector<std::unique_ptr<MpClient>> clients;
  std::vector<Remote*> paths;
  for (unsigned i = 0; i < kSessions; ++i) {
    clients.push_back(std::make_unique<MpClient>(l, 1000 + i));
    clients.back()->first_port(static_cast<std::uint16_t>(20000 + i));
    paths.push_back(&clients.back()->connect());
    EXPECT_EQ(heard(*clients[i], *paths[i]), "+1");
  }
  l.set_link(1, false);
  l.world.run_for(engine::Presence::kMoment);
  const auto told = l.gateway->counter(Counter::mptcp_remove_addr_sent);
  EXPECT_LE(told, 64U) << "in one turn";
  l.world.run_for(10ms);
  EXPECT_EQ(l.gateway->counter(Counter::mptcp_remove_addr_sent), kSessions);
  for (unsigned i = 0; i < kSessions; ++i) EXPECT_EQ(heard(*clients[i], *paths[i]), "-1") << i;
}

}  // namespace
}  // namespace braid::kit
