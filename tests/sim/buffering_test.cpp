// What waits in Braid for a slow reader, and what a fast one far away gets all the same: the buffer of each
// direction follows what it carries in a round trip.
#include "kit/lab.hpp"

namespace braid::kit {
namespace {

constexpr std::uint32_t kBuffer = 4U << 20;  // the default of limits.buffer_per_connection

struct Path {
  const char* name;
  double rate;  // bit/s
  Duration delay;
  std::uint32_t queue;
  std::uint64_t bytes;
  double goodput;         // share of the rate at least
  std::uint32_t waiting;  // bytes in Braid at most
};

class Buffering : public LabTest, public testing::WithParamInterface<Path> {
 protected:
  Lab& over(const Path& p) {
    LabSpec spec{.access = {{.name = "a", .rate = p.rate, .delay = p.delay, .queue = p.queue}},
                 .servers = {{.name = "s", .rate = 1e9, .delay = 100us}}};
    spec.tune = [](relay::Settings& r, engine::Settings&) { r.buffer = kBuffer; };
    Lab& l = make(spec);
    l.client->budget = l.server_host().budget = 16U << 20;
    return l;
  }
  void expect(Lab& l, const Path& p, const App& reader) {
    std::uint64_t most = 0;
    const auto done = [&] {
      most = std::max<std::uint64_t>(most, l.gateway->engine().stats().gauges.buffered_bytes);
      return reader.received() == p.bytes;
    };
    ASSERT_TRUE(l.run(done, 300s));
    const double seconds = std::chrono::duration<double>(l.world.elapsed()).count();
    EXPECT_GT(static_cast<double>(p.bytes) * 8 / seconds, p.goodput * p.rate);
    EXPECT_LT(most, p.waiting);
    EXPECT_EQ(reader.wrong_at(), kNoLimit);
  }
};

TEST_P(Buffering, Downloads) {
  const Path& p = GetParam();
  Lab& l = over(p);
  l.server_host().listen(kServerPort, {.send = p.bytes, .send_key = 2, .ahead = 8U << 20});
  expect(l, p, l.fetch({.expect_key = 2}));
}

TEST_P(Buffering, Uploads) {
  const Path& p = GetParam();
  Lab& l = over(p);
  l.server_host().listen(kServerPort, {.expect_key = 1});
  l.fetch({.send = p.bytes, .ahead = 8U << 20});
  ASSERT_TRUE(l.run([&] { return !l.server_host().accepted().empty(); }));
  expect(l, p, *l.server_host().accepted().front());
}

INSTANTIATE_TEST_SUITE_P(Paths, Buffering,
                         testing::Values(Path{"dsl", 20e6, 12ms, 64000, 20'000'000, 0.9, 700'000},
                                         Path{"far", 100e6, 100ms, 1000000, 200'000'000, 0.7, kBuffer}),
                         [](const auto& i) { return std::string(i.param.name); });

}  // namespace
}  // namespace braid::kit
