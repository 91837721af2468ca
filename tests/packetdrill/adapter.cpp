// packetdrill's calls, on sockets in virtual time. Descriptors are real ones, of /dev/null, because
// packetdrill itself closes those that a script leaves open.
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <sstream>
#include <string>

#include "packetdrill/clock.hpp"
#include "packetdrill/interface.hpp"
#include "packetdrill/socket.hpp"

namespace braid::drill {

namespace {

constexpr int kMptcp = 262;  // IPPROTO_MPTCP
// A packet that a script expects and that does not come within this time will not come.
constexpr Duration kPatience = std::chrono::seconds(300);

struct State {
  explicit State(const Settings& settings) : stack(settings) {}
  Stack stack;
  Clock clock{stack};
  std::map<int, std::unique_ptr<Socket>> sockets{};
  std::uint16_t next_port = 40000;

  Socket* find(int fd) {
    const auto it = sockets.find(fd);
    return it == sockets.end() ? nullptr : it->second.get();
  }
  int add(std::unique_ptr<Socket> s) {
    const int fd = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fd >= 0) sockets[fd] = std::move(s);
    return fd;
  }
};

// From -errno to what a system call returns.
template <class Result>
Result give(Result r) {
  if (r >= 0) return r;
  errno = static_cast<int>(-r);
  return -1;
}

// Runs `work` on the socket with the lock held, and lets its effects happen.
template <class Work>
auto with(void* state, int fd, const Work& work)
    -> decltype(work(std::declval<State&>(), std::declval<Socket&>(), std::declval<Clock::Lock&>())) {
  auto& s = *static_cast<State*>(state);
  Clock::Lock lock = s.clock.lock();
  Socket* socket = s.find(fd);
  if (socket == nullptr) {
    errno = EBADF;
    return -1;
  }
  const auto r = work(s, *socket, lock);
  s.clock.settle(lock);
  lock.unlock();
  return give(r);
}

Endpoint endpoint_of(const sockaddr* a) {
  if (a->sa_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, a, sizeof in);
    return {Ip::v4(ntohl(in.sin_addr.s_addr)), ntohs(in.sin_port)};
  }
  sockaddr_in6 in{};
  std::memcpy(&in, a, sizeof in);
  const auto half = [&](unsigned at) {
    return load_be<std::uint64_t>(reinterpret_cast<const std::byte*>(in.sin6_addr.s6_addr) + at);
  };
  return {Ip::v6(half(0), half(8)), ntohs(in.sin6_port)};
}

void put_endpoint(const Endpoint& e, bool v4, sockaddr* out, socklen_t* length) {
  if (out == nullptr || length == nullptr) return;
  if (v4) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(e.port);
    in.sin_addr.s_addr = htonl(e.ip.v4());
    *length = sizeof in;
    std::memcpy(out, &in, sizeof in);
    return;
  }
  sockaddr_in6 in{};
  in.sin6_family = AF_INET6;
  in.sin6_port = htons(e.port);
  auto* bytes = reinterpret_cast<std::byte*>(in.sin6_addr.s6_addr);
  store_be<std::uint64_t>(bytes, e.ip.hi);
  store_be<std::uint64_t>(bytes + 8, e.ip.lo);
  *length = sizeof in;
  std::memcpy(out, &in, sizeof in);
}

// ---- sockets ----

int do_socket(void* state, int domain, int type, int protocol) {
  auto& s = *static_cast<State*>(state);
  Clock::Lock lock = s.clock.lock();
  if (domain != AF_INET && domain != AF_INET6) return give(-EAFNOSUPPORT);
  if ((type & 0xf) != SOCK_STREAM || (protocol != 0 && protocol != IPPROTO_TCP && protocol != kMptcp))
    return give(-EPROTONOSUPPORT);
  auto socket = std::make_unique<Socket>(s.stack, domain == AF_INET, protocol == kMptcp);
  socket->blocking = (type & SOCK_NONBLOCK) == 0;
  return s.add(std::move(socket));
}

int do_bind(void* state, int fd, const sockaddr* address, socklen_t) {
  return with(state, fd,
              [&](State&, Socket& socket, Clock::Lock&) { return socket.bind(endpoint_of(address).port); });
}

int do_listen(void* state, int fd, int backlog) {
  return with(state, fd, [&](State&, Socket& socket, Clock::Lock&) { return socket.listen(backlog); });
}

