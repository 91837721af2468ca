// The appliance in a test's world: one or several engines, their ports and the model of the NIC in front of
// them.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>

#include "engine/engine.hpp"
#include "kit/link.hpp"
#include "kit/world.hpp"

namespace braid::kit {

class Gateway final : public Device, public Actor {
 public:
  // Which worker's queue gets a frame; `f` is nothing for what is not TCP.
  using Rss = std::function<unsigned(const std::optional<wire::TcpFrame>& f)>;

  // `relay` and `routes` are kept; `settings.relay`, `worker`, `workers` and `buffers` are filled in.
  Gateway(World& world, relay::Settings relay, engine::Settings settings, unsigned workers,
          wire::RouteTable routes);
  ~Gateway() override;

  void attach(unsigned port, Link& link);
  // What the kernel has configured from now on.
  void set_routes(wire::RouteTable routes);
  void set_rss(Rss rss) { rss_ = std::move(rss); }
  // Frames that the NIC keeps after transmission, as real ones do until they clean their ring.
  void set_nic_hold(std::size_t frames) { hold_ = frames; }

  void take(Instant now, unsigned port, Packet packet) override;
  [[nodiscard]] Instant next_at() const override;
  void act(Instant now) override;
  [[nodiscard]] std::string name() const override { return "gateway"; }

  [[nodiscard]] unsigned workers() const { return static_cast<unsigned>(workers_.size()); }
  [[nodiscard]] engine::Engine& engine(unsigned i = 0) { return *workers_[i].engine; }
  [[nodiscard]] engine::Io& io(unsigned i = 0);
  // Sums over the workers.
  [[nodiscard]] std::uint64_t drops(stats::Drop d) const;
  [[nodiscard]] std::uint64_t all_drops() const;
  [[nodiscard]] std::uint64_t counter(stats::Counter c) const;
  [[nodiscard]] std::uint64_t joins(stats::Join j) const;
  [[nodiscard]] std::uint64_t fallbacks(stats::Fallback f) const;
  [[nodiscard]] std::uint32_t in_use() const;
  [[nodiscard]] std::uint64_t punted() const { return punted_; }
  [[nodiscard]] std::uint64_t unresolved() const { return unresolved_; }
  // Access records not read yet, of all workers.
  std::vector<relay::AccessRecord> records();
  void abort_all();
  bool end_some();  // one turn of that; whether none is left
  // Lets go of what the NIC holds.
  void clean_nic();
  // Frames that wait in front of the workers or are held behind them. False: some are in the rings between
  // the workers, where they cannot be seen.
  bool for_each_frame(const std::function<void(const rte_mbuf*)>& visit);
  // Frames whose bytes changed while the NIC still held them: a bug of the sender.
  [[nodiscard]] std::uint64_t overwritten() const { return overwritten_; }

 private:
  class WorkerIo;
  struct Worker {
    std::unique_ptr<WorkerIo> io;
    std::unique_ptr<engine::Engine> engine;
  };
  struct Held {
    rte_mbuf* frame;
    Packet bytes;
  };
  void transmit(unsigned port, rte_mbuf* frame);
  void release_oldest();

  World& world_;
  std::unique_ptr<relay::Settings> relay_;
  std::deque<wire::RouteTable> routes_;  // the last is in force
  Instant turn_at_ = kNever;             // workers turn then, as real ones do without a cause
  engine::HandoffMatrix handoff_;
  std::vector<Worker> workers_;
  std::array<Link*, limits::kMaxPorts> links_{};
  unsigned ports_ = 0;
  Rss rss_;
  std::deque<Held> held_;
  std::size_t hold_;
  std::uint64_t punted_ = 0;
  std::uint64_t unresolved_ = 0;
  std::uint64_t overwritten_ = 0;
};

}  // namespace braid::kit
