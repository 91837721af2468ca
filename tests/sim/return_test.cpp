// How soon a path carries its full rate again after it was out, or after the gateway was out of memory
// (threats, F4).
#include <algorithm>
#include <cstdio>
#include <vector>

#include "kit/faults.hpp"
#include "kit/lab.hpp"
#include "kit/seeds.hpp"

namespace braid::kit {
namespace {

// 20 of CI's 10,000.
std::uint64_t seeds_of_these() { return std::max<std::uint64_t>(seeds_wanted() / 500, 3); }

constexpr Duration kStep = 25ms;
constexpr unsigned kSpan = 8;  // steps in which the rate is measured

double ms(Duration d) { return static_cast<double>(d.count()) * 1e-6; }

// From when on something passes again, and from when on the rate is full.
struct Back {
  Duration heard = 60s;
  Duration full = 60s;
};

class Return : public LabTest {
 protected:
  // A download without end over these many paths of 5 to 20 Mbit/s, after three seconds or four.
  App& begin(std::uint64_t seed, unsigned paths) {
    Rng rng(seed * 104'729);
    LabSpec spec{.seed = seed};
    spec.access.clear();
    for (unsigned i = 0; i < paths; ++i) {
      const double rate = 1e6 * (5 + rng.below(16));
      spec.access.push_back({.name = i == 0 ? "a" : "b",
                             .rate = rate,
                             .delay = 20ms,
                             .queue = static_cast<std::size_t>(rate / 8 * 0.04)});
    }
    Lab& l = make(spec);
    l.client->budget = l.server_host().budget = 4U << 20;
    l.server_host().listen(
        kServerPort,
        {.send = 1ULL << 32, .send_key = 2, .expect_key = 1, .finish = false, .ahead = 1U << 20});
    App& app = l.fetch({.send = 100, .expect_key = 2, .finish = false});
    l.world.run_for(3s + std::chrono::milliseconds(rng.below(1000)));
    return app;
  }
  // Watches the first access link from now on.
  Back watch() {
    Back b;
    const Link& link = lab().access(0);
    std::vector<std::uint64_t> got{link.delivered_bytes(false)};
    for (Duration t{0}; t < 60s; t += kStep) {
      lab().world.run_for(kStep);
      got.push_back(link.delivered_bytes(false));
      if (got.back() != got.front()) b.heard = std::min(b.heard, t);
      if (got.size() <= kSpan) continue;
      const std::uint64_t bytes = got.back() - got[got.size() - 1 - kSpan];
      const double seconds = std::chrono::duration<double>(kSpan * kStep).count();
      if (static_cast<double>(bytes) * 8 / seconds < 0.9 * link.spec().rate) continue;
      b.full = t - (kSpan - 1) * kStep;
      break;
    }
    return b;
  }
  void end(App& app) {
    EXPECT_EQ(app.wrong_at(), kNoLimit);
    app.abort(lab().client->context());
    finish();
  }
  static void print(const char* what, std::vector<Duration> of) {
    std::sort(of.begin(), of.end());
    std::printf("%s: median %.0f ms, 90 %% %.0f ms, worst %.0f ms\n", what, ms(of[of.size() / 2]),
                ms(of[of.size() * 9 / 10]), ms(of.back()));
  }
};

struct Outage {
  const char* name;
  unsigned paths;
  Duration length;
};

void PrintTo(const Outage& o, std::ostream* out) { *out << o.name; }

class PathReturn : public Return, public testing::WithParamInterface<Outage> {};

// A path that is back is found by the next retransmission, which comes after as long again as the path was
// out (RFC 6298 5.5); from then on one second is enough, and where the outage was no longer, all told.
TEST_P(PathReturn, FullRateWithinASecondOfBeingHeard) {
  const Outage& o = GetParam();
  std::vector<Duration> heard, after;
  for (std::uint64_t seed = 1; seed <= seeds_of_these(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    App& app = begin(seed, o.paths);
    lab().access(0).cut();
    lab().world.run_for(o.length);
    lab().access(0).uncut();
    const Back back = watch();
    EXPECT_LE(back.heard, o.length + 500ms);
    EXPECT_LE(back.full - back.heard, 1s);
    if (o.length <= 1s) {
      EXPECT_LE(back.full, 1s);
    }
    heard.push_back(back.heard);
    after.push_back(back.full - back.heard);
    end(app);
    if (HasFailure()) return;
  }
  print((std::string(o.name) + ", from the return until something passes").c_str(), heard);
  print((std::string(o.name) + ", from then until the rate is full").c_str(), after);
}

INSTANTIATE_TEST_SUITE_P(Outages, PathReturn,
                         testing::Values(Outage{"one_path_200ms", 1, 200ms}, Outage{"one_path_1s", 1, 1s},
                                         Outage{"one_path_10s", 1, 10s}, Outage{"two_paths_200ms", 2, 200ms},
                                         Outage{"two_paths_1s", 2, 1s}, Outage{"two_paths_3s", 2, 3s},
                                         Outage{"two_paths_10s", 2, 10s}),
                         [](const auto& i) { return std::string(i.param.name); });

class MemoryReturn : public Return, public testing::WithParamInterface<std::uint64_t> {};

// For a second every so-manyth allocation fails: of packet buffers, and of what connections need while they
// send. What was on the way may be lost, but no connection, and a second later all is as before.
TEST_P(MemoryReturn, FullRateWithinASecond) {
  std::vector<Duration> full;
  for (std::uint64_t seed = 1; seed <= seeds_of_these(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    App& app = begin(seed, 2);
    lab().allow_broken_invariants();
    {
      const AllocationFaults faults(*lab().gateway, GetParam());
      lab().world.run_for(1s);
      EXPECT_GT(faults.asked(), 2 * GetParam()) << "the test no longer reaches what it is about";
    }
    const Back back = watch();
    EXPECT_LE(back.full, 1s);
    full.push_back(back.full);
    end(app);
    if (HasFailure()) return;
  }
  print(("every " + std::to_string(GetParam()) + ". allocation fails, from the end until the rate is full")
            .c_str(),
        full);
}

INSTANTIATE_TEST_SUITE_P(EveryAllocation, MemoryReturn, testing::Values(1, 2, 10, 100),
                         [](const auto& i) { return "number_" + std::to_string(i.param); });

}  // namespace
}  // namespace braid::kit
