#include "packetdrill/socket.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "wire/checksum.hpp"

namespace braid::drill {

using tcp::Failure;
using tcp::StreamState;

Socket::~Socket() { close(); }

void Socket::touch(tcp::Context&) {
  if (stream_ == nullptr) return;
  opened_ = opened_ || stream_->state() == StreamState::open || stream_->state() == StreamState::closed;
}

void Socket::opening(tcp::Stream& stream, const Endpoint& peer) {
  auto s = std::make_unique<Socket>(stack_, v4_, mptcp_);
  s->stream_ = &stream;
  s->peer_ = peer;
  s->options_ = options_;
  s->send_buffer_ = send_buffer_;
  stream.user = s.get();
  backlog_.push_back(std::move(s));
}

int Socket::bind(std::uint16_t port) {
  port_ = port;
  return 0;
}

int Socket::listen(int) {
  stack_.listen(port_, mptcp_, *this);
  listening_ = true;
  return 0;
}

int Socket::connect(const Endpoint& to, std::uint16_t own_port) {
  if (stream_ != nullptr) return connecting() ? -EALREADY : -EISCONN;
  peer_ = to;
  // The option's value is the MSS to be sent, which counts no options; Braid leaves room for timestamps.
  const auto payload = static_cast<std::uint16_t>(max_segment_ == 0 ? 0 : max_segment_ - 12);
  stream_ = stack_.connect(to, port_ != 0 ? port_ : own_port, mptcp_, payload);
  stream_->user = this;
  return -EINPROGRESS;
}

bool Socket::connecting() const { return stream_ != nullptr && stream_->state() == StreamState::opening; }

int Socket::finish_connect() { return failed() ? -take_error() : 0; }

bool Socket::has_accepted() const {
  return std::any_of(backlog_.begin(), backlog_.end(), [](const auto& s) { return s->opened_; });
}

std::unique_ptr<Socket> Socket::accept() {
  const auto it = std::find_if(backlog_.begin(), backlog_.end(), [](const auto& s) { return s->opened_; });
  if (it == backlog_.end()) return nullptr;
  std::unique_ptr<Socket> s = std::move(*it);
  backlog_.erase(it);
  return s;
}

int Socket::take_error() {
  if (!failed() || std::exchange(error_told_, true)) return 0;
  switch (stream_->failure()) {
    case Failure::none:
      return 0;
    case Failure::refused:
      return ECONNREFUSED;
    case Failure::reset:
      return opened_ && stream_->peer_finished() ? EPIPE : ECONNRESET;
    case Failure::timed_out:
      return ETIMEDOUT;
    case Failure::unreachable:
      return EHOSTUNREACH;
    case Failure::aborted:
      return ECONNABORTED;
    case Failure::internal:
      return EIO;
  }
  return EIO;
}

ssize_t Socket::receive(std::byte* out, std::size_t n, bool peek) {
  if (stream_ == nullptr) return -ENOTCONN;
  std::size_t got = 0;
  for (tcp::Segment* s = stream_->inbox().front(); s != nullptr && got < n;) {
    const auto part = static_cast<std::uint16_t>(std::min<std::size_t>(s->length, n - got));
    std::memcpy(out + got, tcp::payload_of(*s), part);
    got += part;
    tcp::Segment* const next = s->next;
    if (!peek && part == s->length) {
      stream_->inbox().pop_front();
      tcp::free_segment(*s);
    } else if (!peek) {
      tcp::trim_front(*s, part);
    }
    s = next;
  }
  if (got != 0 && !peek) stream_->consume(stack_.context(), static_cast<std::uint32_t>(got));
  if (got != 0 || n == 0) return static_cast<ssize_t>(got);
  if (const int error = take_error(); error != 0) return -error;
  return ended_reading_ || stream_->peer_finished() || failed() || stream_->state() == StreamState::closed
             ? 0
             : -EAGAIN;
}

std::uint32_t Socket::send_room() const {
  const std::uint32_t kept = stream_->unfreed();
  return kept < send_buffer_ ? send_buffer_ - kept : 0;
}

tcp::Segment* Socket::make_segment(const std::byte* bytes, std::size_t n) {
  rte_mbuf* m = rte_pktmbuf_alloc(stack_.context().buffers);
  if (m == nullptr) return nullptr;
  tcp::Segment& s = tcp::segment_of(m);
  s = tcp::Segment{};
  s.payload_offset = static_cast<std::uint16_t>(m->data_off + wire::kMaxHeaders - 64);
  s.length = static_cast<std::uint16_t>(n);
  std::memcpy(tcp::payload_of(s), bytes, n);
  s.sum = wire::ones_sum({tcp::payload_of(s), n});
  return &s;
}

ssize_t Socket::send(const std::byte* bytes, std::size_t n) {
  if (stream_ == nullptr) return -EPIPE;
  if (const int error = take_error(); error != 0) return -error;
  if (ended_writing_ || failed()) return -EPIPE;
  if (connecting()) return -EAGAIN;
  tcp::SegmentQueue queue;
  std::size_t put = 0;
  const std::size_t most = std::min<std::size_t>(n, send_room());
  while (put < most) {
    tcp::Segment* s = make_segment(bytes + put, std::min<std::size_t>(stream_->segment_room(), most - put));
    if (s == nullptr) break;
    put += s->length;
    queue.push_back(*s);
  }
  if (!queue.empty()) stream_->write(stack_.context(), queue);
  return put != 0 || n == 0 ? static_cast<ssize_t>(put) : -EAGAIN;
}

int Socket::shutdown(int how) {
  if (stream_ == nullptr || failed()) return -ENOTCONN;
  if (how == SHUT_RD || how == SHUT_RDWR) ended_reading_ = true;
  if (how == SHUT_WR || how == SHUT_RDWR) {
    ended_writing_ = true;
    stream_->shutdown(stack_.context());
  }
  return 0;
}

void Socket::close() {
  if (std::exchange(listening_, false)) stack_.unlisten(port_);
  backlog_.clear();
  tcp::Stream* s = std::exchange(stream_, nullptr);
  if (s == nullptr) return;
  tcp::Context& ctx = stack_.context();
  if (s->state() == StreamState::opening || reset_on_close_ || !s->inbox().empty()) {
    s->abort(ctx);
  } else if (s->state() == StreamState::open) {
    s->shutdown(ctx);
  }
  s->release(ctx);
}

std::uint32_t Socket::unread() const {
  std::uint32_t n = 0;
  if (stream_ != nullptr)
    for (const tcp::Segment* s = stream_->inbox().front(); s != nullptr; s = s->next) n += s->length;
  return n;
}

short Socket::events() const {
  int e = 0;
  if (listening_) return has_accepted() ? POLLIN : 0;
  if (stream_ == nullptr) return POLLOUT | POLLHUP;
  if (connecting()) return 0;
  const bool peer_ended = stream_->peer_finished() || failed();
  if (!stream_->inbox().empty() || peer_ended || ended_reading_) e |= POLLIN | POLLRDNORM;
  if (peer_ended || ended_reading_) e |= POLLRDHUP;
  if (failed() || send_room() >= send_buffer_ / 3 || ended_writing_) e |= POLLOUT | POLLWRNORM;
  if (failed() || ((peer_ended || ended_reading_) && ended_writing_)) e |= POLLHUP;
  if (failed() && !error_told_) e |= POLLERR;
  return static_cast<short>(e);
}

int Socket::get_option(int level, int name, void* value, socklen_t* length) {
  int v = 0;
  if (level == SOL_SOCKET && name == SO_ERROR) {
    v = take_error();
  } else if (level == SOL_SOCKET && name == SO_SNDBUF) {
    v = static_cast<int>(send_buffer_);
  } else if (level == IPPROTO_TCP && name == TCP_MAXSEG) {
    v = stream_ != nullptr ? stream_->segment_room() : max_segment_ != 0 ? max_segment_ : 536;
  } else if (const auto it = options_.find({level, name}); it != options_.end()) {
    v = it->second;
  } else {
    return -ENOPROTOOPT;
  }
  *length = std::min<socklen_t>(*length, sizeof v);
  std::memcpy(value, &v, *length);
  return 0;
}

int Socket::set_option(int level, int name, const void* value, socklen_t length) {
  if (level == SOL_SOCKET && name == SO_LINGER) {
    linger l{};
    std::memcpy(&l, value, std::min<std::size_t>(length, sizeof l));
    reset_on_close_ = l.l_onoff != 0 && l.l_linger == 0;
    return 0;
  }
  int v = 0;
  std::memcpy(&v, value, std::min<std::size_t>(length, sizeof v));
  if (level == SOL_SOCKET && name == SO_SNDBUF) {
    send_buffer_ = 2 * static_cast<std::uint32_t>(v);  // as Linux does it, and scripts expect
    return 0;
  }
  if (level == IPPROTO_TCP && name == TCP_MAXSEG) {
    if (v < 88 || v > 32767) return -EINVAL;
    max_segment_ = static_cast<std::uint16_t>(v);
    return 0;
  }
  const bool known =
      (level == SOL_SOCKET && (name == SO_REUSEADDR || name == SO_RCVBUF)) ||
      (level == IPPROTO_TCP && name == TCP_NODELAY) ||
      (level == IPPROTO_IP && (name == IP_TOS || name == IP_MTU_DISCOVER || name == IP_FREEBIND));
  if (!known) return -ENOPROTOOPT;
  options_[{level, name}] = v;
  return 0;
}

}  // namespace braid::drill