int do_accept(void* state, int fd, sockaddr* address, socklen_t* length) {
  return with(state, fd, [&](State& s, Socket& socket, Clock::Lock& lock) {
    if (!socket.listening()) return -EINVAL;
    std::unique_ptr<Socket> made = socket.accept();
    if (made == nullptr && socket.blocking)
      s.clock.wait(lock, [&] { return made != nullptr || (made = socket.accept()) != nullptr; });
    if (made == nullptr) return -EAGAIN;
    put_endpoint(made->peer(), made->v4(), address, length);
    return s.add(std::move(made));
  });
}

int do_connect(void* state, int fd, const sockaddr* address, socklen_t) {
  return with(state, fd, [&](State& s, Socket& socket, Clock::Lock& lock) {
    const int r = socket.connect(endpoint_of(address), s.next_port);
    if (r != -EINPROGRESS) return r;
    ++s.next_port;
    if (!socket.blocking) return r;
    return s.clock.wait(lock, [&] { return !socket.connecting(); }) ? socket.finish_connect() : -ETIMEDOUT;
  });
}

ssize_t receive(State& s, Socket& socket, Clock::Lock& lock, void* out, size_t n, int flags) {
  ssize_t r = -EAGAIN;
  const auto again = [&] {
    r = socket.receive(static_cast<std::byte*>(out), n, (flags & MSG_PEEK) != 0);
    return r != -EAGAIN;
  };
  if (!again() && socket.blocking && (flags & MSG_DONTWAIT) == 0)
    // What was taken out while the wait ended must not be asked for again.
    s.clock.wait(lock, [&] { return r != -EAGAIN || again(); });
  return r;
}

ssize_t do_recv(void* state, int fd, void* out, size_t n, int flags) {
  return with(state, fd, [&](State& s, Socket& socket, Clock::Lock& lock) {
    return receive(s, socket, lock, out, n, flags);
  });
}

ssize_t do_read(void* state, int fd, void* out, size_t n) { return do_recv(state, fd, out, n, 0); }

ssize_t do_recvfrom(void* state, int fd, void* out, size_t n, int flags, sockaddr*, socklen_t*) {
  return do_recv(state, fd, out, n, flags);
}

ssize_t scatter(void* state, int fd, const iovec* parts, std::size_t count, int flags) {
  return with(state, fd, [&](State& s, Socket& socket, Clock::Lock& lock) -> ssize_t {
    ssize_t sum = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const ssize_t r = receive(s, socket, lock, parts[i].iov_base, parts[i].iov_len,
                                sum != 0 ? flags | MSG_DONTWAIT : flags);
      if (r < 0) return sum != 0 ? sum : r;
      sum += r;
      if (static_cast<size_t>(r) < parts[i].iov_len) break;
    }
    return sum;
  });
}

ssize_t do_readv(void* state, int fd, const iovec* parts, int count) {
  return scatter(state, fd, parts, static_cast<std::size_t>(count), 0);
}

ssize_t do_recvmsg(void* state, int fd, msghdr* message, int flags) {
  message->msg_controllen = 0;
  message->msg_flags = 0;
  return scatter(state, fd, message->msg_iov, message->msg_iovlen, flags);
}

ssize_t send_all(State& s, Socket& socket, Clock::Lock& lock, const void* bytes, size_t n, int flags) {
  std::size_t put = 0;
  ssize_t error = 0;
  const auto more = [&] {
    if (error == 0 && put < n) {
      const ssize_t r = socket.send(static_cast<const std::byte*>(bytes) + put, n - put);
      if (r > 0) put += static_cast<std::size_t>(r);
      if (r < 0 && r != -EAGAIN) error = r;
    }
    return error != 0 || put == n;
  };
  const bool wait = socket.blocking && (flags & MSG_DONTWAIT) == 0;
  if (n == 0) return socket.send(nullptr, 0);
  if (!more() && wait) s.clock.wait(lock, more);
  if (put != 0) return static_cast<ssize_t>(put);
  return error != 0 ? error : -EAGAIN;
}

ssize_t do_send(void* state, int fd, const void* bytes, size_t n, int flags) {
  return with(state, fd, [&](State& s, Socket& socket, Clock::Lock& lock) {
    return send_all(s, socket, lock, bytes, n, flags);
  });
}

