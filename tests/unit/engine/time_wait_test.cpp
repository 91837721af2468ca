// Connections in TIME-WAIT must not stand in the way of new ones.
#include <gtest/gtest.h>

#include <set>

#include "kit/mp_client.hpp"

namespace braid::kit {
namespace {

using stats::Counter;
using stats::Drop;

class TimeWait : public LabTest {
 protected:
  // One short connection from beginning to end. Who ends first has the TIME-WAIT.
  void serve(bool mptcp, bool client_first) {
    Lab& l = lab();
    const Plan plan{.send = 10, .expect_key = 2, .finish_after_peer = !client_first};
    App& app = mptcp ? l.fetch(plan, false) : l.client->connect(l.listener(), plan);
    ASSERT_TRUE(l.run([&] { return app.released(); }, 5s));
    ASSERT_TRUE(app.ended_cleanly());
    ASSERT_EQ(app.received(), 10U);
  }
};

TEST_F(TimeWait, GivesWayWhenRoomIsNeeded) {
  for (const bool mptcp : {false, true}) {
    for (const bool client_first : {false, true}) {
      Lab& l = make({.tune = [](relay::Settings&, engine::Settings& e) { e.connections = 8; }});
      l.server_host().listen(
          kServerPort, {.send = 10, .send_key = 2, .finish_after_peer = client_first, .send_after = 10});
      for (unsigned i = 0; i < 150; ++i) {
        serve(mptcp, client_first);
        if (HasFatalFailure()) FAIL() << "connection " << i;
      }
      EXPECT_LT(l.world.elapsed(), 50s) << "the first TIME-WAIT ended by itself";
      EXPECT_EQ(l.gateway->drops(Drop::connection_limit), 0U);
      EXPECT_GT(l.gateway->counter(Counter::tcp_time_wait_recycled), 50U);
    }
  }
}

// A server's connection in TIME-WAIT whose client still reads what was relayed must not hold up the others.
TEST_F(TimeWait, ThoseStillNeededAreSkipped) {
  Lab& l = make({.tune = [](relay::Settings&, engine::Settings& e) { e.connections = 8; }});
  l.server_host().listen(kServerPort, {.send = 60'000, .send_key = 2, .finish_after_peer = true});
  l.client->budget = 5000;
  App& slow = l.client->connect(l.listener(), {.send = 10, .expect_key = 2, .read_rate = 500});
  l.world.run_for(1s);
  l.server_host().listen(kServerPort, {.send = 10, .send_key = 2, .finish_after_peer = true});
  for (unsigned i = 0; i < 150; ++i) {
    serve(false, true);
    if (HasFatalFailure()) FAIL() << "connection " << i;
  }
  EXPECT_LT(l.world.elapsed(), 50s);
  EXPECT_FALSE(slow.released());
}

TEST_F(TimeWait, PortsTowardAServerAreUsedAgain) {
  // 16 workers: 1,408 ports each.
  Lab& l = make({.workers = 16, .tune = [](relay::Settings&, engine::Settings& e) { e.connections = 4000; }});
  l.gateway->set_rss([](const std::optional<wire::TcpFrame>& f) {
    return f && f->flow.remote.port == kServerPort ? f->flow.local.port % 16U : 0U;
  });
  l.server_host().listen(kServerPort, {.send = 10, .send_key = 2, .finish_after_peer = true});
  for (unsigned i = 0; i < 2500; ++i) {
    serve(false, true);
    if (HasFatalFailure()) FAIL() << "connection " << i;
    l.world.run_for(10ms);
  }
  EXPECT_LT(l.world.elapsed(), 55s);
  EXPECT_GT(l.gateway->counter(Counter::tcp_time_wait_recycled), 500U);
}

TEST_F(TimeWait, EverySourceTowardServersIsUsed) {
  Lab& l = make({.tune = [](relay::Settings& r, engine::Settings&) {
    const Ip v6 = parse_ip("2001:db8::1").value();  // of no use toward this server
    r.upstreams[0].sources = {r.listeners[0].binds[0].ip, v6, r.listeners[0].binds[1].ip};
  }});
  l.server_host().listen(kServerPort, {.send = 10, .send_key = 2, .finish_after_peer = true});
  auto seen = std::make_shared<std::set<Ip>>();
  l.gateway->set_rss([seen](const std::optional<wire::TcpFrame>& f) {
    if (f && f->flow.remote.port == kServerPort) seen->insert(f->flow.local.ip);
    return 0U;
  });
  for (unsigned i = 0; i < 30; ++i) serve(false, true);
  EXPECT_EQ(*seen, (std::set<Ip>{l.listener().ip, l.second_listener().ip}));
}

// RFC 6191 2, RFC 1122 4.2.2.13: a client that uses its port again is served, an old SYN is not.
TEST_F(TimeWait, NewerSynOpensAgain) {
  struct Case {
    std::uint32_t stamp;  // 0: none
    std::uint32_t seq;
    bool opens;
  };
  for (const bool stamps : {true, false}) {
    for (const Case& c : {Case{50, 1, true}, Case{5, 70000, false}, Case{20, 1, false}, Case{20, 70000, true},
                          Case{0, 1, false}, Case{0, 70000, true}}) {
      if (!stamps && c.stamp != 0) continue;
      Lab& l = make({.scripted_client = true});
      l.server_host().listen(kServerPort, {.send = 5, .send_key = 2});
      Remote& r = l.remote(0, 31000);
      r.handshake(1460, true, stamps);
      if (stamps) r.stamp = 20;
      l.world.run_for(100ms);
      r.skip();
      r.say({.flags = static_cast<std::uint8_t>(F | A), .ack = 7});
      l.world.run_for(10ms);
      r.skip();
      ASSERT_EQ(l.gateway->engine().use().flows, 1U) << "the client's connection is to be in TIME-WAIT";
      r.stamp = c.stamp;
      r.say({.flags = S, .seq = c.seq, .ack = 0, .options = [](wire::OptionBuffer& o) { o.mss(1460); }});
      const auto h = r.next(5ms);
      ASSERT_TRUE(h.has_value());
      const bool opened = h->has(S | A) && h->frame.ack == SubSeq(1000 + c.seq + 1);
      EXPECT_EQ(opened, c.opens) << "stamps " << stamps << ", SYN " << c.stamp << "/" << c.seq << ": "
                                 << describe(*h);
    }
  }
}

// A join's TIME-WAIT whose redirect entry lives on another worker.
TEST_F(TimeWait, RedirectedFlowsAreLeftAlone) {
  Lab& l = make({.workers = 2, .access = {{.name = "a"}, {.name = "b"}}});
  l.server_host().listen(kServerPort, {.send = 10, .send_key = 2, .finish_after_peer = true});
  const Ip a = l.client_ip(0);
  l.gateway->set_rss([a](const std::optional<wire::TcpFrame>& f) {
    if (f && f->flow.remote.port == kServerPort) return f->flow.local.port % 2U;
    return f && f->flow.remote.ip == a ? 0U : 1U;
  });
  for (unsigned i = 0; i < 20; ++i) {
    App& app = l.fetch({.send = 200'000, .expect_key = 2});
    ASSERT_TRUE(l.run([&] { return app.released(); }, 5s));
    EXPECT_TRUE(app.ended_cleanly());
  }
  l.world.run_for(130s);
  EXPECT_EQ(l.gateway->in_use(), 0U);
}

}  // namespace
}  // namespace braid::kit
