// One socket of a script over a stream of the library, as the sockets API of POSIX has it. No call waits;
// where a program would, the result is -EAGAIN.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <deque>
#include <map>
#include <memory>

#include "packetdrill/stack.hpp"

namespace braid::drill {

class Socket final : public tcp::StreamUser, private Backlog {
 public:
  Socket(Stack& stack, bool v4, bool mptcp) : stack_(stack), v4_(v4), mptcp_(mptcp) {}
  ~Socket() override;
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  // Results are those of the system calls, but for errors: -errno.
  int bind(std::uint16_t port);
  int listen(int backlog);
  // -EINPROGRESS: the SYN is sent; finish_connect() tells how it ends.
  int connect(const Endpoint& to, std::uint16_t own_port);
  [[nodiscard]] bool connecting() const;
  int finish_connect();
  // nullptr: none is there.
  std::unique_ptr<Socket> accept();
  [[nodiscard]] bool listening() const { return listening_; }
  ssize_t receive(std::byte* out, std::size_t n, bool peek);
  ssize_t send(const std::byte* bytes, std::size_t n);
  int shutdown(int how);
  // As close(2): with bytes unread, or SO_LINGER of no time, by a reset (RFC 1122 4.2.2.13).
  void close();
  int get_option(int level, int name, void* value, socklen_t* length);
  int set_option(int level, int name, const void* value, socklen_t length);
  // POLLIN, POLLOUT, ... as they are now.
  [[nodiscard]] short events() const;
  [[nodiscard]] std::uint32_t unread() const;
  [[nodiscard]] std::uint32_t unacknowledged() const { return stream_ == nullptr ? 0 : stream_->unfreed(); }
  [[nodiscard]] const Endpoint& peer() const { return peer_; }
  [[nodiscard]] bool v4() const { return v4_; }

  bool blocking = true;

 private:
  void touch(tcp::Context& ctx) override;
  void opening(tcp::Stream& stream, const Endpoint& peer) override;
  [[nodiscard]] bool has_accepted() const;
  [[nodiscard]] std::uint32_t send_room() const;
  [[nodiscard]] bool failed() const {
    return stream_ != nullptr && stream_->state() == tcp::StreamState::failed;
  }
  // The stream's failure as an errno, once; 0: none, or told already.
  int take_error();
  tcp::Segment* make_segment(const std::byte* bytes, std::size_t n);

  Stack& stack_;
  bool v4_;
  bool mptcp_;
  std::uint16_t port_ = 0;
  bool listening_ = false;
  bool opened_ = false;  // the stream was open once
  bool error_told_ = false;
  bool ended_reading_ = false;
  bool ended_writing_ = false;
  bool reset_on_close_ = false;
  std::uint32_t send_buffer_ = 4U << 20;
  std::uint16_t max_segment_ = 0;
  tcp::Stream* stream_ = nullptr;
  Endpoint peer_;
  std::deque<std::unique_ptr<Socket>> backlog_;
  std::map<std::pair<int, int>, int> options_;  // that do nothing but come back
};

}  // namespace braid::drill
