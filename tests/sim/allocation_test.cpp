// Every allocation of the gateway fails once (threats F4), 59 to 168 of them in each scene, 568 in all:
// objects of its pools (connections, sessions, relays, redirect entries, flights) and packet buffers.
// Whatever it was for, the run ends, no byte is wrong, no stream that broke looks whole, and nothing is left.
#include "kit/faults.hpp"
#include "kit/lab.hpp"

namespace braid::kit {
namespace {

struct Scene {
  const char* name;
  unsigned workers = 1;
  double loss = 0;
  bool checksum = false;
  bool cut = false;     // of the first path, while data are on the way
  bool narrow = false;  // the client takes smaller segments than the server sends
  bool mptcp = true;
  unsigned least = 50;  // allocations: with fewer the run no longer reaches what it is about
};

// Connections that ended with the allocation that failed.
struct Ends {
  unsigned refused = 0;       // there was no object for one that begins
  unsigned for_a_flight = 0;  // of which there are enough for all: a broken invariant
};

void PrintTo(const Scene& w, std::ostream* out) { *out << w.name; }

class Allocation : public LabTest, public ::testing::WithParamInterface<Scene> {
 protected:
  static constexpr std::uint64_t kDown = 200'000;
  static constexpr std::uint64_t kUp = 60'000;

  LabSpec spec() const {
    const Scene& w = GetParam();
    LabSpec s{.seed = 2, .workers = w.workers};
    s.access = {{.name = "a", .rate = 20e6, .delay = 5ms, .loss = w.loss},
                {.name = "b", .rate = 10e6, .delay = 12ms, .loss = w.loss}};
    if (w.narrow) s.access[0].mtu = s.access[1].mtu = 1000;
    s.tune = [checksum = w.checksum](relay::Settings& r, engine::Settings&) {
      r.listeners[0].profile.require_checksum = checksum;
    };
    return s;
  }

  // One run whose `k`th allocation fails; returns how many were asked for. 0: it went wrong.
  std::uint64_t run(std::uint64_t k, Ends& ends) {
    Lab& l = make(spec());
    l.allow_broken_invariants();
    if (GetParam().workers > 1)  // the join comes to the worker that does not own it
      l.gateway->set_rss([other = l.client_ip(1)](const std::optional<wire::TcpFrame>& f) {
        return f && f->flow.remote.ip == other ? 1U : 0U;
      });
    const AllocationFault fault(*l.gateway, k);
    for (Host* host :
         {l.client.get(), &l.server_host()})  // a RST for which there was no buffer does not come again
      host->timeouts = {.user = 60s, .time_wait = 1s, .keepalive = 20s};
    l.server_host().listen(kServerPort, {.send = kDown, .send_key = 2, .expect_key = 1, .send_after = 1000});
    const Plan plan{.send = kUp, .expect_key = 2, .finish_after_peer = true};
    App& app = GetParam().mptcp ? l.fetch(plan) : l.client->connect(l.listener(), plan);
    if (GetParam().cut) l.world.at(50ms, [&l] { l.access(0).cut(); });
    const auto& accepted = l.server_host().accepted();
    const auto ended = [&] { return app.released() && (accepted.empty() || accepted.back()->released()); };
    EXPECT_TRUE(l.run(ended, 600s)) << "it hangs";
    EXPECT_EQ(app.wrong_at(), kNoLimit);
    EXPECT_TRUE(!app.saw_fin() || app.received() == kDown) << "a broken stream looks whole to the client";
    for (const App* server : accepted) {
      EXPECT_EQ(server->wrong_at(), kNoLimit);
      EXPECT_TRUE(!server->saw_fin() || server->received() == kUp)
          << "a broken stream looks whole to the server";
    }
    const bool invariant = l.gateway->counter(stats::Counter::invariant) != 0;
    if (!app.ended_cleanly()) ++(invariant ? ends.for_a_flight : ends.refused);
    const std::uint64_t asked = fault.asked();
    finish();
    return HasFailure() ? 0 : asked;
  }
};

TEST_P(Allocation, EachFailsOnceAndHarmsNothingElse) {
  Ends ends;
  EXPECT_GE(run(0, ends), GetParam().least);
  EXPECT_EQ(ends.refused + ends.for_a_flight, 0U);
  std::uint64_t k = 1;
  for (;; ++k) {
    SCOPED_TRACE("allocation " + std::to_string(k));
    const std::uint64_t asked = run(k, ends);
    if (asked == 0) return;  // it has failed
    if (asked < k) break;
  }
  std::printf("%s: %u allocations; connections refused: %u, ended for want of a flight: %u\n",
              GetParam().name, static_cast<unsigned>(k - 1), ends.refused, ends.for_a_flight);
  // All but those for a server connection; where the only path dies, also those for MPTCP and for a join.
  EXPECT_LE(ends.refused, GetParam().cut ? 6U : 1U) << "what else fails is sent again";
}

INSTANTIATE_TEST_SUITE_P(Worlds, Allocation,
                         ::testing::Values(Scene{.name = "two paths"},
                                           Scene{.name = "two workers", .workers = 2},
                                           Scene{.name = "losses", .loss = 0.05},
                                           Scene{.name = "checksums", .checksum = true},
                                           Scene{.name = "a path is cut", .cut = true},
                                           Scene{.name = "narrow paths", .narrow = true},
                                           Scene{.name = "plain TCP", .loss = 0.05, .mptcp = false}),
                         [](const auto& scene) {
                           std::string name = scene.param.name;
                           std::replace(name.begin(), name.end(), ' ', '_');
                           return name;
                         });

}  // namespace
}  // namespace braid::kit
