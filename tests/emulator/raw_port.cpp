#include "raw_port.hpp"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace braid::emulator {

namespace {
constexpr unsigned kFrames = 64;      // in one go
constexpr std::size_t kFrame = 4096;  // largest frame
constexpr int kSocketBuffer = 4 << 20;

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}
}  // namespace

RawPort::RawPort(const std::string& device) {
  sockaddr_ll at{};
  at.sll_family = AF_PACKET;
  at.sll_protocol = htons(ETH_P_ALL);
  at.sll_ifindex = static_cast<int>(if_nametoindex(device.c_str()));
  if (at.sll_ifindex == 0) fail("device " + device);
  fd_ = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);  // nothing comes before it is bound
  if (fd_ < 0) fail("packet socket for " + device);
  const int on = 1;
  setsockopt(fd_, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on);
  setsockopt(fd_, SOL_SOCKET, SO_RCVBUFFORCE, &kSocketBuffer, sizeof kSocketBuffer);
  setsockopt(fd_, SOL_SOCKET, SO_SNDBUFFORCE, &kSocketBuffer, sizeof kSocketBuffer);
  if (bind(fd_, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) fail("packet socket on " + device);
}

RawPort::~RawPort() { close(fd_); }

bool RawPort::receive() {
  std::array<std::byte, kFrame> frame;
  for (unsigned n = 0; n < kFrames; ++n) {
    const ssize_t length = recv(fd_, frame.data(), frame.size(), 0);
    if (length <= 0) return false;  // also when the device is down: it may come back
    link_->send(*this, 0, kit::Packet(frame.begin(), frame.begin() + length));
  }
  return true;
}

void RawPort::take(Instant /*now*/, unsigned /*port*/, kit::Packet packet) {
  if (send(fd_, packet.data(), packet.size(), 0) < 0) ++refused_;
}

}  // namespace braid::emulator
