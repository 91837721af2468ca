// Two streams and what happens between them: ends, resets, servers that fail, time-outs, back pressure,
// records.
#include <gtest/gtest.h>

#include "kit/mp_client.hpp"

namespace braid::kit {
namespace {

using relay::Phase;
using relay::Who;
using stats::Counter;

class Pair : public LabTest {
 protected:
  // Each scenario runs with an MPTCP client and with a plain one.
  App& open(Lab& l, bool mptcp, const Plan& plan) {
    return mptcp ? l.fetch(plan, false) : l.client->connect(l.listener(), plan);
  }
  relay::AccessRecord record() {
    const auto all = lab().gateway->records();
    EXPECT_EQ(all.size(), 1U);
    return all.empty() ? relay::AccessRecord{} : all[0];
  }
  App& at_server(unsigned i = 0) { return *lab().server_host(i).accepted().at(0); }
};

TEST_F(Pair, ClientHalfClosesFirst) {
  for (const bool mptcp : {false, true}) {
    Lab& l = make();
    l.server_host().listen(kServerPort, {.send = 1000, .send_key = 2, .finish_after_peer = true});
    App& c = open(l, mptcp, {.send = 500});
    ASSERT_TRUE(l.run([&] { return c.released(); }));
    EXPECT_TRUE(c.ended_cleanly());
    EXPECT_EQ(c.received(), 1000U);
    l.world.run_for(1s);
    EXPECT_TRUE(at_server().ended_cleanly());
    const auto r = record();
    EXPECT_EQ(r.phase, Phase::done);
    EXPECT_EQ(r.bytes_up, 500U);
    EXPECT_EQ(r.bytes_down, 1000U);
    EXPECT_EQ(r.kind, mptcp ? relay::Kind::mptcp : relay::Kind::tcp);
    EXPECT_EQ(r.server, l.server());
    EXPECT_GE(r.connect_ns, 0);
  }
}

TEST_F(Pair, ServerHalfClosesFirst) {
  for (const bool mptcp : {false, true}) {
    Lab& l = make();
    l.server_host().listen(kServerPort, {.send = 1000, .send_key = 2, .expect_key = 1});
    App& c = open(l, mptcp, {.send = 5000, .finish_after_peer = true, .send_after = 1000});
    ASSERT_TRUE(l.run([&] { return c.released(); }));
    EXPECT_TRUE(c.ended_cleanly());
    l.world.run_for(1s);
    EXPECT_EQ(at_server().received(), 5000U);
    EXPECT_TRUE(at_server().ended_cleanly());
    EXPECT_EQ(record().phase, Phase::done);
  }
}

TEST_F(Pair, ServerResetReachesTheClientAsAReset) {
  for (const bool mptcp : {false, true}) {
    Lab& l = make();
    l.server_host().listen(kServerPort,
                           {.send = 1000, .send_key = 2, .finish = false, .abort_after_received = 10});
    App& c = open(l, mptcp, {.send = 10, .finish = false});
    ASSERT_TRUE(l.run([&] { return c.released(); }));
    EXPECT_EQ(c.failure(), tcp::Failure::reset);
    EXPECT_FALSE(c.saw_fin()) << "a broken stream looked complete";
    EXPECT_EQ(record().who, Who::server);
  }
}

TEST_F(Pair, ClientResetReachesTheServerAsAReset) {
  for (const bool mptcp : {false, true}) {
    Lab& l = make();
    l.server_host().listen(kServerPort, {.send = 100'000, .send_key = 2, .finish = false});
    App& c = open(l, mptcp, {.send = 10, .finish = false, .abort_after_received = 50'000});
    ASSERT_TRUE(l.run([&] { return c.released(); }));
    l.world.run_for(1s);
    EXPECT_EQ(at_server().failure(), tcp::Failure::reset);
    EXPECT_FALSE(at_server().saw_fin());
    const auto r = record();
    EXPECT_EQ(r.who, Who::client);
    EXPECT_EQ(r.phase, Phase::data);
  }
}

TEST_F(Pair, RefusedSilentAndUnreachableServersReachTheClientAsAReset) {
  for (const bool mptcp : {false, true}) {
    for (const auto answer : {Host::Answer::refuse, Host::Answer::silence}) {
      Lab& l = make();
      l.server_host().listen(kServerPort, {}, answer);
      App& c = open(l, mptcp, {.send = 10, .finish = false});
      ASSERT_TRUE(l.run([&] { return c.released(); }));
      EXPECT_EQ(c.failure(), tcp::Failure::reset);
      EXPECT_FALSE(c.saw_fin());
      if (answer == Host::Answer::silence) {
        EXPECT_GE(l.world.elapsed(), 3s);
      }
      const auto r = record();
      EXPECT_EQ(r.phase, Phase::connect);
      EXPECT_EQ(r.who, Who::server);
      EXPECT_EQ(r.connect_ns, -1);
      EXPECT_EQ(l.gateway->counter(Counter::upstream_failed), 1U);
    }
  }
}

TEST_F(Pair, NextServerWhenOneRefusesOrIsSilent) {
  for (const auto answer : {Host::Answer::refuse, Host::Answer::silence}) {
    Lab& l = make({.servers = {{.name = "s0"}, {.name = "s1"}, {.name = "s2"}}});
    l.server_host(0).listen(kServerPort, {}, answer);
    l.server_host(1).listen(kServerPort, {}, answer);
    l.server_host(2).listen(kServerPort, {.echo = true});
    App& c = open(l, true, {.send = 100, .expect_key = 1});
    ASSERT_TRUE(l.run([&] { return c.released(); }));
    EXPECT_TRUE(c.ended_cleanly());
    EXPECT_EQ(c.received(), 100U);
    EXPECT_EQ(l.gateway->counter(Counter::upstream_failed), 2U);
    l.world.run_for(1s);
    EXPECT_EQ(record().server, l.server(2));
  }
}

TEST_F(Pair, ServersTakeTurns) {
  Lab& l = make({.servers = {{.name = "s0"}, {.name = "s1"}, {.name = "s2"}}});
  for (unsigned i = 0; i < 3; ++i) l.server_host(i).listen(kServerPort, {.echo = true});
  for (int i = 0; i < 9; ++i) {
    App& c = open(l, i % 2 == 0, {.send = 10, .expect_key = 1});
    ASSERT_TRUE(l.run([&] { return c.released(); }));
  }
  for (unsigned i = 0; i < 3; ++i) EXPECT_EQ(l.server_host(i).accepted().size(), 3U);
}

TEST_F(Pair, IdleTimeoutEndsBothSides) {
  for (const bool mptcp : {false, true}) {
    Lab& l = make({.tune = [](relay::Settings& r, engine::Settings&) { r.idle = 100s; }});
    l.server_host().listen(kServerPort, {.finish = false});
    App& c = open(l, mptcp, {.send = 10, .finish = false});
    l.world.run_for(99s);
    EXPECT_FALSE(c.released());
    l.world.run_for(3s);
    EXPECT_EQ(c.failure(), tcp::Failure::reset);
    EXPECT_EQ(at_server().failure(), tcp::Failure::reset);
    const auto r = record();
    EXPECT_EQ(r.who, Who::timeout);
    EXPECT_EQ(r.phase, Phase::data);
  }
}

TEST_F(Pair, HalfClosedTimeoutEndsBothSides) {
  Lab& l = make({.tune = [](relay::Settings& r, engine::Settings&) { r.half_closed = 20s; }});
  l.server_host().listen(kServerPort, {.finish = false});
  App& c = open(l, true, {.send = 10});
  l.world.run_for(19s);
  EXPECT_FALSE(c.released());
  l.world.run_for(3s);
  EXPECT_TRUE(c.released());
  EXPECT_FALSE(c.ended_cleanly());
  const auto r = record();
  EXPECT_EQ(r.who, Who::timeout);
  EXPECT_EQ(r.phase, Phase::drain);
}

TEST_F(Pair, SlowClientHoldsTheServerBack) {
  for (const bool mptcp : {false, true}) {
    Lab& l = make({.tune = [](relay::Settings& r, engine::Settings&) { r.buffer = 200'000; }});
    l.server_host().listen(kServerPort, {.send = 5'000'000, .send_key = 2, .ahead = 8 << 20});
    l.client->budget = 100'000;
    App& c = open(l, mptcp, {.finish = false, .stop_reading_at = 100'000});
    l.world.run_for(10s);
    App& server = at_server();
    const std::uint64_t held = server.written() - server.stream()->unfreed();
    EXPECT_LT(held, 500'000U) << "the gateway took more than both budgets";
    EXPECT_GT(l.gateway->counter(Counter::relay_paused_down), 0U);
    c.resume_reading();
    c.touch(l.client->context());
    ASSERT_TRUE(l.run([&] { return c.saw_fin(); }));
    EXPECT_EQ(c.received(), 5'000'000U);
    EXPECT_EQ(c.wrong_at(), kNoLimit);
  }
}

// A server that takes smaller segments than the client sends: they are cut, and wait while there is no buffer
// to cut them with.
TEST_F(Pair, SegmentsWaitForABufferToCutThem) {
  Lab& l = make({.scripted_client = true, .scripted_servers = true});
  Remote& c = l.remote(0, 30000);
  c.handshake();
  Remote* server = l.server_script->incoming(l.server());
  ASSERT_NE(server, nullptr);
  server->answer_syn(1000);
  l.world.run_for(100ms);
  const std::string text = std::string(1000, 'a') + std::string(400, 'b');
  {
    const Shortage one_left(1);
    c.say({.data = text});
    l.world.run_for(10ms);
  }
  std::string got;
  while (const auto h = server->next(2s)) {
    EXPECT_FALSE(h->has(R)) << describe(*h);
    EXPECT_LE(h->data.size(), 1000U);
    if (h->seq == 1 + got.size()) got += h->data;
    server->say({});
  }
  EXPECT_EQ(got, text);
  EXPECT_EQ(l.gateway->engine().use().pairs, 1U);
}

TEST_F(Pair, SlowServerHoldsTheClientBack) {
  for (const bool mptcp : {false, true}) {
    Lab& l = make({.tune = [](relay::Settings& r, engine::Settings&) { r.buffer = 100'000; }});
    l.server_host().budget = 50'000;
    l.server_host().listen(kServerPort, {.expect_key = 1, .read_rate = 400'000});
    App& c = open(l, mptcp, {.send = 2'000'000});
    l.world.run_for(1s);
    EXPECT_LT(c.written() - (c.stream() != nullptr ? c.stream()->unfreed() : 0), 800'000U);
    ASSERT_TRUE(l.run([&] { return c.released(); }));
    EXPECT_TRUE(c.ended_cleanly());
    l.world.run_for(1s);
    EXPECT_EQ(at_server().received(), 2'000'000U);
    EXPECT_EQ(at_server().wrong_at(), kNoLimit);
    EXPECT_GT(l.gateway->counter(Counter::relay_paused_up), 0U);
  }
}

TEST_F(Pair, DeadServerIsFoundByTheUserTimeout) {
  Lab& l = make({.tune = [](relay::Settings&, engine::Settings& e) { e.timeouts.user = 30s; }});
  l.server_host().listen(kServerPort, {.finish = false});
  App& c = open(l, true, {.send = 10, .finish = false, .send_after = 0});
  l.world.run_for(1s);
  l.server_host().die();
  App& second = open(l, true, {.send = 10, .finish = false});
  (void)second;
  c.plan().send = 20;
  c.touch(l.client->context());
  ASSERT_TRUE(l.run([&] { return c.released(); }, 120s));
  EXPECT_EQ(c.failure(), tcp::Failure::reset);
}

TEST_F(Pair, SlowClientIsNotHalfClosedAwayWhileItReads) {
  LabSpec spec{.access = {{.name = "a", .rate = 500e3, .delay = 5ms, .queue = 30'000}}};
  spec.tune = [](relay::Settings& r, engine::Settings&) { r.half_closed = 2s; };
  Lab& l = make(spec);
  l.server_host().listen(kServerPort, {.send = 600'000, .send_key = 2});
  App& c = open(l, true, {.send = 10, .finish_after_peer = true});
  ASSERT_TRUE(l.run([&] { return c.released(); }));
  EXPECT_TRUE(c.ended_cleanly());
  EXPECT_EQ(c.received(), 600'000U);
}

TEST_F(Pair, BufferedBytesAreThoseTheOtherSideHasNotTaken) {
  Lab& l = make();
  l.server_host().listen(kServerPort, {.stop_reading_at = 0});
  l.server_host().budget = 4096;
  open(l, true, {.send = 50'000, .finish = false});
  l.world.run_for(2s);
  const std::uint64_t held = l.gateway->engine().stats().gauges.buffered_bytes;
  EXPECT_GT(held, 40'000U);
  EXPECT_LE(held, 50'000U);
  l.gateway->abort_all();
  EXPECT_EQ(l.gateway->engine().stats().gauges.buffered_bytes, 0U);
}

// All at once would overflow the port's queue, so that peers hear nothing, and the ring of records.
TEST_F(Pair, SessionsAreEndedAFewAtATime) {
  Lab& l = make();
  l.server_host().listen(kServerPort, {});
  for (unsigned i = 0; i < 64; ++i) open(l, false, {.send = 1, .finish = false});
  l.world.run_for(1s);
  std::size_t seen = 0;
  unsigned turns = 0;
  for (bool done = false; !done; ++turns) {
    done = l.gateway->end_some();
    const std::size_t now = l.gateway->records().size();
    EXPECT_LE(now, 32U);
    seen += now;
  }
  EXPECT_EQ(seen, 64U);
  EXPECT_EQ(turns, 2U);
}

// A buffer costs the same whatever it holds: one-byte segments toward a server that does not answer, or does
// not read, must not take the buffers of everybody else.
TEST_F(Pair, SmallSegmentsDoNotExhaustTheBuffers) {
  for (const bool mptcp : {false, true}) {
    for (const bool connecting : {false, true}) {
      Lab& l = make();
      if (connecting) {
        l.server_host().listen(kServerPort, {}, Host::Answer::silence);
      } else {
        l.server_host().listen(kServerPort, {.stop_reading_at = 0});
        l.server_host().budget = 4096;
      }
      App& c = open(l, mptcp, {.send = 60'000, .finish = false, .piece = 1});
      l.world.run_for(2500ms);
      EXPECT_GT(c.written(), 8000U) << "the client was held back by something else";
      EXPECT_LT(buffers_in_use(), 8000U) << (mptcp ? "MPTCP" : "TCP") << (connecting ? ", connecting" : "");
    }
  }
}

}  // namespace
}  // namespace braid::kit
