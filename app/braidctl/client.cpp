#include "braidctl/client.hpp"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace braidctl {

Client::~Client() {
  if (fd_ >= 0) close(fd_);
}

std::optional<std::string> Client::connect(const std::string& path) {
  sockaddr_un address{};
  if (path.empty() || path.size() >= sizeof address.sun_path)
    return "--socket: " + path + " is no path of 1 to 107 bytes";
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return std::string("cannot open a socket: ") + std::strerror(errno);
  const timeval silence{kSilence, 0};
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof silence);
  setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &silence, sizeof silence);
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return {};
  const int reason = errno;
  std::string help;
  if (reason == ENOENT || reason == ECONNREFUSED) {
    help = "; does braidd run, and is this its control.socket? (--socket PATH)";
  } else if (reason == EACCES || reason == EPERM) {
    help = "; only root and the user braidd runs as may ask";
  }
  return "cannot reach braidd at " + path + ": " + std::strerror(reason) + help;
}

bool Client::ask(const std::string& command) {
  const auto line = R"({"v":1,"cmd":")" + command + "\"}\n";
  std::size_t sent = 0;
  while (sent < line.size()) {
    const auto n = send(fd_, line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    // A server that refuses at once may have closed already; its answer can still be read.
    if (n <= 0) return errno == EPIPE || errno == ECONNRESET;
    sent += static_cast<std::size_t>(n);
  }
  return true;
}

std::optional<std::string> Client::next() {
  while (true) {
    const auto end = in_.find('\n', scanned_);
    if (end != std::string::npos) {
      std::string line = in_.substr(0, end);
      in_.erase(0, end + 1);
      scanned_ = 0;
      return line;
    }
    scanned_ = in_.size();
    char buffer[65536];
    const auto n = recv(fd_, buffer, sizeof buffer, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return {};
    in_.append(buffer, static_cast<std::size_t>(n));
  }
}

}  // namespace braidctl
