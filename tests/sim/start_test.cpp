// How connections find the rate of their path: over a link that fades, and beside an older connection.
#include <algorithm>
#include <cstdio>
#include <numeric>

#include "kit/lab.hpp"
#include "kit/profiles.hpp"
#include "kit/seeds.hpp"

namespace braid::kit {
namespace {

class Start : public LabTest {
 protected:
  Lab& over(std::uint64_t seed, LinkSpec link, std::uint64_t bytes) {
    LabSpec spec{.seed = seed, .access = {std::move(link)}};
    spec.tune = [](relay::Settings& r, engine::Settings&) { r.buffer = 4U << 20; };
    Lab& l = make(spec);
    l.client->budget = 8U << 20;
    l.server_host().listen(kServerPort, {.send = bytes, .send_key = 2, .ahead = 1U << 20});
    return l;
  }
  static double mbps(std::uint64_t bytes, Duration in) {
    return static_cast<double>(bytes) * 8e-6 / std::chrono::duration<double>(in).count();
  }
};

// LTE fades for 10 ms in 5 s; in one of ten downloads that falls into slow start. 200 of CI's 10,000 seeds.
TEST_F(Start, FadesDoNotLeaveADownloadSlow) {
  constexpr std::uint64_t kBytes = 20'000'000;
  const std::uint64_t seeds = std::max<std::uint64_t>(seeds_wanted() / 50, 8);
  std::vector<double> got;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    Lab& l = over(seed, *profile("lte"), kBytes);
    const App& app = l.fetch({.expect_key = 2});
    ASSERT_TRUE(l.run([&] { return app.received() == kBytes; }, 100s));
    got.push_back(mbps(kBytes, l.world.elapsed()));
    finish();
  }
  const double mean = std::accumulate(got.begin(), got.end(), 0.0) / static_cast<double>(got.size());
  const double slowest = *std::min_element(got.begin(), got.end());
  std::printf("%zu downloads: slowest %.1f, mean %.1f Mbit/s\n", got.size(), slowest, mean);
  EXPECT_GT(slowest, 25);
  EXPECT_GT(mean, 40);
}

// A queue of less than half a round trip hides that it is there. Neither connection falls below a quarter of
// the link, while the newcomer starts or later; how they share it differs from world to world.
TEST_F(Start, ANewcomerLeavesTheOlderItsShare) {
  constexpr double kRate = 50e6;
  constexpr Duration kDelay = 25ms;
  const std::uint64_t seeds = std::clamp<std::uint64_t>(seeds_wanted() / 3000, 1, 3);
  for (const double queue : {0.1, 0.25, 0.45}) {  // of what is on the way
    std::array<double, 2> older{}, newer{};       // in seconds 1 to 3, and 8 to 18
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
      const auto bytes =
          static_cast<std::size_t>(queue * kRate / 8 * 2 * std::chrono::duration<double>(kDelay).count());
      Lab& l =
          over(seed, {.name = "a", .rate = kRate, .delay = kDelay, .queue = bytes, .loss = 1e-5}, 1ULL << 32);
      App& one = l.fetch({.expect_key = 2}, false);
      l.world.run_for(15s + 37ms * seed);
      App& two = l.fetch({.expect_key = 2}, false);
      for (std::size_t i = 0; i < older.size(); ++i) {
        l.world.run_for(i == 0 ? 1s : 5s);
        const std::uint64_t one_before = one.received(), two_before = two.received();
        const Duration span = i == 0 ? 2s : 10s;
        l.world.run_for(span);
        older[i] += mbps(one.received() - one_before, span) / static_cast<double>(seeds);
        newer[i] += mbps(two.received() - two_before, span) / static_cast<double>(seeds);
      }
      one.abort(l.client->context());
      two.abort(l.client->context());
      finish();
    }
    std::printf("queue %.2f: older %.1f and newcomer %.1f Mbit/s at first, %.1f and %.1f later\n", queue,
                older[0], newer[0], older[1], newer[1]);
    for (const double share : {older[0], newer[0], older[1], newer[1]}) EXPECT_GT(share, kRate / 4e6);
  }
}

}  // namespace
}  // namespace braid::kit
