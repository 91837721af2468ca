// The ports of one engine without a world behind them, for floods of more packets than links should carry:
// hands out what it was given, a burst a turn, and weighs what is sent.
#pragma once

#include <deque>
#include <functional>

#include "engine/engine.hpp"
#include "kit/packet.hpp"
#include "wire/frame.hpp"

namespace braid::kit {

class BurstIo final : public engine::Io {
 public:
  struct Weight {
    std::uint64_t frames = 0;
    std::uint64_t bytes = 0;
  };

  explicit BurstIo(unsigned ports) : ports_(ports) {}
  ~BurstIo() override;
  BurstIo(const BurstIo&) = delete;
  BurstIo& operator=(const BurstIo&) = delete;

  // A frame that waits at port 0. False: no buffer.
  bool give(const Packet& packet);
  [[nodiscard]] bool empty() const { return queue_.empty(); }

  Weight in, out;
  // Sees each segment sent.
  std::function<void(const wire::TcpFrame&)> look{};

  [[nodiscard]] unsigned ports() const override { return ports_; }
  unsigned receive(unsigned port, rte_mbuf** frames, unsigned max) override;
  unsigned transmit(unsigned port, rte_mbuf** frames, unsigned count) override;
  bool punt(unsigned port, rte_mbuf* frame) override;
  bool resolve(const wire::Hop& hop, rte_mbuf* frame) override;

 private:
  unsigned ports_;
  std::deque<rte_mbuf*> queue_;
};

}  // namespace braid::kit
