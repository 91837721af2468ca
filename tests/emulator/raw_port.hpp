// A network device as a port of a world in real time: frames in and out by a packet socket (packet(7)).
#pragma once

#include <cstdint>
#include <string>

#include "kit/link.hpp"

namespace braid::emulator {

class RawPort final : public kit::Device {
 public:
  // Throws std::system_error that names the device.
  explicit RawPort(const std::string& device);
  ~RawPort() override;
  RawPort(const RawPort&) = delete;
  RawPort& operator=(const RawPort&) = delete;

  void attach(kit::Link& link) { link_ = &link; }
  // Gives the link what has come in, a bounded number of frames. True: there may be more.
  bool receive();
  void take(Instant now, unsigned port, kit::Packet packet) override;

  [[nodiscard]] int fd() const { return fd_; }
  // Frames that the device had no room for.
  [[nodiscard]] std::uint64_t refused() const { return refused_; }

 private:
  kit::Link* link_ = nullptr;
  int fd_ = -1;
  std::uint64_t refused_ = 0;
};

}  // namespace braid::emulator
