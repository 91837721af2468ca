// Plain TCP servers without a stack: they answer what the engine sends, and send as fast as they are asked
// to.
#pragma once

#include <vector>

#include "frame_maker.hpp"

namespace braid::perf {

class Servers {
 public:
  // `count`: as in WorldSettings. `response`: bytes that answer each request; 0: requests are only
  // acknowledged.
  Servers(World& world, unsigned count, std::uint16_t response);

  void see(const wire::TcpFrame& frame);
  // Sends one segment of `length` bytes on the `index`-th connection; false: its window is full. The first
  // eight bytes are the segment's offset in the stream.
  bool send(std::size_t index, std::uint16_t length);
  // Connections established so far.
  [[nodiscard]] std::size_t established() const { return order_.size(); }

 private:
  struct Connection {
    SubSeq next, unacknowledged, received;
    std::uint64_t sent = 0;  // bytes
    std::uint32_t window = 0;
    std::uint32_t echo = 0;  // TSecr
    std::uint16_t port = 0;
    std::uint8_t server = 0;
    std::uint8_t scale = 0;
    bool known = false;
    bool open = false;
  };
  Connection& of(const Flow& flow);
  void answer(Connection& c, std::uint8_t flags, ByteView payload);

  World& world_;
  FrameMaker maker_;
  std::vector<Connection> connections_;  // by server and the engine's port
  std::vector<std::size_t> order_;       // of establishment
  std::vector<std::byte> payload_;
  std::uint16_t response_;
};

}  // namespace braid::perf
