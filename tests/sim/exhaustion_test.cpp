// What a peer, or a path that dies, may keep of what all share: buffers, slots, entries (threats 4.2, 4.5).
#include "kit/lab.hpp"
#include "kit/mp_client.hpp"

namespace braid::kit {
namespace {

using stats::Drop;

class Exhaustion : public LabTest {
 protected:
  static constexpr std::uint32_t kBuffer = 4U << 20;  // the default of limits.buffer_per_connection
  static LabSpec with_buffer(LabSpec spec) {
    spec.tune = [](relay::Settings& r, engine::Settings&) { r.buffer = kBuffer; };
    return spec;
  }
};

// Nearly all of the session's buffer is on the way over the fast path when it dies: what has arrived by the
// other one since then must not count against the buffer until the user time-out.
TEST_F(Exhaustion, DeadFastPathLeavesTheStreamItsBuffer) {
  Lab& l = make(with_buffer({.access = {{.name = "5g", .rate = 200e6, .delay = 25ms, .queue = 6'000'000},
                                        {.name = "dsl", .rate = 20e6, .delay = 12ms, .queue = 250'000}}}));
  l.client->budget = l.server_host().budget = 8U << 20;
  l.server_host().listen(kServerPort,
                         {.send = 1ULL << 32, .send_key = 2, .expect_key = 1, .ahead = 1U << 20});
  App& app = l.fetch({.send = 1000, .expect_key = 2, .finish = false});
  l.world.run_for(6s);
  l.access(0).cut();
  l.world.run_for(10s);
  const std::uint64_t before = app.received();
  l.world.run_for(10s);
  EXPECT_GT(app.received() - before, 20'000'000U) << "of 25 MB that the slow path carries";
  EXPECT_EQ(app.wrong_at(), kNoLimit);
  app.abort(l.client->context());
}

// One that holds less of it waits for its path to come back.
TEST_F(Exhaustion, PathThatHeldPartOfTheBufferIsUsedAgain) {
  Lab& l = make(with_buffer({.access = {{.name = "a", .rate = 120e6, .delay = 5ms, .queue = 1'600'000},
                                        {.name = "b", .rate = 40e6, .delay = 5ms, .queue = 400'000}}}));
  l.client->budget = l.server_host().budget = 8U << 20;
  l.server_host().listen(kServerPort,
                         {.send = 1ULL << 32, .send_key = 2, .expect_key = 1, .ahead = 1U << 20});
  App& app = l.fetch({.send = 1000, .expect_key = 2, .finish = false});
  l.world.run_for(2s);
  l.access(0).cut();
  l.world.run_for(3s);
  l.access(0).uncut();
  const std::uint64_t before = l.access(0).delivered_bytes(false);
  l.world.run_for(5s);
  EXPECT_GT(l.access(0).delivered_bytes(false) - before, 10'000'000U);
  app.abort(l.client->context());
}

// Segments of 76 bytes would take a buffer each: 4 MiB in them are more than there are (CVE-2019-11479).
TEST_F(Exhaustion, TinySegmentsDoNotTakeAllBuffers) {
  Lab& l = make(with_buffer({.scripted_client = true}));
  l.server_host().budget = 16U << 20;
  l.server_host().listen(kServerPort, {.send = 8'000'000, .finish = false, .ahead = 64 << 10});
  l.remote(0, 30000).handshake(88, true, true, 7);
  l.world.run_for(20s);
  EXPECT_LT(buffers_in_use(), kBuffers / 2);
}

// Readers that keep their windows closed may together hold what there is, but not keep others out.
TEST_F(Exhaustion, ClosedWindowsLeaveRoomForAnHonestClient) {
  Lab& l =
      make(with_buffer({.servers = {{.name = "s", .rate = 1e9, .delay = 5ms}}, .scripted_client = true}));
  l.server_host().budget = 16U << 20;
  l.server_host().listen(kServerPort, {.send = 50'000'000, .finish = false, .ahead = 64 << 10});
  for (unsigned i = 0; i < 24; ++i) {
    Remote& c = l.remote(0, static_cast<std::uint16_t>(30000 + i));
    c.handshake(1460, true, false, 7);
    c.window = 0;
    c.say({});
  }
  l.world.run_for(10s);
  Remote& h = l.remote(1, 40000);
  h.handshake();
  const auto first = h.next(2s);
  ASSERT_TRUE(first.has_value());
  l.world.run_for(2min);
  EXPECT_LT(buffers_in_use(), kBuffers / 20 * 19) << "some of the crowd had to go: nobody answered a probe";
}

// A client that moves from network to network while it has nothing to say.
TEST_F(Exhaustion, PathsThatDiedInSilenceMakeRoom) {
  Lab& l = make({.scripted_client = true});
  l.server_host().listen(kServerPort, {.echo = true});
  MpClient m(l);
  Remote& c = m.connect();
  m.data(c, 0, "hello");
  l.world.run_for(50ms);
  c.skip();
  c.say({.options = m.ack(5)});
  std::uint8_t gone = 0;
  for (std::uint8_t id = 2; id < 9; ++id) {
    const auto port = static_cast<std::uint16_t>(33000 + id);
    Remote& j = l.client_script->remote(1, {l.client_ip(1), port}, l.listener(), 70000);
    j.say({.flags = S, .options = m.join_syn(id)});
    const auto h = j.next(5ms);
    ASSERT_TRUE(h && !h->has(R)) << "network " << int{id};
    m.peer_nonce = h->mp().join.nonce;
    j.say({.options = m.join_third()});
    l.world.run_for(5ms);
    const std::vector<std::uint8_t> ids{gone};
    j.say({.options = [&](wire::OptionBuffer& o) { o.remove_addr(ids); }});
    l.world.run_for(1min);
    EXPECT_EQ(l.gateway->engine().use().subflows, 1U) << "network " << int{id};
    gone = id;
  }
  EXPECT_EQ(l.gateway->joins(stats::Join::timeout), 0U) << "they had joined, and died later";
}

// Rule 38: one that answers stays.
TEST_F(Exhaustion, PathThatAnswersIsNotRemovedOnHearsay) {
  Lab& l = make();
  l.server_host().listen(kServerPort, {.echo = true});
  App& app = l.fetch({.send = 1000, .finish = false});
  ASSERT_TRUE(l.run([&] { return l.gateway->joins(stats::Join::ok) == 1; }, 5s));
  auto& session = Host::session_of(app);
  session.subflow(0)->doubt(l.client->context());
  session.subflow(1)->doubt(l.client->context());
  l.world.run_for(5min);
  EXPECT_EQ(session.subflow_count(), 2U);
  app.abort(l.client->context());
}

// There are as many flights as connections and sessions, so that none is left is a broken invariant: it ends
// the connection or session that it meets, is counted, and leaves nothing behind.
TEST_F(Exhaustion, MissingFlightEndsWhatNeedsOne) {
  std::uint64_t broken = 0;
  for (const bool mptcp : {true, false})
    for (std::uint32_t every = 1; every <= 12; ++every) {
      SCOPED_TRACE((mptcp ? "MPTCP, every " : "TCP, every ") + std::to_string(every));
      Lab& l = make({.access = {{.name = "a", .delay = 5ms, .loss = 0.01}, {.name = "b", .delay = 8ms}}});
      l.client->timeouts.user = l.server_host().timeouts.user = 20s;
      l.server_host().listen(kServerPort, {.send = 1000, .send_key = 2, .expect_key = 1});
      l.client->context().flights.fail_every(every);
      const Plan plan{.send = 200'000, .expect_key = 2, .send_after = 1000};  // idle at first
      App& app = mptcp ? l.fetch(plan) : l.client->connect(l.listener(), plan);
      EXPECT_TRUE(l.run([&] { return app.released(); }, 200s));
      const std::uint64_t here = l.client->stats().counters[stats::Counter::invariant];
      broken += here;
      EXPECT_TRUE(here != 0 || app.ended_cleanly());
      l.client->context().flights.fail_every(0);
      finish();
      if (HasFailure()) return;
    }
  EXPECT_GT(broken, 4U) << "the test no longer reaches what it is about";
}

// Joins with made-up tokens on the wrong worker: each makes a redirect entry there before anybody knows
// better.
TEST_F(Exhaustion, ForgedJoinsLeaveNoRedirectEntry) {
  LabSpec spec{.workers = 2, .scripted_client = true};
  spec.tune = [](relay::Settings&, engine::Settings& e) { e.connections = 2048; };
  Lab& l = make(spec);
  l.server_host().listen(kServerPort, {.echo = true});
  l.gateway->set_rss(
      [](const std::optional<wire::TcpFrame>& f) { return f ? f->flow.remote.port % 2U : 0U; });
  for (unsigned i = 0; i < 8000; ++i) {
    const auto port = static_cast<std::uint16_t>(1000 + i);
    wire::OptionBuffer o;
    o.mss(1460);
    wire::MpJoin j;
    j.address_id = 2;
    j.token = (i * 2654435761U & ~1U) | ((port % 2U) ^ 1U);  // the other worker's
    j.nonce = i;
    o.mp_join_syn(j);
    l.client_script->raw(
        0, Script::build({{l.client_ip(0), port}, l.listener()}, {.flags = S}, i, 0, o.padded()));
  }
  l.world.run_for(1s);
  EXPECT_GT(l.gateway->drops(Drop::join_no_token), 0U);
  EXPECT_EQ(l.gateway->engine(0).use().redirects, 0U);
  EXPECT_EQ(l.gateway->engine(1).use().redirects, 0U);
}

}  // namespace
}  // namespace braid::kit
