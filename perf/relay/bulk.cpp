#include <rte_mempool.h>

#include "base/spsc_ring.hpp"
#include "clients.hpp"
#include "clock.hpp"
#include "scenarios.hpp"
#include "servers.hpp"

namespace braid::perf {

namespace {

// A path that delays and nothing else.
class Path {
 public:
  Path(Duration delay, Clients& clients) : delay_(delay), clients_(clients) {}

  void enter(Instant now, const Clients::Data& data) {
    if (!queue_.push({now + delay_, data})) throw Broken("a path's queue is full");
    ++carried_;
  }
  // Returns how many segments left it.
  unsigned leave(Instant now) {
    unsigned n = 0;
    while (have_ || queue_.pop({&head_, 1}) != 0) {
      have_ = head_.due > now;
      if (have_) break;
      clients_.arrived(head_.data);
      ++n;
    }
    return n;
  }
  [[nodiscard]] std::uint64_t carried() const { return carried_; }

 private:
  struct Entry {
    Instant due;
    Clients::Data data;
  };
  Duration delay_;
  Clients& clients_;
  SpscRing<Entry> queue_{1U << 15};
  Entry head_{};
  bool have_ = false;
  std::uint64_t carried_ = 0;
};

class Download {
 public:
  Download(const Bench& bench, const BulkCase& c)
      : case_(c),
        world_(bench.buffers, bench.buffer_count,
               {.connections = c.sessions + 8, .burst = c.burst, .offload = c.offload}),
        servers_(world_, 1, 0),
        clients_(world_, {.join = true}, c.sessions),
        paths_{Path{std::chrono::microseconds(c.delay_us), clients_},
               Path{std::chrono::microseconds(c.delay_us + c.delay_us / 4), clients_}} {}

  void establish() {
    world_.start();
    const auto step = std::chrono::microseconds(std::max(case_.delay_us, 1U));
    for (unsigned turn = 0; clients_.ready() < case_.sessions || servers_.established() < case_.sessions;
         ++turn) {
      if (turn > 100 * case_.sessions)
        throw Broken("clients do not get connected:\n" + describe(world_.engine().stats()));
      if (clients_.opened() < case_.sessions) clients_.open();
      world_.turn(step);
      exchange();
    }
    // Half of what is under way fits the first path, which is the faster one; the second carries the rest.
    clients_.expect_bulk(kSegment, std::max(case_.delay_us / 2 / case_.sessions, 1U));
  }

  // Relays `segments` more; returns how many have reached the clients. `blocks`: gets the cycles per segment
  // of each short stretch.
  std::uint64_t run(std::uint64_t segments, std::vector<double>* blocks = nullptr) {
    constexpr unsigned kBlock = 32;  // turns
    std::uint64_t reached = 0;
    std::uint64_t reached_before = 0;
    std::uint64_t cycles_before = world_.cycles();
    for (std::uint64_t offered = 0; offered < segments; offered += case_.burst) {
      for (unsigned i = 0; i < case_.burst; ++i) send_one();
      for (Path& path : paths_) reached += path.leave(world_.now());
      clients_.delayed_acks();
      world_.turn(std::chrono::microseconds(case_.burst));
      exchange();
      if (world_.turns() % kBlock != 0) continue;
      if (blocks != nullptr && reached != reached_before)
        blocks->push_back(static_cast<double>(world_.cycles() - cycles_before) /
                          static_cast<double>(reached - reached_before));
      reached_before = reached;
      cycles_before = world_.cycles();
    }
    return reached;
  }

  World& world() { return world_; }
  [[nodiscard]] double second_path() const {
    const auto all = static_cast<double>(paths_[0].carried() + paths_[1].carried());
    return static_cast<double>(paths_[1].carried()) / all;
  }

 private:
  // Nothing is sent where no window lets it, as while the engine's congestion windows still grow.
  void send_one() {
    for (unsigned tries = 0; tries < case_.sessions; ++tries) {
      next_ = next_ + 1 == case_.sessions ? 0 : next_ + 1;
      if (servers_.send(next_, kSegment)) return;
    }
  }

  void exchange() {
    world_.collect(kServers, [this](const wire::TcpFrame& f, rte_mbuf*) { servers_.see(f); });
    world_.collect(kClients, [this](const wire::TcpFrame& f, rte_mbuf* m) {
      if (f.payload_length == 0) return clients_.see(f);
      const Clients::Data data = clients_.data_of(f, m);
      paths_[data.leg].enter(world_.now(), data);
    });
  }

  BulkCase case_;
  World world_;
  Servers servers_;
  Clients clients_;
  std::array<Path, kLegs> paths_;
  std::size_t next_ = 0;
};

}  // namespace

BulkResult run_bulk(const Bench& bench, const BulkCase& c) {
  Download download(bench, c);
  World& world = download.world();
  world.verify_checksums(true);
  download.establish();
  download.run(c.round);  // windows and queues reach their steady state, and every checksum is looked at
  world.verify_checksums(false);

  BulkResult result;
  std::vector<double> blocks;
  for (unsigned i = 0; i < bench.rounds; ++i) {
    const auto frames = world.engine().stats().counters[stats::Counter::rx_frames];
    const std::uint64_t turns = world.turns();
    const std::uint64_t cycles = world.cycles();
    const std::uint64_t reached = download.run(c.round, &blocks);
    if (reached * 10 < c.round * 9ULL)
      throw Broken("segments are not relayed at the rate they are offered:\n" +
                   describe(world.engine().stats()));
    result.rounds.push_back(static_cast<double>(world.cycles() - cycles) / static_cast<double>(reached));
    result.frames_per_turn =
        static_cast<double>(world.engine().stats().counters[stats::Counter::rx_frames] - frames) /
        static_cast<double>(world.turns() - turns);
  }
  world.expect_smooth();
  result.cycles_per_segment = median(result.rounds);
  result.quiet = quantile(blocks, 0.1);
  result.second_path = download.second_path();
  return result;
}

}  // namespace braid::perf
