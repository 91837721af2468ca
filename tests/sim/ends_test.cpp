// How connections end (threats, F3 and N2): whatever the order in which the two sides end or reset theirs,
// each is told the truth, and an end that was not clean never looks so.
#include <algorithm>
#include <array>

#include "kit/lab.hpp"
#include "kit/seeds.hpp"

namespace braid::kit {
namespace {

enum class End : std::uint8_t { client_fin, client_rst, server_fin, server_rst };

constexpr std::uint64_t kHello = 3000;  // bytes each side sends before

struct Order {
  std::array<End, 4> ends;
  Duration apart;
  bool mptcp;
};

std::vector<Order> orders() {
  std::vector<Order> out;
  for (const bool mptcp : {true, false})
    for (const Duration apart : {Duration{0}, Duration{3ms}, Duration{200ms}}) {
      std::array ends{End::client_fin, End::client_rst, End::server_fin, End::server_rst};
      do {
        out.push_back({ends, apart, mptcp});
      } while (std::next_permutation(ends.begin(), ends.end()));
    }
  return out;
}

std::string describe(const Order& order) {
  static constexpr std::array kNames{"client FIN", "client RST", "server FIN", "server RST"};
  std::string out = order.mptcp ? "MPTCP" : "TCP";
  for (const End e : order.ends) out += std::string(", ") + kNames[static_cast<std::size_t>(e)];
  return out + ", " + std::to_string(order.apart.count() / 1'000'000) + " ms apart";
}

class Ends : public LabTest {
 protected:
  static LabSpec spec(std::uint64_t seed) {
    LabSpec s{.seed = seed};
    s.access = {{.name = "a", .rate = 20e6, .delay = 5ms}, {.name = "b", .rate = 10e6, .delay = 12ms}};
    s.servers = {{.name = "s", .rate = 50e6, .delay = 1ms}};
    s.tune = [](relay::Settings& r, engine::Settings& e) {
      r.listeners[0].profile.hold = 20s;
      r.idle = 60s;
      r.half_closed = 30s;
      e.timeouts.user = 60s;
    };
    return s;
  }

  void apply(End end, App& client, App& server) {
    const bool at_client = end == End::client_fin || end == End::client_rst;
    App& app = at_client ? client : server;
    tcp::Context& ctx = (at_client ? *lab().client : lab().server_host()).context();
    if (end == End::client_rst || end == End::server_rst) return app.abort(ctx);
    app.plan().finish = true;
    app.touch(ctx);
  }

  // What each side must have seen when there was time between the ends.
  static void expect_truth(const Order& order, const App& client, const App& server) {
    bool client_fin = false;
    bool server_fin = false;
    for (const End e : order.ends) {
      client_fin = client_fin || e == End::client_fin;
      server_fin = server_fin || e == End::server_fin;
      if (client_fin && server_fin) break;
      if (e == End::client_rst) {
        EXPECT_EQ(server.failure(), tcp::Failure::reset);
        break;
      }
      if (e == End::server_rst) {
        EXPECT_EQ(client.failure(), tcp::Failure::reset);
        break;
      }
    }
    EXPECT_EQ(client.ended_cleanly(), client_fin && server_fin);
    EXPECT_EQ(server.ended_cleanly(), client_fin && server_fin);
    EXPECT_EQ(client.saw_fin(), server_fin);
    EXPECT_EQ(server.saw_fin(), client_fin);
  }

  void run_order(const Order& order) {
    Lab& l = make(spec(1));
    l.server_host().listen(kServerPort, {.send = kHello, .send_key = 2, .expect_key = 1, .finish = false});
    const Plan plan{.send = kHello, .expect_key = 2, .finish = false};
    App& client = order.mptcp ? l.fetch(plan) : l.client->connect(l.listener(), plan);
    l.world.run_for(300ms);
    App& server = *l.server_host().accepted().at(0);
    ASSERT_EQ(client.received(), kHello);
    ASSERT_EQ(server.received(), kHello);
    for (const End e : order.ends) {
      apply(e, client, server);
      if (order.apart.count() != 0) l.world.run_for(order.apart);
    }
    EXPECT_TRUE(l.run([&] { return client.released() && server.released(); }, 200s))
        << "somebody is never told";
    if (order.apart >= 200ms) expect_truth(order, client, server);
    EXPECT_TRUE(!client.saw_fin() || client.received() == kHello);
    EXPECT_TRUE(!server.saw_fin() || server.received() == kHello);
    EXPECT_TRUE(l.run([&] { return l.gateway->in_use() == 0; }, 200s))
        << l.gateway->in_use() << " objects are left";
  }

  // Something ends the connection at a moment that follows from the seed.
  void break_somewhere(Lab& l, Rng& rng, App& client) {
    const auto when = std::chrono::microseconds(rng.below(40'000));
    const unsigned how = rng.below(7);
    l.world.at(when, [&l, &client, how] {
      switch (how) {
        case 0:
          return client.abort(l.client->context());
        case 1:
          for (App* a : l.server_host().accepted()) a->abort(l.server_host().context());
          return;
        case 2:
          return l.client->die();
        case 3:
          return l.server_host().die();
        case 4:
          return l.server_link().cut();
        case 5:
          l.access(0).cut();
          return l.access(1).cut();
        default:
          l.gateway->abort_all();
      }
    });
  }

  // Whether the connection broke before both sides had seen the end.
  bool cut_one(std::uint64_t seed) {
    Rng rng(seed * 15'485'863);
    LabSpec s = spec(seed);
    s.workers = 1 + rng.below(2);
    if (rng.below(2) == 0)
      for (LinkSpec& link : s.access) link.loss = 0.03 * rng.unit();
    Lab& l = make(s);
    const std::uint64_t down = 1 + rng.below(40'000);
    const std::uint64_t up = 1 + rng.below(20'000);
    l.server_host().timeouts.user = l.client->timeouts.user = 60s;
    l.server_host().listen(kServerPort, {.send = down, .send_key = 2, .expect_key = 1});
    const Plan plan{.send = up, .expect_key = 2};
    App& client = rng.below(5) == 0 ? l.client->connect(l.listener(), plan) : l.fetch(plan);
    break_somewhere(l, rng, client);
    l.run([&] { return client.released() && l.gateway->in_use() == 0; }, 300s);
    const auto honest = [](const App& app, std::uint64_t all) {
      EXPECT_EQ(app.wrong_at(), kNoLimit);
      EXPECT_LE(app.received(), all);
      if (app.saw_fin() || app.ended_cleanly()) {
        EXPECT_EQ(app.received(), all) << "a clean end that is none";
      }
      return app.saw_fin();
    };
    const bool client_saw = honest(client, down);
    bool server_saw = false;
    for (const App* a : l.server_host().accepted()) server_saw = honest(*a, up) || server_saw;
    EXPECT_TRUE(l.run([&l] { return l.gateway->in_use() == 0; }, 400s))
        << l.gateway->in_use() << " objects are left";
    return !client_saw || !server_saw;
  }
};

TEST_F(Ends, AllOrdersOfFinAndRstOnBothSides) {
  for (const Order& order : orders()) {
    SCOPED_TRACE(describe(order));
    run_order(order);
    finish();
    if (HasFailure()) return;
  }
}

// BRAID_SEEDS of them that cut something; those that come too late, when all is clean, are more.
TEST_F(Ends, NoCutLooksLikeACleanEnd) {
  const std::uint64_t count = seeds_wanted();
  std::uint64_t broken = 0;
  for (std::uint64_t seed = 1; broken < count; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    broken += cut_one(seed) ? 1 : 0;
    finish();
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace braid::kit
