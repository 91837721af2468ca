// A sender that fills Braid's window whatever it sends: as fast as it can, without Nagle's algorithm, the
// last segment up to the very edge. What it is offered must be worth whole segments (RFC 9293 3.8.6.2.2).
#include "kit/lab.hpp"
#include "kit/mp_client.hpp"

namespace braid::kit {
namespace {

// What such a sender has sent, by size.
struct Sizes {
  std::uint32_t full = 0;    // bytes of a whole segment
  std::uint32_t unit = 0;    // of the window field (RFC 7323 2.3)
  std::uint32_t whole = 0;   // segments of that size
  std::uint32_t nearly = 0;  // short by less than a unit
  std::uint32_t small = 0;
  void add(std::uint32_t length) {
    if (length == full) {
      ++whole;
    } else if (length + unit > full) {
      ++nearly;
    } else {
      ++small;
    }
  }
};

std::string bytes_of(std::uint64_t key, std::uint64_t at, std::uint32_t length) {
  std::string s(length, '\0');
  pattern(key, at, std::as_writable_bytes(std::span(s)));
  return s;
}

class HeldSender : public LabTest {
 protected:
  // The link of the reader, a twentieth of the sender's.
  static LinkSpec slow(const char* name) {
    return {.name = name, .rate = 20e6, .delay = 12ms, .queue = 64000};
  }
  static LinkSpec fast(const char* name) { return {.name = name, .rate = 1e9, .delay = 100us}; }

  static constexpr std::uint32_t kBuffer = 4U << 20;  // the default of limits.buffer_per_connection
  Lab& make(LabSpec spec) {
    spec.tune = [](relay::Settings& r, engine::Settings&) { r.buffer = kBuffer; };
    return LabTest::make(spec);
  }

  // Small are only those at the end of the stream and of the first windows, which are offered before anything
  // is known of the sender's segments.
  static void expect_full(const Sizes& s) {
    const std::string what = std::to_string(s.whole) + " whole, " + std::to_string(s.nearly) + " nearly, " +
                             std::to_string(s.small) + " small";
    RecordProperty("segments", what);
    EXPECT_GT(s.whole + s.nearly, 1000U) << what;
    EXPECT_LE(s.small, 4U) << what;
  }
};

class HeldServer : public HeldSender, public testing::WithParamInterface<bool> {};

TEST_P(HeldServer, SendsNearlyFullSegments) {
  constexpr std::uint32_t kBytes = 5'000'000;
  Lab& l = make({.access = {slow("a")}, .servers = {fast("s")}, .scripted_servers = true});
  l.client->budget = 4U << 20;
  const Plan plan{.expect_key = 2};
  App& app = GetParam() ? l.fetch(plan, false) : l.client->connect(l.listener(), plan);
  Remote* s = l.server_script->incoming(l.server(), 1s);
  ASSERT_NE(s, nullptr);
  const auto syn = s->next();
  ASSERT_TRUE(syn && syn->has(S));
  const std::uint8_t scale = syn->frame.options.window_scale;
  Sizes sizes{.full = std::min<std::uint32_t>(syn->frame.options.mss, 1460), .unit = 1U << scale};
  s->say({.flags = static_cast<std::uint8_t>(S | A), .options = [](wire::OptionBuffer& o) {
            o.mss(1460);
            o.sack_permitted();
            o.window_scale(7);
          }});
  std::uint32_t edge = 0;
  while (s->sent() < 1 + kBytes) {
    const auto h = s->next(10s);
    ASSERT_TRUE(h) << "Braid says nothing more";
    edge = std::max(edge, h->ack + (std::uint32_t{h->frame.window} << scale));
    while (s->sent() < std::min(edge, 1 + kBytes)) {
      const std::uint32_t at = s->sent();
      const std::uint32_t length = std::min({sizes.full, edge - at, 1 + kBytes - at});
      s->say({.data = bytes_of(2, at - 1, length)});
      sizes.add(length);
    }
  }
  ASSERT_TRUE(l.run([&] { return app.received() == kBytes; }));
  EXPECT_EQ(app.wrong_at(), kNoLimit);
  expect_full(sizes);
}

INSTANTIATE_TEST_SUITE_P(ToClients, HeldServer, testing::Bool(),
                         [](const auto& i) { return i.param ? "mptcp" : "tcp"; });

TEST_F(HeldSender, MptcpClient) {
  constexpr std::uint32_t kBytes = 5'000'000;
  Lab& l = make({.access = {fast("a")}, .servers = {slow("s")}, .scripted_client = true});
  l.server_host().budget = 4U << 20;
  l.server_host().listen(kServerPort, {.expect_key = 1});
  MpClient client(l);
  Remote& c = client.connect();
  const std::uint8_t scale = tcp::scale_for(kBuffer);
  Sizes sizes{.full = 1420, .unit = 1U << scale};
  std::uint32_t sent = 0;
  std::uint32_t edge = 20'000;
  while (sent < kBytes) {
    while (sent < std::min(edge, kBytes)) {
      const std::uint32_t length = std::min({sizes.full, edge - sent, kBytes - sent});
      client.data(c, sent, bytes_of(1, sent, length));
      sizes.add(length);
      sent += length;
    }
    if (sent == kBytes) break;
    const auto h = c.next(10s);
    ASSERT_TRUE(h) << "Braid says nothing more";
    const std::int64_t acked = client.acked_in(*h);
    if (acked >= 0)
      edge = std::max(edge, static_cast<std::uint32_t>(acked) + (std::uint32_t{h->frame.window} << scale));
  }
  const App& app = *l.server_host().accepted().at(0);
  ASSERT_TRUE(l.run([&] { return app.received() == kBytes; }));
  EXPECT_EQ(app.wrong_at(), kNoLimit);
  expect_full(sizes);
}

}  // namespace
}  // namespace braid::kit
