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
                                         Path{"far", 100e6, 100ms, 1000000, 200'000'000, 0.7, 3'000'000}),
                         [](const auto& i) { return std::string(i.param.name); });

// Whose SYN/ACK was repeated, or a cookie, and who hears nothing from us, has never been measured.
class Unmeasured : public LabTest, public testing::WithParamInterface<bool> {};

TEST_P(Unmeasured, UploadFromFarAway) {
  const bool cookie = GetParam();
  constexpr std::uint64_t kBytes = 50'000'000;
  LabSpec spec{.access = {{.name = "a", .rate = 100e6, .delay = 100ms, .queue = 1'000'000}},
               .servers = {{.name = "s", .rate = 1e9, .delay = 100us}}};
  spec.tune = [cookie](relay::Settings& r, engine::Settings& e) {
    r.buffer = kBuffer;
    if (cookie) e.handshakes = 0;
  };
  Lab& l = make(spec);
  l.client->budget = l.server_host().budget = 16U << 20;
  auto lost = std::make_shared<bool>(cookie);
  l.access(0).set_middlebox([lost](Packet&, const wire::TcpFrame& f, bool) {
    return !(f.has(wire::kSyn) && f.has(wire::kAck)) || std::exchange(*lost, true);
  });
  l.server_host().listen(kServerPort, {.expect_key = 1});
  l.fetch({.send = kBytes, .ahead = 8U << 20}, false);
  ASSERT_TRUE(l.run([&] { return !l.server_host().accepted().empty(); }));
  const App& reader = *l.server_host().accepted().front();
  ASSERT_TRUE(l.run([&] { return reader.received() == kBytes; }, 300s));
  EXPECT_GT(kBytes * 8 / std::chrono::duration<double>(l.world.elapsed()).count(), 40e6);
}

INSTANTIATE_TEST_SUITE_P(Why, Unmeasured, testing::Bool(),
                         [](const auto& i) { return i.param ? "cookie" : "repeated"; });

// One whose writes come in bursts far below its window has not used it, however they are spread (RFC 7661).
TEST_F(LabTest, BurstsBelowTheWindowDoNotGrowIt) {
  Lab& l = make({.access = {{.name = "a", .rate = 1e9, .delay = 100us, .queue = 10'000'000}},
                 .servers = {{.name = "s", .rate = 1e9, .delay = 25ms, .queue = 10'000'000}}});
  l.client->budget = l.server_host().budget = 16U << 20;
  l.server_host().listen(kServerPort, {.send = 8000, .send_key = 2, .finish = false, .ahead = 8U << 20});
  App& app = l.client->connect(l.listener(), {.expect_key = 2, .finish = false});
  l.world.run_for(1s);
  App& writer = *l.server_host().accepted().at(0);
  for (unsigned i = 0; i < 2000; ++i) {  // up to 64 kB each 10 ms: 320 kB in a round trip
    writer.plan().send += std::min(8000U << std::min(i / 100, 3U), 64'000U);
    writer.touch(l.server_host().context());
    l.world.run_for(10ms);
  }
  EXPECT_LT(dynamic_cast<tcp::PlainStream&>(*writer.stream()).cwnd(), 1'000'000U);
  app.abort(l.client->context());
}

}  // namespace
}  // namespace braid::kit