ssize_t do_write(void* state, int fd, const void* bytes, size_t n) { return do_send(state, fd, bytes, n, 0); }

ssize_t do_sendto(void* state, int fd, const void* bytes, size_t n, int flags, const sockaddr* to,
                  socklen_t) {
  return to != nullptr && (flags & MSG_FASTOPEN) != 0 ? give(ssize_t{-EOPNOTSUPP})
                                                      : do_send(state, fd, bytes, n, flags);
}

ssize_t gather(void* state, int fd, const iovec* parts, std::size_t count, int flags) {
  std::string all;
  for (std::size_t i = 0; i < count; ++i)
    all.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
  return do_send(state, fd, all.data(), all.size(), flags);
}

ssize_t do_writev(void* state, int fd, const iovec* parts, int count) {
  return gather(state, fd, parts, static_cast<std::size_t>(count), 0);
}

ssize_t do_sendmsg(void* state, int fd, const msghdr* message, int flags) {
  return gather(state, fd, message->msg_iov, message->msg_iovlen, flags);
}

int do_fcntl(void* state, int fd, int command, ...) {
  va_list list;
  va_start(list, command);
  const int value = command == F_SETFL ? va_arg(list, int) : 0;
  va_end(list);
  return with(state, fd, [&](State&, Socket& socket, Clock::Lock&) {
    if (command == F_GETFL) return O_RDWR | (socket.blocking ? 0 : O_NONBLOCK);
    if (command != F_SETFL) return -EINVAL;
    socket.blocking = (value & O_NONBLOCK) == 0;
    return 0;
  });
}

int do_ioctl(void* state, int fd, unsigned long request, ...) {
  va_list list;
  va_start(list, request);
  int* out = va_arg(list, int*);
  va_end(list);
  return with(state, fd, [&](State&, Socket& socket, Clock::Lock&) {
    if (request != SIOCINQ && request != SIOCOUTQ) return -EINVAL;
    *out = static_cast<int>(request == SIOCINQ ? socket.unread() : socket.unacknowledged());
    return 0;
  });
}

int do_close(void* state, int fd) {
  const int r = with(state, fd, [&](State& s, Socket&, Clock::Lock&) {
    s.sockets.erase(fd);
    return 0;
  });
  if (r == 0) ::close(fd);
  return r;
}

int do_shutdown(void* state, int fd, int how) {
  return with(state, fd, [&](State&, Socket& socket, Clock::Lock&) { return socket.shutdown(how); });
}

int do_getsockopt(void* state, int fd, int level, int name, void* value, socklen_t* length) {
  return with(state, fd, [&](State&, Socket& socket, Clock::Lock&) {
    return socket.get_option(level, name, value, length);
  });
}

int do_setsockopt(void* state, int fd, int level, int name, const void* value, socklen_t length) {
  return with(state, fd, [&](State&, Socket& socket, Clock::Lock&) {
    return socket.set_option(level, name, value, length);
  });
}

int do_poll(void* state, pollfd* fds, nfds_t count, int timeout) {
  auto& s = *static_cast<State*>(state);
  Clock::Lock lock = s.clock.lock();
  int ready = 0;
  const auto look = [&] {
    ready = 0;
    for (nfds_t i = 0; i < count; ++i) {
      const Socket* socket = s.find(fds[i].fd);
      const int wanted = fds[i].events | POLLERR | POLLHUP | POLLNVAL;
      fds[i].revents = static_cast<short>(socket == nullptr ? POLLNVAL : socket->events() & wanted);
      if (fds[i].revents != 0) ++ready;
    }
    return ready != 0;
  };
  if (!look() && timeout != 0) {
    const Instant limit = timeout < 0 ? kNever : s.stack.now() + std::chrono::milliseconds(timeout);
    s.clock.wait(lock, look, limit);
  }
  return ready;
}

// ---- packets and time ----

int do_netdev_send(void* state, const void* bytes, size_t n) {
  auto& s = *static_cast<State*>(state);
  Clock::Lock lock = s.clock.lock();
  s.stack.receive({static_cast<const std::byte*>(bytes), n});
  s.clock.settle(lock);
  return 0;
}

