// Byte equality over bad paths, for many seeds: loss, reordering, duplication and corruption on every link,
// paths that are cut and come back, one and several workers.
#include "kit/seeds.hpp"

#include <cstdlib>

#include "kit/lab.hpp"

namespace braid::kit {
namespace {

class Seeds : public LabTest {
 protected:
  // Paths whose quality follows from the seed.
  static LinkSpec bad(const char* name, Rng& rng) {
    LinkSpec s;
    s.name = name;
    s.rate = 1e6 * (2 + rng.below(60));
    s.delay = std::chrono::microseconds(200 + rng.below(60'000));
    s.queue = 20'000 + rng.below(200'000);
    if (rng.below(3) != 0) s.loss = 0.05 * rng.unit();
    if (rng.below(3) == 0) s.duplicate = 0.1 * rng.unit();
    if (rng.below(3) == 0) s.corrupt = 0.02 * rng.unit();
    if (rng.below(2) == 0) s.reorder = 0.3 * rng.unit();
    s.displacement = std::chrono::microseconds(100 + rng.below(30'000));
    return s;
  }

  // One of the paths comes to take smaller packets; a router says so, or nobody does.
  static void narrow(Lab& l, Rng& rng) {
    Link& link = rng.below(3) == 0 ? l.server_link() : l.access(rng.below(2));
    const auto mtu = static_cast<std::uint16_t>(1280 + rng.below(219));
    const bool tells = rng.below(2) == 0;
    l.world.at(std::chrono::milliseconds(rng.below(1500)), [&link, mtu, tells] { link.set_mtu(mtu, tells); });
  }

  void transfer(std::uint64_t seed) {
    Rng rng(seed * 7919);
    LabSpec spec{.seed = seed, .workers = 1 + rng.below(3)};
    spec.access = {bad("a", rng), bad("b", rng)};
    spec.servers = {bad("s", rng)};
    spec.v6 = rng.below(4) == 0;
    const bool checksum = rng.below(4) == 0;
    spec.tune = [&](relay::Settings& r, engine::Settings& e) {
      r.listeners[0].profile.require_checksum = checksum;
      r.upstreams[0].connect_timeout = 100s;  // the server's path loses SYNs too
      e.timeouts.handshake = 100s;            // as does the client's
      if (rng.below(2) == 0) r.listeners[0].congestion = tcp::CongestionKind::newreno;
      if (rng.below(3) == 0) r.buffer = 30'000 + rng.below(100'000);
    };
    Lab& l = make(spec);
    // Longer than any retransmission of a last FIN: a host that has forgotten the connection answers it by
    // RST.
    l.client->timeouts.time_wait = l.server_host().timeouts.time_wait = 100s;
    l.client->budget = 40'000 + rng.below(400'000);
    const std::uint64_t down = 1 + rng.below(150'000);
    const std::uint64_t up = 1 + rng.below(100'000);
    Plan server{.send = down, .send_key = seed, .expect_key = seed + 1};
    server.piece = rng.below(4) == 0 ? static_cast<std::uint16_t>(1 + rng.below(1400)) : std::uint16_t{0};
    server.finish_after_peer = rng.below(2) == 0;
    Plan client{.send = up, .send_key = seed + 1, .expect_key = seed};
    client.piece = rng.below(4) == 0 ? static_cast<std::uint16_t>(1 + rng.below(1400)) : std::uint16_t{0};
    l.server_host().listen(kServerPort, server);
    const bool plain = rng.below(6) == 0;
    App& app = plain ? l.client->connect(l.listener(), client) : l.fetch(client);
    if (!plain && rng.below(3) == 0) {
      const auto begin = std::chrono::milliseconds(rng.below(800));
      const auto end = begin + std::chrono::milliseconds(rng.below(5000));
      const unsigned which = rng.below(2);
      l.world.at(begin, [&l, which] { l.access(which).cut(); });
      l.world.at(end, [&l, which] { l.access(which).uncut(); });
    }
    if (rng.below(5) == 0) narrow(l, rng);
    const auto done = [&] {
      const auto& at_server = l.server_host().accepted();
      return app.released() && !at_server.empty() && at_server[0]->released();
    };
    ASSERT_TRUE(l.run(done, 600s)) << "client received " << app.received() << " of " << down << ", wrote "
                                   << app.written() << " of " << up << ", released " << app.released()
                                   << ", failure " << static_cast<int>(app.failure()) << "; server received "
                                   << (l.server_host().accepted().empty()
                                           ? 0
                                           : l.server_host().accepted()[0]->received());
    EXPECT_EQ(app.failure(), tcp::Failure::none);
    EXPECT_TRUE(app.ended_cleanly());
    EXPECT_EQ(app.received(), down);
    EXPECT_EQ(app.wrong_at(), kNoLimit);
    ASSERT_EQ(l.server_host().accepted().size(), 1U);
    EXPECT_EQ(l.server_host().accepted()[0]->received(), up);
    EXPECT_EQ(l.server_host().accepted()[0]->wrong_at(), kNoLimit);
    EXPECT_TRUE(l.server_host().accepted()[0]->saw_fin());
    l.world.run_for(200s);  // TIME-WAIT and lingering ends
    EXPECT_EQ(l.gateway->in_use(), 0U) << "something was left after both ends closed";
    const auto records = l.gateway->records();
    ASSERT_EQ(records.size(), 1U);
    EXPECT_EQ(records[0].bytes_down, down);
    EXPECT_EQ(records[0].bytes_up, up);
    EXPECT_EQ(records[0].phase, relay::Phase::done);
  }

  void range(std::uint64_t first, std::uint64_t count) {
    for (std::uint64_t seed = first; seed < first + count; ++seed) {
      SCOPED_TRACE("seed " + std::to_string(seed));
      transfer(seed);
      finish();
      if (HasFailure()) return;
    }
  }
};

// BRAID_SEED=n runs one seed, BRAID_SEEDS=n the first n instead of 300. They are cut in eight, so that a
// failure names its range and shards of the test program may run side by side.
class SeedRange : public Seeds, public ::testing::WithParamInterface<std::uint64_t> {};

TEST_F(Seeds, One) {
  if (const char* seed = std::getenv("BRAID_SEED")) range(std::strtoull(seed, nullptr, 10), 1);
}

TEST_P(SeedRange, TransfersAreWhole) {
  const std::uint64_t count = seeds_wanted();
  const std::uint64_t begin = count * GetParam() / 8;
  range(1 + begin, count * (GetParam() + 1) / 8 - begin);
}
INSTANTIATE_TEST_SUITE_P(Eighth, SeedRange, ::testing::Range<std::uint64_t>(0, 8));

}  // namespace
}  // namespace braid::kit
