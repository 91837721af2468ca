// Paths that take less than their ends believe (PPPoE, tunnels): RFC 1191, RFC 8201, RFC 5927, RFC 8899.
#include <gtest/gtest.h>

#include "kit/icmp.hpp"
#include "kit/mp_client.hpp"

namespace braid::kit {
namespace {

using stats::Counter;
using stats::Drop;

class PathMtu : public LabTest {
 protected:
  struct Case {
    bool v6;
    bool mptcp;
    bool tells;
  };
  // A download during which the path narrows to 1,400 bytes; how long it took.
  Duration download(const Case& c, unsigned workers = 1) {
    Lab& l = make(
        {.workers = workers, .access = {{.name = "a", .rate = 20e6, .delay = 10ms}}, .v6 = c.v6, .tune = {}});
    if (workers > 1)  // ICMP comes on another queue than the connection
      l.gateway->set_rss([](const std::optional<wire::TcpFrame>& f) { return f ? 0U : 1U; });
    l.server_host().listen(kServerPort, {.send = 2'000'000, .send_key = 2});
    const Plan plan{.expect_key = 2};
    App& app = c.mptcp ? l.fetch(plan, false) : l.client->connect(l.listener(), plan);
    l.world.run_for(200ms);
    l.access(0).set_mtu(1400, c.tells);
    EXPECT_TRUE(l.run([&] { return app.released(); })) << "black hole";
    EXPECT_TRUE(app.ended_cleanly());
    EXPECT_EQ(app.received(), 2'000'000U);
    EXPECT_EQ(app.wrong_at(), kNoLimit);
    return l.world.elapsed();
  }
};

TEST_F(PathMtu, TheRoutersWordIsTaken) {
  for (const bool v6 : {false, true}) {
    for (const bool mptcp : {false, true}) {
      EXPECT_LT(download({v6, mptcp, true}), 1300ms) << v6 << mptcp;
      EXPECT_EQ(lab().gateway->counter(Counter::tcp_mtu_lowered), 1U);
      EXPECT_EQ(lab().gateway->counter(Counter::tcp_timeouts), 0U) << "being too large is no congestion";
    }
  }
}

TEST_F(PathMtu, TheWorkerThatHasTheConnectionIsFound) {
  for (const bool v6 : {false, true}) {
    EXPECT_LT(download({v6, true, true}, 2), 1300ms);
    EXPECT_EQ(lab().gateway->counter(Counter::tcp_mtu_lowered), 1U);
  }
}

TEST_F(PathMtu, ServersPathsToo) {
  for (const unsigned workers : {1U, 2U}) {
    Lab& l = make({.workers = workers, .servers = {{.name = "s", .rate = 20e6, .delay = 5ms}}});
    if (workers > 1)
      l.gateway->set_rss([](const std::optional<wire::TcpFrame>& f) {
        if (!f) return 0U;
        return f->flow.remote.port == kServerPort ? f->flow.local.port % 2U : 1U;
      });
    l.server_host().listen(kServerPort, {.expect_key = 1, .finish_after_peer = true});
    App& app = l.client->connect(l.listener(), {.send = 500'000});
    l.world.run_for(30ms);
    l.server_link().set_mtu(1400, true);
    ASSERT_TRUE(l.run([&] { return app.released(); }, 5s));
    EXPECT_TRUE(app.ended_cleanly());
    EXPECT_EQ(l.server_host().accepted().at(0)->received(), 500'000U);
    EXPECT_EQ(l.server_host().accepted().at(0)->wrong_at(), kNoLimit);
    EXPECT_EQ(l.gateway->counter(Counter::tcp_mtu_lowered), 1U);
  }
}

TEST_F(PathMtu, BlackHolesAreFound) {
  for (const bool v6 : {false, true}) {
    for (const bool mptcp : {false, true}) {
      EXPECT_LT(download({v6, mptcp, false}), 6s) << v6 << mptcp;
      EXPECT_EQ(lab().gateway->counter(Counter::tcp_mtu_lowered), 1U);
    }
  }
}

// A path that was down is no black hole: segments stay as large as they were.
TEST_F(PathMtu, ACutPathKeepsItsSize) {
  for (const bool mptcp : {false, true}) {
    Lab& l = make({.access = {{.name = "a", .rate = 20e6, .delay = 10ms}}});
    l.server_host().listen(kServerPort, {.send = 2'000'000, .send_key = 2});
    const Plan plan{.expect_key = 2};
    App& app = mptcp ? l.fetch(plan, false) : l.client->connect(l.listener(), plan);
    l.world.run_for(200ms);
    l.access(0).cut();
    l.world.run_for(7s);
    l.access(0).uncut();
    ASSERT_TRUE(l.run([&] { return app.released(); }));
    EXPECT_TRUE(app.ended_cleanly());
    EXPECT_EQ(l.gateway->counter(Counter::tcp_mtu_lowered), 0U);
  }
}

// RFC 5927: what an attacker off the path can say.
TEST_F(PathMtu, OnlyWhatIsOnTheWayCounts) {
  Lab& l = make({.scripted_client = true});
  l.server_host().listen(kServerPort, {.send = 4000, .send_key = 2, .finish = false});
  Remote& r = l.remote(0, 31000);
  r.handshake();
  std::vector<Heard> data;
  while (const auto h = r.next(1ms))
    if (!h->data.empty()) data.push_back(*h);
  ASSERT_EQ(data.size(), 3U);
  ASSERT_EQ(data[0].data.size(), 1448U);
  const auto tell = [&](const Packet& about, std::uint16_t mtu) {
    l.client_script->raw(0, too_big(about, mtu));
    l.world.run_for(1ms);
  };
  r.say({.ack = 1 + 2896});
  l.world.run_for(1ms);
  tell(data[0].packet, 1000);  // acknowledged already
  EXPECT_EQ(l.gateway->counter(Counter::icmp_ignored), 1U);
  tell(Script::build(r.flow(), {}, 0, 0, {}), 1000);  // of the client itself, quoted as if it were ours
  EXPECT_EQ(l.gateway->counter(Counter::tcp_mtu_lowered), 0U);
  tell(data[2].packet, 68);  // a real one, but no path of today is that small
  EXPECT_EQ(l.gateway->counter(Counter::tcp_mtu_lowered), 1U);
  const auto again = r.next(5ms);
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->data.size(), 552U - 40);
  EXPECT_EQ(again->seq, 1U + 2896);
}

TEST_F(PathMtu, OthersErrorsAreTheKernels) {
  Lab& l = make({.workers = 2, .scripted_client = true});
  const Endpoint ssh{l.listener().ip, 22};
  const Endpoint client{l.client_ip(0), 31000};
  l.client_script->raw(0, too_big(Script::build({ssh, client}, {}, 1, 1, {}), 1400));
  l.world.run_for(1ms);
  EXPECT_EQ(l.gateway->punted(), 1U);
  // About no connection, though it could be one of ours: shown to the other worker, few at a time.
  for (unsigned i = 0; i < 100; ++i)
    l.client_script->raw(0, too_big(Script::build({l.listener(), client}, {}, 1, 1, {}), 1400));
  l.world.run_for(1ms);
  EXPECT_EQ(l.gateway->punted(), 1U);
  EXPECT_GE(l.gateway->drops(Drop::icmp_limit), 80U);
  EXPECT_EQ(l.gateway->drops(Drop::icmp_stray) + l.gateway->drops(Drop::icmp_limit), 100U);
}

// A router's word spares the wait for the connect time-out; what is established does not listen to it.
TEST_F(PathMtu, UnreachableServerIsPassedOver) {
  for (const bool v6 : {false, true}) {
    for (const unsigned workers : {1U, 2U}) {
      Lab& l = make({.workers = workers,
                     .access = {{.name = "a", .delay = 1ms}},
                     .servers = {{.name = "s", .delay = 1ms}, {.name = "t", .delay = 1ms}},
                     .v6 = v6});
      if (workers > 1) l.gateway->set_rss([](const std::optional<wire::TcpFrame>& f) { return f ? 0U : 1U; });
      for (unsigned i = 0; i < 2; ++i) l.server_host(i).listen(kServerPort, {.send = 20'000, .send_key = 2});
      l.server_link(0).set_middlebox([&l](Packet& p, const wire::TcpFrame& f, bool forward) {
        if (forward && f.has(wire::kSyn)) l.server_link(0).inject(!forward, unreachable(p));
        return !f.has(wire::kSyn);
      });
      App& app = l.fetch({.expect_key = 2}, false);
      l.server_link(1).set_middlebox([&l](Packet& p, const wire::TcpFrame&, bool forward) {
        if (!forward) l.server_link(1).inject(forward, unreachable(p));
        return true;
      });
      l.access(0).set_middlebox([&l](Packet& p, const wire::TcpFrame& f, bool forward) {
        if (!forward && f.payload_length != 0) l.access(0).inject(!forward, unreachable(p));
        return true;
      });
      ASSERT_TRUE(l.run([&] { return app.released(); }, 500ms));
      EXPECT_TRUE(app.ended_cleanly());
      EXPECT_EQ(app.received(), 20'000U);
      EXPECT_EQ(l.gateway->counter(Counter::upstream_failed), 1U);
      EXPECT_GT(l.gateway->counter(Counter::icmp_ignored), 0U);
    }
  }
}

}  // namespace
}  // namespace braid::kit
