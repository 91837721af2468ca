#include "mirror/netlink.hpp"

#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "mirror/error.hpp"

namespace braid::mirror {

namespace {

constexpr int kReceiveBuffer = 1 << 20;          // bytes; a burst of changes beyond it costs a full dump
using Buffer = std::array<std::uint8_t, 32768>;  // the kernel fills dumps up to 32 KiB per read

// An answer to one request, over several reads. It is read to its end even when the tables have changed
// meanwhile (mnl_cb_run would stop there, and the rest would pass for the answer to the next request).
class Answer {
 public:
  Answer(std::uint32_t sequence, const Netlink::Visit& visit) : sequence_(sequence), visit_(visit) {}

  void take(const void* data, int left) {
    const auto* message = static_cast<const nlmsghdr*>(data);
    for (; !complete_ && mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
      if (message->nlmsg_seq != sequence_) continue;  // left over from a request that failed
      if ((message->nlmsg_flags & NLM_F_DUMP_INTR) != 0) error_ = EINTR;
      if (message->nlmsg_type == NLMSG_ERROR) {
        error_ = -static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(message))->error;
        complete_ = true;
      } else if (message->nlmsg_type == NLMSG_DONE) {
        complete_ = true;
      } else {
        visit_(message);
        complete_ = (message->nlmsg_flags & NLM_F_MULTI) == 0;
      }
    }
  }
  [[nodiscard]] bool complete() const { return complete_; }
  [[nodiscard]] int error() const { return error_; }

 private:
  std::uint32_t sequence_;
  const Netlink::Visit& visit_;
  bool complete_ = false;
  int error_ = 0;
};

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