int do_netdev_receive(void* state, void* out, size_t* size, long long* time_usecs) {
  auto& s = *static_cast<State*>(state);
  Clock::Lock lock = s.clock.lock();
  if (!s.clock.pass_until_sent(lock, kPatience)) {
    std::fputs("no packet comes that the script expects\n", stderr);
    *size = 0;
    return 0;
  }
  const auto sent = s.stack.take_sent();
  *size = std::min(*size, sent->packet.size());
  std::memcpy(out, sent->packet.data(), *size);
  *time_usecs = sent->at.time_since_epoch().count() / 1000;
  return 0;
}

int do_usleep(void* state, useconds_t usec) {
  auto& s = *static_cast<State*>(state);
  Clock::Lock lock = s.clock.lock();
  s.clock.pass(lock, std::chrono::microseconds(usec));
  return 0;
}

int do_gettimeofday(void* state, timeval* tv, struct timezone*) {
  auto& s = *static_cast<State*>(state);
  Clock::Lock lock = s.clock.lock();
  const auto us = s.clock.read(lock).time_since_epoch().count() / 1000;
  tv->tv_sec = us / 1'000'000;
  tv->tv_usec = us % 1'000'000;
  return 0;
}

// ---- what Braid has nothing to show for ----

int do_epoll_create(void*, int) { return give(-ENOSYS); }
int do_epoll_ctl(void*, int, int, int, epoll_event*) { return give(-ENOSYS); }
int do_epoll_wait(void*, int, epoll_event*, int, int) { return give(-ENOSYS); }
int do_pipe(void*, int*) { return give(-ENOSYS); }
int do_splice(void*, int, off64_t*, int, off64_t*, size_t, unsigned) { return give(-ENOSYS); }

// Names of what --so_flags sets: words with commas between them.
void read_flag(const std::string& word, Settings& out) {
  const auto equals = word.find('=');
  const std::string name = word.substr(0, equals);
  const std::string value = equals == std::string::npos ? "" : word.substr(equals + 1);
  const auto ip = parse_ip(value);
  if (name == "local" && ip) {
    (ip->is_v4() ? out.local_v4 : out.local_v6) = *ip;
  } else if (name == "announce" && ip) {
    out.announce.push_back({*ip, 0});
  } else if (name == "mtu") {
    out.mtu = static_cast<std::uint16_t>(std::stoul(value));
  } else if (name == "reno") {
    out.congestion = tcp::CongestionKind::newreno;
  } else if (name == "ecn") {
    out.ecn = true;
  } else if (name == "checksum") {
    out.checksum = true;
  } else if (name == "no-stamps") {
    out.stamps = false;
  } else if (!name.empty()) {
    std::fprintf(stderr, "--so_flags: nobody knows '%s'\n", word.c_str());
    std::exit(2);
  }
}

Settings read_flags(const char* flags) {
  Settings out;
  std::istringstream in(flags != nullptr ? flags : "");
  for (std::string word; std::getline(in, word, ',');) read_flag(word, out);
  return out;
}

}  // namespace

}  // namespace braid::drill

extern "C" __attribute__((visibility("default"))) void packetdrill_interface_init(
    const char* flags, braid::drill::Interface* out) {
  using namespace braid::drill;
  unsetenv("LD_PRELOAD");  // the shells that packetdrill starts for a script's commands need nothing of this
  *out = {.state = new State(read_flags(flags)),
          .free = [](void* state) { delete static_cast<State*>(state); },
          .socket = do_socket,
          .bind = do_bind,
          .listen = do_listen,
          .accept = do_accept,
          .connect = do_connect,
          .read = do_read,
          .readv = do_readv,
          .recv = do_recv,
          .recvfrom = do_recvfrom,
          .recvmsg = do_recvmsg,
          .write = do_write,
          .writev = do_writev,
          .send = do_send,
          .sendto = do_sendto,
          .sendmsg = do_sendmsg,
          .fcntl = do_fcntl,
          .ioctl = do_ioctl,
          .close = do_close,
          .shutdown = do_shutdown,
          .getsockopt = do_getsockopt,
          .setsockopt = do_setsockopt,
          .poll = do_poll,
          .netdev_send = do_netdev_send,
          .netdev_receive = do_netdev_receive,
          .usleep = do_usleep,
          .gettimeofday = do_gettimeofday,
          .epoll_create = do_epoll_create,
          .epoll_ctl = do_epoll_ctl,
          .epoll_wait = do_epoll_wait,
          .pipe = do_pipe,
          .splice = do_splice};
}
