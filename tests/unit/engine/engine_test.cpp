// The worker as a whole: several workers, bounds, listings, shortages, bad frames.
#include <gtest/gtest.h>

#include <set>

#include "kit/mp_client.hpp"
#include "wire/checksum.hpp"

namespace braid::kit {
namespace {

using stats::Counter;
using stats::Drop;
using stats::Join;

class Engine : public LabTest {};

TEST_F(Engine, JoinForcedOntoTheWrongWorker) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    Lab& l = make(
        {.seed = seed,
         .workers = 2,
         .access = {{.name = "a", .rate = 20e6, .delay = 5ms}, {.name = "b", .rate = 20e6, .delay = 3ms}}});
    l.server_host().listen(kServerPort, {.send = 400'000, .send_key = 2, .expect_key = 1});
    // Whatever comes from link a goes to worker 0, from link b to worker 1, from the server to either.
    const Ip a = l.client_ip(0);
    l.gateway->set_rss([a](const std::optional<wire::TcpFrame>& f) {
      if (!f) return 0U;
      if (f->flow.remote.port == kServerPort) return f->flow.local.port / 2U % 2U;
      return f->flow.remote.ip == a ? 0U : 1U;
    });
    App& app = l.fetch({.send = 100'000, .expect_key = 2});
    ASSERT_TRUE(l.run([&] { return app.released(); }));
    EXPECT_TRUE(app.ended_cleanly());
    EXPECT_EQ(app.wrong_at(), kNoLimit);
    EXPECT_EQ(l.gateway->joins(Join::ok), 1U);
    EXPECT_GT(l.gateway->counter(Counter::handoffs), 10U);
    l.world.run_for(130s);
    EXPECT_EQ(l.gateway->engine(1).use().redirects, 0U) << "redirect entry not released";
    EXPECT_EQ(l.gateway->in_use(), 0U);
  }
}

// AF_PACKET and AF_XDP may bring the packets of one flow on any queue: every worker must find their way.
TEST_F(Engine, FlowsThatChangeTheirQueueStayWhole) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    LabSpec spec{
        .seed = seed,
        .workers = 3,
        .access = {{.name = "a", .rate = 20e6, .delay = 5ms}, {.name = "b", .rate = 20e6, .delay = 3ms}}};
    spec.tune = [](relay::Settings&, engine::Settings& e) { e.unstable_ports = 0xff; };
    Lab& l = make(spec);
    l.server_host().listen(kServerPort, {.send = 400'000, .send_key = 2, .expect_key = 1});
    auto turn = std::make_shared<Rng>(seed);
    l.gateway->set_rss([turn](const std::optional<wire::TcpFrame>&) { return turn->below(3); });
    App& app = l.fetch({.send = 100'000, .expect_key = 2});
    ASSERT_TRUE(l.run([&] { return app.released(); }));
    EXPECT_TRUE(app.ended_cleanly());
    EXPECT_EQ(app.wrong_at(), kNoLimit);
    EXPECT_EQ(l.gateway->joins(Join::ok), 1U);
    EXPECT_EQ(l.gateway->drops(Drop::no_connection), 0U) << "a worker did not know a flow";
    EXPECT_EQ(l.gateway->counter(Counter::mptcp_sessions_held), 0U);
    l.world.run_for(130s);
    EXPECT_EQ(l.gateway->in_use(), 0U);
  }
}

// A server's answer that comes to a listener's address on another worker would be taken for a client's.
TEST_F(Engine, ConnectionsToServersKeepOffListenersPorts) {
  const Ip source = Ip::v4(0xc6130001);
  LabSpec spec{.workers = 2, .scripted_client = true};
  spec.tune = [source](relay::Settings& r, engine::Settings&) {
    for (unsigned p = engine::kFirstServerLegPort; p < engine::kEndServerLegPort; ++p)
      if (p % 4 < 2) r.listeners[0].binds.push_back({source, static_cast<std::uint16_t>(p)});
  };
  Lab& l = make(spec);
  l.server_host().listen(kServerPort, {.echo = true});
  for (std::uint16_t i = 0; i < 40; ++i) l.remote(0, static_cast<std::uint16_t>(20000 + i)).handshake();
  l.world.run_for(100ms);
  ASSERT_EQ(l.server_host().accepted().size(), 40U);
  for (App* app : l.server_host().accepted())
    EXPECT_GE(dynamic_cast<tcp::PlainStream&>(*app->stream()).flow().remote.port % 4, 2);
}

TEST_F(Engine, RefusedJoinOnTheWrongWorkerReleasesItsEntry) {
  Lab& l = make({.workers = 2, .scripted_client = true});
  l.server_host().listen(kServerPort, {.echo = true});
  const Ip a = l.client_ip(0);
  l.gateway->set_rss(
      [a](const std::optional<wire::TcpFrame>& f) { return f && f->flow.remote.ip == a ? 0U : 1U; });
  MpClient m(l);
  m.connect();
  m.key_of_peer += 1;
  for (unsigned i = 0; token_of(m.key_of_peer) % 2 != 0; ++i) m.key_of_peer += 1;  // worker 0 would own it
  Remote& j = l.remote(1, 31000, 500);
  j.say({.flags = S, .options = m.join_syn(2)});
  EXPECT_TRUE(j.next(1ms)->has(R));
  l.world.run_for(1ms);
  EXPECT_EQ(l.gateway->engine(1).use().redirects, 0U);
}

TEST_F(Engine, FiveHundredShortConnections) {
  Lab& l = make({.tune = [](relay::Settings&, engine::Settings& e) {
    e.connections = 1024;
    e.handshakes = 600;
  }});
  l.server_host().listen(kServerPort, {.echo = true});
  std::vector<App*> apps;
  for (int i = 0; i < 500; ++i) {
    const Plan plan{.send = 300, .expect_key = 1};
    apps.push_back(i % 2 == 0 ? &l.fetch(plan, false) : &l.client->connect(l.listener(), plan));
  }
  const auto done = [&] {
    for (App* a : apps)
      if (!a->released()) return false;
    return true;
  };
  ASSERT_TRUE(l.run(done, 30s));
  for (App* a : apps) {
    EXPECT_TRUE(a->ended_cleanly());
    EXPECT_EQ(a->received(), 300U);
    EXPECT_EQ(a->wrong_at(), kNoLimit);
  }
  l.world.run_for(130s);
  EXPECT_EQ(l.gateway->in_use(), 0U);
}

TEST_F(Engine, HandshakesAndConnectionsAreBounded) {
  Lab& l = make({.scripted_client = true, .tune = [](relay::Settings&, engine::Settings& e) {
                   e.connections = 32;
                   e.handshakes = 8;
                 }});
  for (std::uint16_t i = 0; i < 20; ++i) l.remote(0, static_cast<std::uint16_t>(20000 + i)).say({.flags = S});
  l.world.run_for(1ms);
  EXPECT_EQ(l.gateway->counter(Counter::tcp_cookies_sent), 12U);
  EXPECT_EQ(l.gateway->engine().use().pairs, 8U);
  l.world.run_for(15s);  // handshakes time out
  EXPECT_EQ(l.gateway->in_use(), 0U);
}

TEST_F(Engine, LargeListingComesInBoundedBatches) {
  constexpr unsigned kMany = 10'000;
  Lab& l = make(
      {.scripted_client = true, .scripted_servers = true, .tune = [](relay::Settings&, engine::Settings& e) {
         e.connections = kMany;
         e.handshakes = kMany;
       }});
  for (unsigned i = 0; i < kMany; ++i) l.remote(0, static_cast<std::uint16_t>(10000 + i)).say({.flags = S});
  l.world.run_for(1ms);
  ASSERT_EQ(l.gateway->engine().use().pairs, kMany);
  std::vector<engine::SessionInfo> out(700);
  std::set<std::uint64_t> seen;
  std::uint32_t cursor = 0;
  unsigned answers = 0;
  do {
    engine::ListRequest request;
    request.cursor = cursor;
    request.out = out;
    ASSERT_TRUE(l.gateway->engine().post(request));
    unsigned turns = 0;
    std::uint32_t filled = 0;
    while (!request.done.load()) {
      ASSERT_LT(++turns, 10'000U);
      l.gateway->engine().poll(l.world.now(), l.gateway->io());
      EXPECT_LE(request.filled - filled, 64U) << "too many entries in one turn";
      filled = request.filled;
    }
    EXPECT_GE(turns, request.filled / 64);
    for (std::uint32_t i = 0; i < request.filled; ++i) {
      EXPECT_TRUE(seen.insert(out[i].id).second) << "listed twice";
      EXPECT_EQ(out[i].bind, l.listener());
    }
    cursor = request.next;
    ++answers;
  } while (cursor != 0);
  EXPECT_EQ(seen.size(), kMany);
  EXPECT_GE(answers, 3U);
}

TEST_F(Engine, EveryKthAllocationFails) {
  for (std::uint32_t k = 1; k <= 12; ++k) {
    Lab& l = make({.seed = k, .workers = 2});
    l.server_host().listen(kServerPort, {.echo = true});
    for (unsigned w = 0; w < 2; ++w) l.gateway->engine(w).fail_every(k);
    std::vector<App*> apps;
    for (int i = 0; i < 10; ++i) {
      const Plan plan{.send = 5000, .expect_key = 1};
      apps.push_back(i % 2 == 0 ? &l.fetch(plan) : &l.client->connect(l.listener(), plan));
    }
    l.world.run_for(60s);
    for (App* a : apps) {
      EXPECT_EQ(a->wrong_at(), kNoLimit);
      if (a->ended_cleanly()) {
        EXPECT_EQ(a->received(), 5000U);
      }
    }
    for (unsigned w = 0; w < 2; ++w) l.gateway->engine(w).fail_every(0);
    if (HasFailure()) return;
  }
}

TEST_F(Engine, BuffersRunOutInMidTransfer) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    Lab& l = make(
        {.seed = seed,
         .access = {{.name = "a", .rate = 30e6, .delay = 10ms}, {.name = "b", .rate = 30e6, .delay = 5ms}}});
    l.server_host().listen(kServerPort, {.send = 300'000, .send_key = 2, .expect_key = 1});
    App& app = l.fetch({.send = 300'000, .expect_key = 2});
    l.world.run_for(std::chrono::milliseconds(30 + 11 * seed));
    {
      const Shortage none(static_cast<std::uint32_t>(seed % 4));
      l.world.run_for(700ms);
    }
    ASSERT_TRUE(l.run([&] { return app.released(); }, 300s)) << "seed " << seed;
    EXPECT_EQ(app.wrong_at(), kNoLimit) << "seed " << seed;
    if (app.ended_cleanly()) {
      EXPECT_EQ(app.received(), 300'000U);
    }
  }
}

TEST_F(Engine, TruncatedFramesAtEveryByte) {
  Lab& l = make({.scripted_client = true});
  l.server_host().listen(kServerPort, {.echo = true});
  MpClient m(l);
  Remote& c = m.connect();
  m.data(c, 0, "hello");
  c.next(100ms);
  std::vector<Packet> seen;
  for (const auto& captured : l.access(0).captured()) seen.push_back(captured.packet);
  for (const Packet& p : seen)
    for (std::size_t n = 0; n < p.size(); ++n)
      l.client_script->raw(0, Packet(p.begin(), p.begin() + static_cast<std::ptrdiff_t>(n)));
  l.world.run_for(1ms);
  EXPECT_GT(l.gateway->drops(Drop::short_frame) + l.gateway->drops(Drop::bad_ip_header), 100U);
  m.data(c, 5, "alive", 5);
  l.world.run_for(50ms);
  EXPECT_EQ(l.server_host().accepted()[0]->received(), 10U);
}

TEST_F(Engine, RandomAndMutatedFrames) {
  Rng rng(4);
  Lab& l = make({.workers = 2, .scripted_client = true});
  l.server_host().listen(kServerPort, {.echo = true});
  MpClient m(l);
  Remote& c = m.connect(true);
  Remote& j = m.join(1);
  m.data(c, 0, "hello");
  l.world.run_for(50ms);
  std::vector<Packet> seen;
  for (unsigned link : {0U, 1U})
    for (const auto& captured : l.access(link).captured()) seen.push_back(captured.packet);
  for (int i = 0; i < 20'000; ++i) {
    if (i % 10 == 0) {
      Packet p(rng.below(200));
      for (auto& b : p) b = static_cast<std::byte>(rng.next());
      l.client_script->raw(0, p);
    } else {  // a sound checksum over mutated options and numbers
      const Packet& p = seen[rng.below(static_cast<std::uint32_t>(seen.size()))];
      wire::TcpFrame f;
      if (wire::parse_frame(p, wire::Trust::verify, f) != wire::FrameKind::tcp) continue;
      const ByteView o = options_of(p, f);
      Packet options(o.begin(), o.end());
      for (int k = 0; k < 3 && !options.empty(); ++k)
        options[rng.below(static_cast<std::uint32_t>(options.size()))] = static_cast<std::byte>(rng.next());
      Say s{.flags = static_cast<std::uint8_t>(rng.below(4) == 0 ? rng.next() : f.flags)};
      s.data.assign(rng.below(30), 'm');
      Flow flow = rng.below(2) == 0 ? c.flow() : j.flow();
      if (rng.below(4) == 0) flow.local.port = static_cast<std::uint16_t>(40000 + rng.below(30));
      const std::uint32_t seq = f.seq.raw + (rng.below(3) == 0 ? rng.below(100) : 0);
      l.client_script->raw(0, Script::build(flow, s, seq, f.ack.raw, options));
    }
    if (i % 50 == 0) l.world.run_for(1ms);
  }
  l.world.run_for(1s);
  EXPECT_GT(l.gateway->all_drops(), 1000U);
  EXPECT_GT(l.gateway->counter(Counter::options_ignored), 0U);
}

TEST_F(Engine, FragmentsAreRefusedOnlyWhereTheyCouldBeOurs) {
  Lab& l = make({.scripted_client = true});
  Remote& r = l.remote(0, 5000);
  r.say({.flags = S});
  ASSERT_TRUE(r.next().has_value());
  Packet p = l.access(0).captured().front().packet;
  store_be(p.data() + wire::kEthernetHeader + 6, std::uint16_t{0x2000});
  const auto send = [&l](Packet frame) {
    store_be(frame.data() + wire::kEthernetHeader + 10, std::uint16_t{0});
    const ByteView header(frame.data() + wire::kEthernetHeader, wire::kIpv4Header);
    store_be(frame.data() + wire::kEthernetHeader + 10, static_cast<std::uint16_t>(~wire::ones_sum(header)));
    l.access(0).inject(true, std::move(frame));
    l.world.run_for(1ms);
  };
  send(p);
  EXPECT_EQ(l.gateway->drops(Drop::ip_fragment), 1U);
  EXPECT_EQ(l.gateway->punted(), 0U);
  Packet udp = p;
  udp[wire::kEthernetHeader + 9] = std::byte{17};
  send(udp);
  Packet elsewhere = p;
  store_be(elsewhere.data() + wire::kEthernetHeader + 16, std::uint32_t{0xc6130909});
  send(elsewhere);
  EXPECT_EQ(l.gateway->punted(), 2U) << "the kernel reassembles what is its own";
  EXPECT_EQ(l.gateway->drops(Drop::ip_fragment), 1U);
}

TEST_F(Engine, NobodysPacketsGoToTheMirror) {
  Lab& l = make({.scripted_client = true});
  Packet arp(60);
  arp[12] = std::byte{8};
  arp[13] = std::byte{6};
  l.client_script->raw(0, arp);
  Endpoint ssh = l.listener();
  ssh.port = 22;
  Remote& r = l.client_script->remote(0, {l.client_ip(0), 5000}, ssh);
  r.say({.flags = S});
  r.quiet(10ms);
  EXPECT_EQ(l.gateway->punted(), 2U);
  EXPECT_EQ(l.gateway->counter(Counter::punted), 2U);
}

TEST_F(Engine, StraySegmentsAreAnsweredByReset) {
  Lab& l = make({.scripted_client = true});
  Remote& r = l.remote(0, 5000);
  r.say({.ack = 77, .data = "who are you"});
  const Heard h = *r.next();
  EXPECT_EQ(h.frame.flags, R);
  EXPECT_EQ(h.frame.seq.raw, 77U);
  r.say({.flags = R});
  r.quiet(1ms);
  EXPECT_EQ(l.gateway->drops(Drop::no_connection), 1U);
  EXPECT_EQ(l.gateway->drops(Drop::stray_reset), 1U);
}

// What bench_relay measures as bytes_per_idle_session is these objects and some 95 bytes of tables.
TEST(Memory, ObjectsOfAnIdleSessionFitTheirBudget) {
  constexpr std::size_t kObjects =
      2 * sizeof(mptcp::Subflow) + sizeof(mptcp::Session) + sizeof(tcp::PlainStream) + sizeof(relay::Pair);
  EXPECT_LE(kObjects, 1424U);
}

TEST_F(Engine, LeavesTheCountOfTurnsToWhoMakesThem) {  // the watchdog and the route board rely on it
  Lab& l = make();
  l.world.run_for(10ms);
  EXPECT_EQ(l.gateway->counter(Counter::loops), 0U);
}

TEST_F(Engine, DrainTakesNoNewClients) {
  Lab& l = make();
  l.server_host().listen(kServerPort, {.send = 100'000, .send_key = 2});
  App& old = l.client->connect(l.listener(), {.expect_key = 2});
  l.world.run_for(0ms);
  l.gateway->engine().drain();
  App& fresh = l.client->connect(l.listener(), {});
  ASSERT_TRUE(l.run([&] { return old.released() && fresh.released(); }));
  EXPECT_TRUE(old.ended_cleanly());
  EXPECT_EQ(fresh.failure(), tcp::Failure::refused);
}

}  // namespace
}  // namespace braid::kit
