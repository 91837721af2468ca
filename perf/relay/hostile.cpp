// Packets that cost Braid work and their sender next to nothing (threats, A2).
#include <array>

#include "clock.hpp"
#include "frame_maker.hpp"
#include "scenarios.hpp"
#include "servers.hpp"

namespace braid::perf {

namespace {

constexpr unsigned kPerTurn = 32;
constexpr unsigned kRound = 32 * 1024;  // packets
constexpr auto kStep = std::chrono::microseconds(kPerTurn);
constexpr std::uint32_t kHandshakes = 1024;

class Attack {
 public:
  Attack(const Bench& bench, Hostile kind)
      : kind_(kind),
        world_(bench.buffers, bench.buffer_count, {.connections = 4096, .handshakes = kHandshakes}),
        servers_(world_, 1, 0),
        maker_(world_, kClients) {}

  void prepare() {
    world_.start();
    if (kind_ == Hostile::syn || kind_ == Hostile::syn_mptcp) {  // until all further ones get cookies
      run(4 * kHandshakes);
      return;
    }
    connect();
  }
  void run(unsigned packets) {
    for (unsigned i = 0; i < packets; i += kPerTurn) {
      for (unsigned k = 0; k < kPerTurn; ++k) offer();
      world_.turn(kStep);
      free_sent();
    }
  }
  World& world() { return world_; }
  // Packets that were met as what they are.
  std::uint64_t met() {
    const stats::WorkerStats& s = world_.engine().stats();
    switch (kind_) {
      case Hostile::syn:
      case Hostile::syn_mptcp:
        return s.counters[stats::Counter::tcp_cookies_sent];
      case Hostile::join:
        return s.drops[stats::Drop::join_no_token];
      case Hostile::stray:
        return s.drops[stats::Drop::no_connection];
      case Hostile::outside:
        return s.drops[stats::Drop::out_of_window];
      case Hostile::pieces:
        return s.counters[stats::Counter::tcp_out_of_order];
    }
    return 0;
  }

 private:
  // The attacker's own connection, of plain TCP.
  void connect() {
    wire::OptionBuffer options;
    options.mss(1460);
    options.sack_permitted();
    options.window_scale(7);
    wire::FrameOut syn = segment(own(), wire::kSyn);
    syn.seq = next_;
    maker_.offer(syn, options, {});
    world_.turn(kStep);
    world_.collect(kClients, [this](const wire::TcpFrame& f, rte_mbuf*) { peer_ = f.seq + 1; });
    next_ += 1;
    wire::OptionBuffer none;
    maker_.offer(established(next_), none, {});
    for (int i = 0; i < 8; ++i) {
      world_.turn(kStep);
      world_.collect(kServers, [this](const wire::TcpFrame& f, rte_mbuf*) { servers_.see(f); });
      free_sent();
    }
    if (servers_.established() != 1) throw Broken("the attacker's connection is not relayed");
  }
  void offer() {
    static constexpr std::array<std::byte, 1> kCrumb{std::byte{'x'}};
    wire::OptionBuffer o;
    switch (kind_) {
      case Hostile::syn:
      case Hostile::syn_mptcp: {
        offers(o);
        if (kind_ == Hostile::syn_mptcp) o.mp_capable({});
        return maker_.offer(segment(anybody(), wire::kSyn), o, {});
      }
      case Hostile::join: {
        offers(o);
        wire::MpJoin join;
        join.token = rng_.next32();
        o.mp_join_syn(join);
        return maker_.offer(segment(anybody(), wire::kSyn), o, {});
      }
      case Hostile::stray:
        return maker_.offer(segment(anybody(), wire::kAck), o, {});
      case Hostile::outside: {
        const SubSeq far = next_ + (1U << 30) + rng_.below(1U << 20);
        return maker_.offer(established(far), o, kCrumb);
      }
      case Hostile::pieces: {  // behind a hole that is never filled
        const SubSeq at = next_ + 2 * (1 + rng_.below(30'000));
        return maker_.offer(established(at), o, kCrumb);
      }
    }
  }
  void offers(wire::OptionBuffer& o) {
    o.mss(1460);
    o.sack_permitted();
    o.timestamps(rng_.next32(), 0);
    o.window_scale(7);
  }
  static Endpoint own() { return {Ip::v4(0xc6120001), 1024}; }
  Endpoint anybody() {
    return {Ip::v4(0xc6120100U + rng_.below(0xf000)), static_cast<std::uint16_t>(1024 + rng_.below(60'000))};
  }
  wire::FrameOut segment(const Endpoint& from, std::uint8_t flags) {
    wire::FrameOut out;
    out.flow = {from, service()};
    out.seq = SubSeq(rng_.next32());
    out.ack = SubSeq(rng_.next32());
    out.window = 64240;
    out.flags = flags;
    return out;
  }
  wire::FrameOut established(SubSeq seq) {
    wire::FrameOut out = segment(own(), wire::kAck);
    out.seq = seq;
    out.ack = peer_;
    return out;
  }
  // Resets are what is expected here, so nothing is looked at.
  void free_sent() {
    for (const Port port : {kClients, kServers}) {
      while (rte_mbuf* m = world_.loop().sent(port)) rte_pktmbuf_free(m);
    }
  }

  Hostile kind_;
  World world_;
  Servers servers_;
  FrameMaker maker_;
  Rng rng_{11};
  SubSeq next_{1'000'000};
  SubSeq peer_;
};

}  // namespace

double run_hostile(const Bench& bench, Hostile kind) {
  Attack attack(bench, kind);
  attack.prepare();
  attack.run(kRound);
  std::vector<double> cycles;
  const std::uint64_t met = attack.met();
  for (unsigned i = 0; i < bench.rounds; ++i) {
    const std::uint64_t before = attack.world().cycles();
    attack.run(kRound);
    cycles.push_back(static_cast<double>(attack.world().cycles() - before) / kRound);
  }
  if (attack.met() - met != std::uint64_t{kRound} * bench.rounds)
    throw Broken("hostile packets were not met as such:\n" + describe(attack.world().engine().stats()));
  return median(cycles);
}

}  // namespace braid::perf
