#include "clients.hpp"
#include "clock.hpp"
#include "scenarios.hpp"
#include "servers.hpp"

namespace braid::perf {

namespace {

constexpr unsigned kServerCount = 16;
constexpr std::uint16_t kRequest = 200;
constexpr std::uint16_t kResponse = 1000;
constexpr auto kStep = std::chrono::microseconds(50);
constexpr unsigned kRound = 8 * 1024;  // connections
constexpr std::uint32_t kConnections = 32 * 1024;
// A quarter of a second leaves as many connections in TIME-WAIT as 60 s would at 1/240 of the rate.
constexpr auto kTimeWait = std::chrono::milliseconds(250);

class Shop {
 public:
  Shop(const Bench& bench, bool join, bool offload)
      : per_turn_(join ? 2 : 3),
        world_(bench.buffers, bench.buffer_count,
               {.connections = kConnections,
                .offload = offload,
                .servers = kServerCount,
                .time_wait = kTimeWait}),
        servers_(world_, kServerCount, kResponse),
        clients_(world_, {.join = join, .request = kRequest, .response = kResponse, .close = true}, 4096) {}

  // Opens clients until `connections` more have completed.
  void run(std::uint64_t connections) {
    const std::uint64_t enough = clients_.completed() + connections;
    for (std::uint64_t turn = 0; clients_.completed() < enough; ++turn) {
      if (turn > 10 * connections + 1000)
        throw Broken("connections hang:\n" + describe(world_.engine().stats()));
      for (unsigned i = 0; i < per_turn_ && clients_.opened() < enough + 512; ++i) clients_.open();
      turn_once();
    }
  }
  // Lets the last ones complete and everything expire.
  void settle() {
    for (unsigned i = 0; i < 1000 && clients_.completed() < clients_.opened(); ++i) turn_once();
    for (unsigned i = 0; i < 400; ++i) world_.turn(std::chrono::milliseconds(1));
    exchange();
    if (clients_.completed() != clients_.opened()) throw Broken("connections hang at the end");
    if (const auto left = world_.engine().use().total(); left != 0)
      throw Broken(std::to_string(left) + " objects outlive their connections");
  }
  World& world() { return world_; }

 private:
  void turn_once() {
    world_.turn(kStep);
    exchange();
  }
  void exchange() {
    world_.collect(kServers, [this](const wire::TcpFrame& f, rte_mbuf*) { servers_.see(f); });
    world_.collect(kClients, [this](const wire::TcpFrame& f, rte_mbuf*) { clients_.see(f); });
  }

  unsigned per_turn_;
  World world_;
  Servers servers_;
  Clients clients_;
};

}  // namespace

ChurnResult run_churn(const Bench& bench, bool join, bool offload) {
  Shop shop(bench, join, offload);
  World& world = shop.world();
  world.start();
  world.verify_checksums(true);
  shop.run(2 * kRound);  // until as many connections leave TIME-WAIT as enter it
  world.verify_checksums(false);
  std::vector<double> cycles;
  const auto frames = world.engine().stats().counters[stats::Counter::rx_frames];
  for (unsigned i = 0; i < bench.rounds; ++i) {
    const std::uint64_t before = world.cycles();
    shop.run(kRound);
    cycles.push_back(static_cast<double>(world.cycles() - before) / kRound);
  }
  const auto more = world.engine().stats().counters[stats::Counter::rx_frames] - frames;
  shop.settle();
  world.expect_smooth();
  return {median(cycles), static_cast<double>(more) / (kRound * bench.rounds)};
}

}  // namespace braid::perf
