#include "mirror/netlink.hpp"

#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "mirror/answer.hpp"
#include "mirror/error.hpp"

namespace braid::mirror {

namespace {

constexpr int kReceiveBuffer = 1 << 20;          // bytes; a burst of changes beyond it costs a full dump
using Buffer = std::array<std::uint8_t, 32768>;  // the kernel fills dumps up to 32 KiB per read

int show(const nlmsghdr* message, void* visit) {
  (*static_cast<const Netlink::Visit*>(visit))(message);
  return MNL_CB_OK;
}

}  // namespace

Netlink::Netlink(unsigned groups) {
  socket_ = mnl_socket_open2(NETLINK_ROUTE, groups != 0 ? SOCK_CLOEXEC | SOCK_NONBLOCK : SOCK_CLOEXEC);
  if (socket_ == nullptr) throw Error(std::string("cannot open rtnetlink: ") + std::strerror(errno));
  if (mnl_socket_bind(socket_, groups, MNL_SOCKET_AUTOPID) < 0) {
    const int error = errno;
    mnl_socket_close(socket_);
    throw Error(std::string("cannot bind rtnetlink: ") + std::strerror(error));
  }
  setsockopt(fd(), SOL_SOCKET, SO_RCVBUF, &kReceiveBuffer, sizeof kReceiveBuffer);
}

Netlink::~Netlink() { mnl_socket_close(socket_); }

int Netlink::fd() const { return mnl_socket_get_fd(socket_); }

int Netlink::ask(Request request) {
  return ask_all(request, [](const nlmsghdr*) {});
}

int Netlink::ask_all(Request request, const Visit& visit) {
  nlmsghdr* message = request.header();
  message->nlmsg_seq = ++sequence_;
  if (mnl_socket_sendto(socket_, message, message->nlmsg_len) < 0) return errno;
  Answer answer(sequence_, visit);
  alignas(8) Buffer buffer;
  while (!answer.complete()) {
    const ssize_t n = mnl_socket_recvfrom(socket_, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    answer.take(buffer.data(), static_cast<int>(n));
  }
  return answer.error();
}

int Netlink::receive(const Visit& visit) {
  alignas(8) Buffer buffer;
  for (;;) {
    const ssize_t n = mnl_socket_recvfrom(socket_, buffer.data(), buffer.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : errno;
    }
    mnl_cb_run(buffer.data(), static_cast<std::size_t>(n), 0, 0, show, const_cast<Visit*>(&visit));
  }
}

}  // namespace braid::mirror
