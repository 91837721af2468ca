// Packets that nobody should send: mutated copies of the real ones, with right checksums, beside every
// transfer. A stream may break, since a forger on the path can do that to TCP; but the process lives, every
// session ends by its time-outs, and nothing is left behind.
#include <cstdlib>
#include <cstring>

#include "kit/lab.hpp"
#include "wire/checksum.hpp"

namespace braid::kit {
namespace {

// Makes the IPv4 and TCP checksums right where the headers still allow it.
void mend_checksums(Packet& p) {
  constexpr std::size_t kIp = wire::kEthernetHeader;
  if (p.size() < kIp + wire::kIpv4Header) return;
  const bool v4 = load_be<std::uint16_t>(p.data() + 12) == wire::kEtherIpv4;
  const std::size_t header = v4 ? (std::to_integer<std::size_t>(p[kIp]) & 0xf) * 4 : wire::kIpv6Header;
  if (p.size() < kIp + header + wire::kTcpHeader || header < wire::kIpv4Header) return;
  Ip a, b;
  if (v4) {
    store_be(p.data() + kIp + 10, std::uint16_t{0});
    store_be(p.data() + kIp + 10,
             static_cast<std::uint16_t>(~wire::ones_sum(ByteView(p).subspan(kIp, header))));
    a = Ip::v4(load_be<std::uint32_t>(p.data() + kIp + 12));
    b = Ip::v4(load_be<std::uint32_t>(p.data() + kIp + 16));
  } else {
    const auto word = [&p](std::size_t at) { return load_be<std::uint64_t>(p.data() + kIp + at); };
    a = Ip::v6(word(8), word(16));
    b = Ip::v6(word(24), word(32));
  }
  std::byte* tcp = p.data() + kIp + header;
  const auto length = static_cast<std::uint32_t>(p.size() - kIp - header);
  store_be(tcp + 16, std::uint16_t{0});
  const auto sum =
      wire::sum_add(wire::pseudo_header_sum(a, b, length), wire::ones_sum(ByteView(tcp, length)));
  store_be(tcp + 16, static_cast<std::uint16_t>(~sum));
}

class Hostile : public LabTest {
 protected:
  // A relative of the packet that its receiver has no reason to expect.
  static Packet mutant(const Packet& original, const wire::TcpFrame& f, Rng& rng) {
    Packet p = original;
    std::byte* tcp = p.data() + f.l4_offset;
    const auto far = [&rng] { return rng.next32() >> rng.below(32); };
    switch (rng.below(7)) {
      case 0:  // anything behind the Ethernet header
        for (unsigned n = 1 + rng.below(4); n != 0; --n)
          p[wire::kEthernetHeader + rng.below(static_cast<std::uint32_t>(p.size() - wire::kEthernetHeader))] =
              static_cast<std::byte>(rng.next32());
        break;
      case 1:
        store_be(tcp + 4, f.seq.raw + far() - far());
        break;
      case 2:
        store_be(tcp + 8, f.ack.raw + far() - far());
        break;
      case 3:
        tcp[13] = static_cast<std::byte>(rng.next32());
        break;
      case 4:
        store_be(tcp + 14, static_cast<std::uint16_t>(rng.next32()));
        break;
      case 5:
        return rewrite(original, options(f, rng), payload_of(original, f));
      default: {  // a piece of the payload, or somebody else's
        const ByteView old = payload_of(original, f);
        Packet payload(old.begin(), old.begin() + rng.below(static_cast<std::uint32_t>(old.size()) + 1));
        if (rng.below(2) == 0) payload.resize(1 + rng.below(1400), static_cast<std::byte>(rng.next32()));
        p = rewrite(original, options_of(original, f), payload);
      }
    }
    mend_checksums(p);
    return p;
  }

