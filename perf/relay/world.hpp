// One engine between two ports that exist in memory only, driven in virtual time. Only the turns of the
// engine are timed; what the models do before and after them is not.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>

#include "base/spsc_ring.hpp"
#include "engine/engine.hpp"

namespace braid::perf {

// A benchmark whose models saw something they must not see: its figures would mean nothing.
struct Broken : std::runtime_error {
  using std::runtime_error::runtime_error;
};

enum Port : std::uint8_t { kClients = 0, kServers = 1 };
inline constexpr unsigned kPorts = 2;

Mac engine_mac(Port port);
Mac peer_mac(Port port);
// Where clients connect to, and the servers behind.
Endpoint service();
Endpoint server(unsigned index);

// Ports whose receive() hands out what was offered and whose transmit() keeps pointers.
class Loop final : public engine::Io {
 public:
  // `burst`: frames that one receive() returns at most.
  explicit Loop(unsigned burst) : burst_(burst) {}
  ~Loop() override;

  void offer(Port port, rte_mbuf* frame);
  // The next frame that the engine has sent, or nullptr. The caller owns it.
  rte_mbuf* sent(Port port);

  [[nodiscard]] unsigned ports() const override { return kPorts; }
  unsigned receive(unsigned port, rte_mbuf** frames, unsigned max) override;
  unsigned transmit(unsigned port, rte_mbuf** frames, unsigned count) override;
  bool punt(unsigned, rte_mbuf*) override { return false; }
  bool resolve(const wire::Hop&, rte_mbuf*) override { return false; }

 private:
  using Frames = SpscRing<rte_mbuf*>;
  unsigned burst_;
  std::array<Frames, kPorts> in_{Frames{1U << 16}, Frames{1U << 16}};
  std::array<Frames, kPorts> out_{Frames{1U << 16}, Frames{1U << 16}};
};

struct WorldSettings {
  std::uint32_t connections = 64;  // relayed connections at most
  std::uint32_t handshakes = 0;    // clients in handshake at most; 0: as connections
  unsigned burst = 32;             // frames per port and turn
  bool offload = false;            // ports check and write checksums
  unsigned servers = 1;            // of the one upstream
  Duration time_wait = std::chrono::seconds(60);
};

class World {
 public:
  World(rte_mempool* buffers, std::uint32_t buffer_count, const WorldSettings& settings);
  // Makes the engine. Once, before the first turn.
  void start();

  // Virtual time goes on by `step`, then the engine has its turn, which is timed.
  void turn(Duration step);
  // Hands every frame the engine sent on `port` to `see` and frees it.
  template <class See>
  void collect(Port port, See&& see) {
    while (rte_mbuf* frame = loop_.sent(port)) {
      wire::TcpFrame parsed;
      parse(frame, parsed);
      see(parsed, frame);
      rte_pktmbuf_free(frame);
    }
  }
  // From now on the models verify the checksums of all that the engine sends, or trust them.
  void verify_checksums(bool on) { verify_ = on && !settings_.offload; }
  // Throws Broken unless nothing was dropped, retransmitted, reset or served as plain TCP.
  void expect_smooth();

  [[nodiscard]] Instant now() const { return now_; }
  // In all turns so far but the interrupted ones.
  [[nodiscard]] std::uint64_t cycles() const { return cycles_; }
  [[nodiscard]] std::uint64_t turns() const { return turns_; }
  [[nodiscard]] std::uint64_t interrupted() const { return interrupted_; }
  [[nodiscard]] Loop& loop() { return loop_; }
  [[nodiscard]] engine::Engine& engine() { return *engine_; }
  [[nodiscard]] rte_mempool* buffers() const { return buffers_; }
  [[nodiscard]] bool offload() const { return settings_.offload; }

 private:
  // A turn that takes longer than 1/4000 s was interrupted by another process: the longest of its own take a
  // tenth of that.
  static constexpr unsigned kInterrupted = 4000;
  void parse(rte_mbuf* frame, wire::TcpFrame& out) const;

  WorldSettings settings_;
  rte_mempool* buffers_;
  std::uint32_t buffer_count_;
  relay::Settings relay_;
  wire::RouteTable routes_;
  engine::HandoffMatrix handoff_{1};
  Loop loop_;
  Instant now_{std::chrono::seconds(1000)};
  std::unique_ptr<engine::Engine> engine_;
  std::uint64_t cycles_ = 0;
  std::uint64_t turns_ = 0;
  std::uint64_t interrupted_ = 0;
  bool verify_ = false;
};

// The counters that are not zero, one a line, for people.
std::string describe(const stats::WorkerStats& stats);

}  // namespace braid::perf
