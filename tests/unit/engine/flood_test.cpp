// SYN floods: honest clients are served, TCP and MPTCP alike, and the flood takes no memory (RFC 4987).
#include <gtest/gtest.h>

#include "engine/syn_cookie.hpp"
#include "kit/mp_client.hpp"

namespace braid::kit {
namespace {

using engine::SynCookie;
using stats::Counter;

const Flow kFlow{{Ip::v4(0xc6120001), 80}, {Ip::v4(0xc6120102), 31000}};
const Instant kNow = Instant{} + 1000 * 64s + 5s;

TEST(Cookie, BringsBackWhatTheSynSaid) {
  const SynCookie c({1, 2});
  for (const unsigned mss : {100U, 536U, 1220U, 1300U, 1459U, 1460U, 9000U}) {
    for (const bool sack : {false, true}) {
      for (const int scale : {-1, 0, 7, 14}) {
        const SynCookie::Kept in{static_cast<std::uint16_t>(mss), sack, scale >= 0,
                                 static_cast<std::uint8_t>(std::max(scale, 0))};
        const SubSeq ours = c.make(kFlow, SubSeq(77), in, kNow);
        const auto out = c.check(kFlow, SubSeq(77), ours, SynCookie::write_stamp(0x12345678, in), kNow + 63s);
        ASSERT_TRUE(out.has_value()) << mss << sack << scale;
        EXPECT_LE(out->mss, std::max(mss, 536U));
        EXPECT_GT(out->mss + 700U, std::min(mss, 1460U));
        EXPECT_EQ(out->sack, sack);
        EXPECT_EQ(out->scaled, scale >= 0);
        EXPECT_EQ(out->scale, std::max(scale, 0));
      }
    }
  }
}

TEST(Cookie, IsGoodForThatSynOnlyAndNotForLong) {
  const SynCookie c({1, 2});
  const SynCookie::Kept in{1460};
  const SubSeq ours = c.make(kFlow, SubSeq(77), in, kNow);
  Flow other = kFlow;
  other.remote.port += 1;
  EXPECT_TRUE(c.check(kFlow, SubSeq(77), ours, 0, kNow));
  EXPECT_FALSE(c.check(kFlow, SubSeq(78), ours, 0, kNow));
  EXPECT_FALSE(c.check(kFlow, SubSeq(77), ours + 1, 0, kNow));
  EXPECT_FALSE(c.check(other, SubSeq(77), ours, 0, kNow));
  EXPECT_FALSE(c.check(kFlow, SubSeq(77), ours, 0x17, kNow)) << "options that the SYN did not have";
  EXPECT_TRUE(c.check(kFlow, SubSeq(77), ours, 0, kNow + 64s));
  EXPECT_FALSE(c.check(kFlow, SubSeq(77), ours, 0, kNow + 128s));
  EXPECT_FALSE(SynCookie({1, 3}).check(kFlow, SubSeq(77), ours, 0, kNow));
}

TEST(Cookie, StampIsNeverAheadOfTime) {
  for (std::uint32_t now = 1000; now < 1200; ++now) {
    const std::uint32_t s = SynCookie::write_stamp(now, {1460, true, true, 14});
    EXPECT_LE(s, now);
    EXPECT_GT(s + 64, now);
  }
}

class Flood : public LabTest {
 protected:
  static constexpr unsigned kHandshakes = 8;
  // A lab whose table of handshakes is full of SYNs that nobody follows up.
  Lab& flooded(const LabSpec& more = {.scripted_client = true}) {
    LabSpec spec = more;
    spec.tune = [](relay::Settings&, engine::Settings& e) { e.handshakes = kHandshakes; };
    Lab& l = make(spec);
    l.server_host().listen(kServerPort, {.echo = true});
    return l;
  }
  static void fill(Lab& l, unsigned count = kHandshakes) {
    for (unsigned i = 0; i < count; ++i) l.remote(1, static_cast<std::uint16_t>(20000 + i)).say({.flags = S});
    l.world.run_for(1ms);
  }
  static bool echoes(Remote& c, const std::string& text) {
    c.say({.data = text});
    while (const auto h = c.next(200ms))
      if (h->data == text) return true;
    return false;
  }
};

// Long before cookies are needed: what comes from nobody draws fewer answers.
TEST_F(Flood, CrowdedHandshakesRepeatTheirAnswerOnce) {
  for (const unsigned open : {kHandshakes / 2, kHandshakes / 2 + 1}) {
    Lab& l = flooded();
    fill(l, open);
    l.world.run_for(9s);
    Remote& c = l.remote(1, 20000);
    c.say({.flags = S, .seq = 0});  // it asks again
    l.world.run_for(2s);
    const bool crowded = open > kHandshakes / 2;
    EXPECT_EQ(l.gateway->counter(Counter::tcp_retransmitted_segments), open * (crowded ? 1U : 3U) + 1)
        << open;
    EXPECT_EQ(l.gateway->engine().use().pairs, 0U) << "all timed out";
  }
}

TEST_F(Flood, PlainClientsAreServed) {
  for (const bool stamps : {false, true}) {
    Lab& l = flooded();
    fill(l);
    Remote& c = l.remote(0, 31000);
    c.handshake(1400, true, stamps, 5);
    EXPECT_TRUE(echoes(c, "hello"));
    EXPECT_EQ(l.gateway->counter(Counter::tcp_cookies_accepted), 1U);
    l.world.run_for(1ms);
    // What the SYN said is remembered: out of order data draws SACK where there were timestamps.
    c.skip();
    c.say({.seq = 100, .data = "later"});
    const auto h = c.next(10ms);
    ASSERT_TRUE(h.has_value());
    EXPECT_EQ(h->frame.options.sack_count, stamps ? 1 : 0);
  }
}

TEST_F(Flood, MptcpClientsAreServedWithAllTheirPaths) {
  Lab& l = flooded();
  fill(l);
  MpClient m(l);
  Remote& c = m.connect();
  m.data(c, 0, "hello");
  bool echoed = false;
  while (const auto h = c.next(100ms)) echoed |= h->data == "hello" && m.acked_in(*h) == 5;
  EXPECT_TRUE(echoed);
  EXPECT_EQ(l.gateway->counter(Counter::client_accepted_mptcp), 1U);
  Remote& j = m.join(0, 3);
  EXPECT_FALSE(j.initial_of_peer() == 0);
  EXPECT_EQ(l.gateway->joins(stats::Join::ok), 1U);
}

TEST_F(Flood, DataThatCarriesTheThirdAckIsTaken) {
  Lab& l = flooded();
  fill(l);
  MpClient m(l);
  Remote& c = m.half_open();
  m.third_ack(c, "hello");  // the ACK before it was lost
  bool echoed = false;
  while (const auto h = c.next(100ms)) echoed |= h->data == "hello";
  EXPECT_TRUE(echoed);
  EXPECT_EQ(l.gateway->counter(Counter::client_accepted_mptcp), 1U);
}

TEST_F(Flood, ForeignKeysMeanPlainTcp) {
  Lab& l = flooded();
  fill(l);
  MpClient m(l);
  Remote& c = m.half_open();
  m.key_of_peer ^= 1;
  m.third_ack(c);
  EXPECT_TRUE(echoes(c, "plain"));
  EXPECT_EQ(l.gateway->counter(Counter::client_accepted_tcp), 1U);
}

// The third ACK and the data were lost: what is behind them and comes first must not end the client.
TEST_F(Flood, WhatOvertakesTheCookieIsNotReset) {
  Lab& l = flooded();
  fill(l);
  Remote& c = l.remote(0, 31000);
  c.say({.flags = S, .options = [](wire::OptionBuffer& o) { o.mss(1460); }});
  c.expect({.flags = S | A});
  for (const std::uint8_t behind : {std::uint8_t{A}, static_cast<std::uint8_t>(F | A)}) {
    c.say({.flags = behind, .seq = 6});
    EXPECT_FALSE(c.next(1s).has_value());
  }
  c.say({.seq = 1, .data = "first"});
  bool echoed = false;
  while (const auto h = c.next(100ms)) echoed |= h->data == "first";
  EXPECT_TRUE(echoed);
}

TEST_F(Flood, WhatIsNoCookieIsReset) {
  Lab& l = flooded();
  fill(l, kHandshakes + 1);
  Remote& c = l.remote(0, 31000);
  c.say({.seq = 1, .ack = 12345});
  const auto h = c.next(1ms);
  ASSERT_TRUE(h.has_value());
  EXPECT_TRUE(h->has(R));
  EXPECT_EQ(l.gateway->counter(Counter::tcp_cookies_failed), 1U);
  EXPECT_EQ(l.gateway->engine().use().pairs, kHandshakes);
}

TEST_F(Flood, OldCookiesAreForgotten) {
  Lab& l = flooded();
  fill(l);
  Remote& c = l.remote(0, 31000);
  c.say({.flags = S, .options = [](wire::OptionBuffer& o) { o.mss(1460); }});
  c.expect({.flags = S | A});
  l.world.run_for(130s);
  c.say({});
  const auto h = c.next(1ms);
  ASSERT_TRUE(h.has_value());
  EXPECT_TRUE(h->has(R));
}

// 60,000 SYNs a second from everywhere while honest clients come and go, one and two workers.
TEST_F(Flood, EveryHonestClientGetsThrough) {
  for (const unsigned workers : {1U, 2U}) {
    LabSpec spec{.workers = workers};
    spec.access[0].delay = 10ms;
    spec.access[1].delay = 5ms;
    Lab& l = flooded(spec);
    l.gateway->set_rss([workers](const std::optional<wire::TcpFrame>& f) {
      if (!f) return 0U;
      return (f->flow.remote.port == kServerPort ? f->flow.local.port : f->flow.remote.port) % workers;
    });
    Rng rng(7);
    const auto end = l.world.elapsed() + 2s;
    const auto flood = std::make_shared<std::function<void()>>();
    std::uint64_t sent = 0;
    *flood = [&l, &rng, &sent, end, weak = std::weak_ptr(flood)] {
      for (int i = 0; i < 60; ++i, ++sent) {
        const Flow spoofed{
            {Ip::v4(0xc6130000U + rng.below(65536)), static_cast<std::uint16_t>(1024 + rng.below(60000))},
            l.listener()};
        l.access(1).inject(true, Script::build(spoofed, {.flags = S}, rng.next32(), 0, {}));
      }
      if (const auto self = weak.lock(); self && l.world.elapsed() < end)
        l.world.at(l.world.elapsed() + 1ms, [self] { (*self)(); });
    };
    l.world.at(l.world.elapsed(), [flood] { (*flood)(); });
    l.world.run_for(50ms);
    std::vector<App*> apps;
    for (int i = 0; i < 60; ++i) {
      const Plan plan{.send = 2000, .expect_key = 1};
      apps.push_back(i % 2 == 0 ? &l.fetch(plan) : &l.client->connect(l.listener(), plan));
      l.world.run_for(20ms);
    }
    EXPECT_TRUE(l.run(
        [&] { return std::all_of(apps.begin(), apps.end(), [](App* a) { return a->released(); }); }, 5s));
    for (App* a : apps) {
      EXPECT_TRUE(a->ended_cleanly());
      EXPECT_EQ(a->received(), 2000U);
    }
    EXPECT_GT(sent, 60'000U);
    EXPECT_GE(l.gateway->counter(Counter::client_accepted_mptcp), 30U);
    EXPECT_GE(l.gateway->joins(stats::Join::ok), 25U);
    EXPECT_EQ(l.client->stats().counters[Counter::tcp_timeouts], 0U) << "a SYN was not answered";
    finish();  // while what the flood draws from is there
  }
}

}  // namespace
}  // namespace braid::kit
