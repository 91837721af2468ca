// A TCP connection as a stream: the server leg of every relay, and the client leg of a client without MPTCP.
#pragma once

#include "tcp/connection.hpp"
#include "tcp/stream.hpp"

namespace braid::tcp {

class PlainStream final : public Connection, public Stream {
 public:
  using Connection::Connection;
  ~PlainStream() override { inbox_.free_all(); }

  [[nodiscard]] StreamState state() const override;
  [[nodiscard]] Failure failure() const override { return failure_; }
  SegmentQueue& inbox() override { return inbox_; }
  void consume(Context& ctx, std::uint32_t bytes) override;
  [[nodiscard]] bool peer_finished() const override { return peer_finished_; }
  void write(Context& ctx, SegmentQueue& segments) override;
  std::uint32_t take_freed() override { return std::exchange(freed_, 0); }
  [[nodiscard]] std::uint32_t unfreed() const override { return unfreed_; }
  [[nodiscard]] std::uint32_t freed() const override { return freed_; }
  [[nodiscard]] std::uint32_t held() const override { return held_; }
  [[nodiscard]] std::uint32_t round_trip() const override { return rtt().srtt(); }
  void shutdown(Context& ctx) override { finish(ctx); }
  [[nodiscard]] bool our_end_acknowledged() const override;
  void abort(Context& ctx) override { reset(ctx); }
  void release(Context& ctx) override;
  [[nodiscard]] std::uint16_t segment_room() const override { return mss(); }
  void set_budget(std::uint32_t bytes) override { budget_ = bytes; }

 private:
  void on_established(Context& ctx) override { wake(ctx); }
  void on_payload(Context& ctx, Segment& s) override;
  void on_fin(Context& ctx) override;
  void on_unqueued(Context& ctx, Segment& s) override;
  void on_send_room(Context& ctx) override { wake(ctx); }
  void on_closed(Context& ctx, Failure why) override;
  [[nodiscard]] bool holds_unread() const override { return held_ != 0; }
  [[nodiscard]] std::uint32_t receive_room(const Context& ctx) const override;
  void let_go(SegmentQueue& segments);
  void wake(Context& ctx) {
    if (user != nullptr) user->touch(ctx);
  }

  SegmentQueue inbox_;
  std::uint32_t held_ = 0;  // bytes received and not consumed
  std::uint32_t unfreed_ = 0;
  std::uint32_t freed_ = 0;
  Failure failure_ = Failure::none;
  bool peer_finished_ = false;
  bool released_ = false;
};

}  // namespace braid::tcp
