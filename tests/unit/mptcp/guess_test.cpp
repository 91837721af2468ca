// Guessing: who knows neither token nor keys gets no subflow, whatever is tried (RFC 8684 5, RFC 7430).
#include "kit/burst_io.hpp"
#include "kit/mutant.hpp"
#include "unit/mptcp/rules.hpp"
#include "unit/tcp/fixture.hpp"

namespace braid::kit {
namespace {

using stats::Join;

class Guess : public MptcpRules {
 protected:
  // A SYN with MP_JOIN, and where in it the token is.
  static constexpr std::uint32_t kMark = 0x6d61726bU;
  Packet join_syn() {
    const Flow flow{{lab().client_ip(1), 40000}, lab().listener()};
    wire::OptionBuffer o;
    o.mss(1460);
    wire::MpJoin j;
    j.address_id = 2;
    j.token = kMark;
    o.mp_join_syn(j);
    return Script::build(flow, {.flags = S}, 1, 0, o.padded());
  }
  static std::size_t place_of(const Packet& p, std::uint32_t word) {
    for (std::size_t i = 0; i + 4 <= p.size(); ++i)
      if (load_be<std::uint32_t>(p.data() + i) == word) return i;
    return p.size();
  }
  std::uint32_t objects() { return lab().gateway->in_use(); }
};

// Each is answered by one RST that is smaller than it, and leaves nothing behind, also where another worker
// owns it.
TEST_F(Guess, AMillionWrongTokens) {
  constexpr std::uint32_t kGuesses = 1U << 20;
  Lab& l = make({.workers = 2, .scripted_client = true});
  l.server_host().listen(kServerPort, {.echo = true});
  MpClient m(l);
  Remote& c = m.connect();
  echo(m, c, c, 0, "before");
  l.world.run_for(1s);
  const std::uint32_t right = token_of(m.key_of_peer);
  const std::uint32_t before = objects();
  const std::uint32_t buffers = buffers_in_use();
  Packet p = join_syn();
  const std::size_t token_at = place_of(p, kMark);
  ASSERT_LT(token_at, p.size());
  std::array<BurstIo, 2> ios{BurstIo(l.gateway->io().ports()), BurstIo(l.gateway->io().ports())};
  std::uint64_t others = 0;
  for (BurstIo& io : ios)
    io.look = [&others](const wire::TcpFrame& f) { others += f.has(wire::kRst) ? 0 : 1; };
  std::uint32_t guess = 1;
  std::uint32_t most = before;
  for (std::uint32_t i = 0; i < kGuesses;) {
    for (unsigned n = 0; n < limits::kBurst && i < kGuesses; ++n, ++i) {
      guess = guess * 1664525U + 1013904223U;  // every 32-bit number once
      store_be(p.data() + token_at, guess == right ? guess + 1 : guess);
      store_be(p.data() + wire::kEthernetHeader + wire::kIpv4Header,
               static_cast<std::uint16_t>(1 + i % 60'000));
      mend_checksums(p);
      ASSERT_TRUE(ios[0].give(p));
    }
    for (unsigned w : {0U, 1U, 0U}) l.gateway->engine(w).poll(l.world.now(), ios[w]);
    most = std::max(most, objects());
  }
  EXPECT_EQ(l.gateway->joins(Join::ok), 0U);
  EXPECT_EQ(l.gateway->joins(Join::no_token), kGuesses);
  EXPECT_EQ(most, before) << "the tables grow";
  EXPECT_EQ(buffers_in_use(), buffers);
  EXPECT_EQ(ios[0].out.frames + ios[1].out.frames, kGuesses);
  EXPECT_EQ(others, 0U) << "answers that are no RST";
  EXPECT_LE(ios[0].out.bytes + ios[1].out.bytes, ios[0].in.bytes);
  echo(m, c, c, 6, "after");
}

TEST_F(Guess, EveryBitOfThe160Counts) {
  Lab& l = scripted();
  MpClient m(l);
  Remote& c = m.connect();
  l.world.run_for(10ms);
  c.skip();
  const std::uint32_t before = objects();
  for (unsigned bit = 0; bit < 160 && !HasFailure(); ++bit) {
    SCOPED_TRACE("bit " + std::to_string(bit));
    Remote& j = m.half_join(1, l.listener());
    auto mac = join_mac(m.key(), m.key_of_peer, m.nonce, m.peer_nonce);
    mac[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    j.say({.options = MpClient::join_third(mac)});
    expect_reset(j, 3);
    l.world.run_for(1ms);
    EXPECT_EQ(objects(), before);
    c.quiet(0ms);  // the session does not notice
  }
  EXPECT_EQ(l.gateway->joins(Join::ok), 0U);
  EXPECT_EQ(l.gateway->joins(Join::bad_hmac), 160U);
  echo(m, c, c, 0, "goes on");
  m.join(1);
  EXPECT_EQ(l.gateway->joins(Join::ok), 1U);
}

// What was right once, or is right for the other direction, is wrong.
TEST_F(Guess, OldAndSwappedHmacsAreRefused) {
  Lab& l = scripted();
  MpClient m(l);
  m.connect();
  Remote& first = m.half_join(1, l.listener());
  const auto old = join_mac(m.key(), m.key_of_peer, m.nonce, m.peer_nonce);
  m.join_ack(first);
  EXPECT_EQ(l.gateway->joins(Join::ok), 1U);
  for (unsigned kind = 0; kind < 4; ++kind) {
    SCOPED_TRACE(kind);
    Remote& j = m.half_join(1, l.listener());
    const std::array macs{old, join_mac(m.key(), m.key_of_peer, m.peer_nonce, m.nonce),
                          join_mac(m.key_of_peer, m.key(), m.nonce, m.peer_nonce),
                          join_mac(m.key_of_peer, m.key(), m.peer_nonce, m.nonce)};
    j.say({.options = MpClient::join_third(macs[kind])});
    expect_reset(j, 3);
  }
  EXPECT_EQ(l.gateway->joins(Join::ok), 1U);
}

// The other role: a host that joins, before a server that does not know the keys.
class GuessOfTheServer : public TcpTest {
 protected:
  static constexpr std::uint64_t kKey = 0xfedcba9876543210ULL;
  const Endpoint there_{peer_, 9000};

  App& open() {
    App& app = host_->connect_mptcp(there_, {.finish = false});
    Remote* r = script_->incoming(there_);
    key_of_host_ = 0;
    r->next();
    r->say({.flags = S | A, .options = [](wire::OptionBuffer& o) {
              o.mss(1460);
              wire::MpCapable c;
              c.keys = 1;
              c.sender_key = kKey;
              o.mp_capable(c);
            }});
    const auto third = r->next();
    EXPECT_TRUE(third && third->mp().has(wire::kMpCapable));
    if (third) key_of_host_ = third->mp().capable.sender_key;
    return app;
  }
  // Answers the SYN of a join with the HMAC changed by `flip`.
  Remote& answer_join(App& app, std::uint64_t flip) {
    EXPECT_NE(host_->join(app, 0, there_), nullptr);
    Remote* j = script_->incoming(there_);
    const auto syn = j->next();
    EXPECT_TRUE(syn && syn->mp().has(wire::kMpJoinSyn));
    constexpr std::uint32_t kNonce = 0x55667788;
    const auto mac = join_mac(kKey, key_of_host_, kNonce, syn->mp().join.nonce);
    j->say({.flags = S | A, .options = [&](wire::OptionBuffer& o) {
              o.mss(1460);
              wire::MpJoin join;
              join.address_id = 0;
              join.nonce = kNonce;
              for (unsigned i = 0; i < 8; ++i) join.hmac64 = join.hmac64 << 8 | mac[i];
              join.hmac64 ^= flip;
              o.mp_join_syn_ack(join);
            }});
    return *j;
  }
  std::uint64_t key_of_host_ = 0;
};

// RFC 8684 3.1: an MP_CAPABLE that names no algorithm is none.
TEST_F(GuessOfTheServer, AnswerWithoutAnAlgorithmMeansPlainTcp) {
  host_->connect_mptcp(there_, {.finish = false});
  Remote* r = script_->incoming(there_);
  ASSERT_NE(r, nullptr);
  r->next();
  r->say({.flags = S | A, .options = [](wire::OptionBuffer& o) {
            o.mss(1460);
            wire::MpCapable c;
            c.keys = 1;
            c.hmac_sha256 = false;
            c.sender_key = kKey;
            o.mp_capable(c);
          }});
  const auto third = r->next();
  ASSERT_TRUE(third.has_value());
  EXPECT_EQ(third->mp().present, 0) << describe(*third);
}

TEST_F(GuessOfTheServer, EveryBitOfThe64Counts) {
  App& app = open();
  for (unsigned bit = 0; bit < 64 && !HasFailure(); ++bit) {
    SCOPED_TRACE("bit " + std::to_string(bit));
    Remote& j = answer_join(app, std::uint64_t{1} << bit);
    const auto h = j.next();
    ASSERT_TRUE(h.has_value());
    EXPECT_TRUE(h->has(R)) << describe(*h);
    EXPECT_FALSE(exists(j));
  }
  EXPECT_EQ(host_->stats().joins[Join::bad_hmac], 64U);
  EXPECT_EQ(host_->stats().joins[Join::ok], 0U);
  EXPECT_EQ(app.failure(), tcp::Failure::none);
  Remote& j = answer_join(app, 0);
  const auto third = j.next();
  ASSERT_TRUE(third.has_value());
  EXPECT_TRUE(third->mp().has(wire::kMpJoinAck)) << describe(*third);
  EXPECT_EQ(host_->stats().joins[Join::ok], 1U);
}

}  // namespace
}  // namespace braid::kit
