// How soon the pieces arrive that a server sends from time to time, over two unequal links, and how much of
// them is sent twice. What an application sends says nothing about what a path carries.
#include <deque>

#include "kit/lab.hpp"
#include "kit/profiles.hpp"

namespace braid::kit {
namespace {

// A server that sends so many bytes at these intervals, for 20 s, over a pair of profiles.
struct Case {
  const char* a;
  const char* b;
  Duration every;
  std::uint64_t bytes;
  double most_ms;     // until a piece is whole, in the mean
  double most_again;  // part of the bytes reinjected
};

class Answers : public LabTest, public testing::WithParamInterface<Case> {
 protected:
  struct Piece {
    std::uint64_t end;  // position in the stream
    Instant sent;
  };
  // Mean time until a piece has arrived, ms.
  double run(App& server, const App& client) {
    Lab& l = lab();
    const Case& c = GetParam();
    std::deque<Piece> open;
    const Instant end = l.world.now() + 20s;
    Duration sum{0};
    unsigned pieces = 0;
    for (Instant next = l.world.now(); l.world.now() < end || !open.empty();) {
      if (l.world.now() >= next && l.world.now() < end) {
        server.plan().send += c.bytes;
        server.touch(l.server_host().context());
        open.push_back({server.plan().send, l.world.now()});
        next += c.every;
      }
      l.world.run_for(1ms);
      for (; !open.empty() && client.received() >= open.front().end; open.pop_front(), ++pieces)
        sum += l.world.now() - open.front().sent;
      if (l.world.now() > end + 100s) return 1e9;
    }
    return std::chrono::duration<double, std::milli>(sum).count() / pieces;
  }
};

TEST_P(Answers, TakeTheShortPathAndAreSentOnce) {
  const Case& c = GetParam();
  LabSpec spec{.access = {*profile(c.a), *profile(c.b)}};
  spec.tune = [](relay::Settings& r, engine::Settings&) { r.buffer = 4U << 20; };
  Lab& l = make(spec);
  l.client->budget = 8U << 20;
  l.server_host().listen(kServerPort, {.send = 0, .send_key = 2, .finish = false, .ahead = 4U << 20});
  App& client = l.fetch({.expect_key = 2, .finish = false});
  ASSERT_TRUE(l.run([&] { return !l.server_host().accepted().empty(); }, 30s));
  l.world.run_for(1s);
  App& server = *l.server_host().accepted().front();
  EXPECT_LT(run(server, client), c.most_ms);
  const auto again = static_cast<double>(l.gateway->counter(stats::Counter::mptcp_reinjected_bytes));
  EXPECT_LE(again, c.most_again * static_cast<double>(client.received()));
  EXPECT_EQ(client.wrong_at(), kNoLimit);
  client.abort(l.client->context());
}

INSTANTIATE_TEST_SUITE_P(Pairs, Answers,
                         testing::Values(Case{"shallow", "satellite", 50ms, 5'000, 16, 0},
                                         Case{"dsl", "lte", 50ms, 5'000, 18, 0.001},
                                         Case{"wifi", "lte", 50ms, 5'000, 17, 0.06},
                                         Case{"bloat", "lte", 100ms, 50'000, 55, 0},
                                         Case{"bloat", "lte", 10ms, 10'000, 45, 0},
                                         Case{"bloat", "lte", 2s, 1'000'000, 520, 0.01}));

}  // namespace
}  // namespace braid::kit