  // An MPTCP option of a size that some form has, its fields random or like those of the real one.
  static Packet options(const wire::TcpFrame& f, Rng& rng) {
    constexpr std::array<std::uint8_t, 16> kSizes{3,  4,  8,  10, 12, 15, 16, 18,
                                                  20, 22, 24, 26, 28, 30, 36, 40};
    wire::OptionBuffer o;
    if (rng.below(2) == 0 && f.options.mptcp.has(wire::kMpDss)) {
      wire::Dss d = f.options.mptcp.dss;
      if (rng.below(2) == 0) d.data_ack += rng.next32() >> rng.below(32);
      if (rng.below(2) == 0) d.dsn -= rng.next32() >> rng.below(32);
      if (rng.below(2) == 0) d.ssn += rng.next32() >> rng.below(32);
      if (rng.below(2) == 0) d.length = static_cast<std::uint16_t>(rng.next32() >> rng.below(32));
      d.has_map = rng.below(3) != 0;
      d.data_fin = rng.below(4) == 0;
      o.dss(d);
      const ByteView bytes = o.padded();
      return {bytes.begin(), bytes.end()};
    }
    Packet bytes(kSizes[rng.below(kSizes.size())]);
    for (auto& b : bytes) b = static_cast<std::byte>(rng.next32());
    bytes[0] = std::byte{wire::kMptcpKind};
    bytes[1] = static_cast<std::byte>(bytes.size());
    bytes[2] = static_cast<std::byte>(rng.below(9) << 4 | rng.below(2));
    bytes.resize((bytes.size() + 3) / 4 * 4, std::byte{1});
    return bytes;
  }

  // For ten seconds every fourth packet on the link has a mutant running after it.
  void infest(Link& link, std::uint64_t seed) {
    auto rng = std::make_shared<Rng>(seed);
    link.set_middlebox([this, &link, rng](Packet& p, const wire::TcpFrame& f, bool forward) {
      if (lab().world.elapsed() > 10s || rng->below(4) != 0) return true;
      link.inject(forward, mutant(p, f, *rng));
      return true;
    });
  }

  void run_one(std::uint64_t seed) {
    Rng rng(seed * 104'729);
    LabSpec spec{.seed = seed, .workers = 1 + rng.below(3)};
    spec.access = {{.name = "a", .rate = 20e6, .delay = 5ms}, {.name = "b", .rate = 10e6, .delay = 12ms}};
    spec.servers = {{.name = "s", .rate = 50e6, .delay = 1ms}};
    spec.v6 = rng.below(4) == 0;
    const bool checksum = rng.below(3) == 0;
    spec.tune = [checksum](relay::Settings& r, engine::Settings& e) {
      r.listeners[0].profile.require_checksum = checksum;
      r.listeners[0].profile.hold = 20s;
      r.idle = 60s;
      r.half_closed = 30s;
      e.timeouts.user = 60s;
    };
    Lab& l = make(spec);
    l.server_host().listen(kServerPort, {.send = 200'000, .send_key = 2, .expect_key = 1});
    App& app =
        rng.below(5) == 0 ? l.client->connect(l.listener(), {.send = 100'000}) : l.fetch({.send = 100'000});
    infest(l.access(0), rng.next());
    infest(l.access(1), rng.next());
    infest(l.server_link(), rng.next());
    l.run([&app] { return app.released(); }, 30s);
    l.client->die();
    l.server_host().die();
    EXPECT_TRUE(l.run([&l] { return l.gateway->in_use() == 0; }, 400s))
        << l.gateway->in_use() << " objects outlive every time-out";
    EXPECT_EQ(l.gateway->counter(stats::Counter::invariant), 0U);
  }
};

class HostileRange : public Hostile, public ::testing::WithParamInterface<std::uint64_t> {};

TEST_F(Hostile, One) {
  if (const char* seed = std::getenv("BRAID_SEED")) run_one(std::strtoull(seed, nullptr, 10));
}

// A tenth of BRAID_SEEDS (see seeds_test.cpp).
TEST_P(HostileRange, SessionsEndAndNothingIsLeft) {
  const char* wanted = std::getenv("BRAID_SEEDS");
  const std::uint64_t count = (wanted == nullptr ? 300 : std::strtoull(wanted, nullptr, 10)) / 10;
  for (std::uint64_t seed = 1 + count * GetParam() / 4; seed < 1 + count * (GetParam() + 1) / 4; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    run_one(seed);
    finish();
    if (HasFailure()) return;
  }
}
INSTANTIATE_TEST_SUITE_P(Quarter, HostileRange, ::testing::Range<std::uint64_t>(0, 4));

}  // namespace
}  // namespace braid::kit
