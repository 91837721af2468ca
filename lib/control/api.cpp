#include "control/api.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "control/api_loop.hpp"

namespace braid::control {

namespace {

std::string because(const std::string& what) { return what + ": " + std::strerror(errno); }

bool make_address(const std::string& path, sockaddr_un& out) {
  if (path.empty() || path.size() >= sizeof out.sun_path) return false;
  out = {};
  out.sun_family = AF_UNIX;
  std::memcpy(out.sun_path, path.c_str(), path.size() + 1);
  return true;
}

// Removes a socket that a dead process left. Nothing when the path is free now, else what is in the way.
std::optional<std::string> clear_path(const std::string& path, const sockaddr_un& address) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) return {};
  if (!S_ISSOCK(info.st_mode)) return path + " exists and is no socket; remove it or set control.socket";
  const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool served =
      probe >= 0 && connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  if (probe >= 0) close(probe);
  if (served) return path + " is served by another process; stop it or set control.socket";
  if (unlink(path.c_str()) != 0) return because("cannot remove the old socket " + path);
  return {};
}

// The listening socket, or -1 with the reason in `wrong`.
int open_listener(const std::string& path, std::string& wrong) {
  sockaddr_un address{};
  if (!make_address(path, address)) {
    wrong = path + " is no path of 1 to 107 bytes";
    return -1;
  }
  std::error_code failed;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), failed);
  if (failed) {
    wrong = "cannot make the directory of " + path + ": " + failed.message();
    return -1;
  }
  if (auto blocked = clear_path(path, address)) {
    wrong = *blocked;
    return -1;
  }
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) {
    wrong = because("cannot open a socket");
    return -1;
  }
  // On Linux the mode of the descriptor becomes that of the path, so there is no moment of wider access.
  const bool bound =
      fchmod(fd, 0600) == 0 && bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  constexpr int kBacklog = 16;
  if (!bound || chmod(path.c_str(), 0600) != 0 || listen(fd, kBacklog) != 0) {
    wrong = because("cannot serve on " + path);
    close(fd);
    if (bound) unlink(path.c_str());
    return -1;
  }
  return fd;
}

}  // namespace

ApiServer::ApiServer(const Sources& sources, SessionSource& sessions)
    : ApiServer(sources, sessions, Times{}) {}

ApiServer::ApiServer(const Sources& sources, SessionSource& sessions, Times times)
    : sources_(sources), sessions_(sessions), times_(times) {}

ApiServer::~ApiServer() { stop(); }

std::optional<std::string> ApiServer::start(const std::string& path) {
  std::string wrong;
  const int fd = open_listener(path, wrong);
  if (fd < 0) return "control.socket: " + wrong;
  path_ = path;
  loop_ = std::make_unique<Loop>(sources_, sessions_, times_, fd);
  if (!loop_->good()) {
    loop_.reset();
    unlink(path.c_str());
    return std::string("control.socket: no descriptor is free");
  }
  thread_ = std::thread([this] { loop_->run(); });
  return {};
}

// The loop's mailboxes stay until the destructor: a worker may still write into one.
void ApiServer::stop() {
  if (!thread_.joinable()) return;
  loop_->ask_to_stop();
  thread_.join();
  loop_->close_all();
  unlink(path_.c_str());
}

}  // namespace braid::control
