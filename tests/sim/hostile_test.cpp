// Packets that nobody should send: mutated copies of the real ones, with right checksums, beside every
// transfer. A stream may break, since a forger on the path can do that to TCP; but the process lives, every
// session ends by its time-outs, and nothing is left behind.
#include <cstdlib>

#include "kit/lab.hpp"
#include "kit/mutant.hpp"
#include "kit/seeds.hpp"

namespace braid::kit {
namespace {

class Hostile : public LabTest {
 protected:
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
  const std::uint64_t count = seeds_wanted() / 10;
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
