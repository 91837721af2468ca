// One host for scripts: connections and sessions of the library in virtual time, IP packets in and out. It
// does what lib/engine does between a frame and its connection, for one worker and without a relay.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "kit/packet.hpp"
#include "mptcp/subflow.hpp"
#include "tcp/plain_stream.hpp"

namespace braid::drill {

struct Settings {
  Ip local_v4 = Ip::v4(0xc612'000a);  // 198.18.0.10
  Ip local_v6 = Ip::v6(0x2001'0db8'0000'0000, 10);
  std::uint16_t mtu = 1500;
  std::uint32_t buffer = 12U << 20;  // makes the window scale 8, as the scripts have it
  tcp::CongestionKind congestion = tcp::CongestionKind::cubic;
  bool ecn = false;                  // asked for by active opens
  bool stamps = true;                // offered by active opens
  bool checksum = false;             // MPTCP's
  std::vector<Endpoint> announce{};  // by ADD_ADDR
};

// Told of connections that a listener takes.
class Backlog {
 public:
  virtual ~Backlog() = default;
  // A SYN was answered; the stream is not open yet.
  virtual void opening(tcp::Stream& stream, const Endpoint& peer) = 0;
};

class Stack final : private tcp::FrameSink, private mptcp::SessionOwner {
 public:
  struct Sent {
    Instant at;
    kit::Packet packet;
  };

  explicit Stack(const Settings& settings);
  ~Stack() override;
  Stack(const Stack&) = delete;
  Stack& operator=(const Stack&) = delete;

  // ---- time ----
  [[nodiscard]] Instant now() const { return now_; }
  [[nodiscard]] Instant next_alarm() const { return wheel_.next_due(); }
  // Sets the clock and fires what is due.
  void advance(Instant to);
  // Lets connections that were touched send.
  void run();

  // ---- packets ----
  void receive(ByteView ip_packet);
  std::optional<Sent> take_sent();
  [[nodiscard]] bool has_sent() const { return !sent_.empty(); }

  // ---- sockets ----
  void listen(std::uint16_t port, bool mptcp, Backlog& backlog) { listeners_[port] = {mptcp, &backlog}; }
  void unlisten(std::uint16_t port) { listeners_.erase(port); }
  // `max_segment`: as of tcp::Connection::connect. nullptr: no route.
  tcp::Stream* connect(const Endpoint& to, std::uint16_t from_port, bool mptcp, std::uint16_t max_segment);
  [[nodiscard]] tcp::Context& context() {
    ctx_.now = now_;
    return ctx_;
  }

 private:
  struct Listening {
    bool mptcp;
    Backlog* backlog;
  };
  struct Held {
    std::unique_ptr<mptcp::Session> session;
    Endpoint first;  // where its first subflow came to
  };

  void send(unsigned port, rte_mbuf* frame) override;
  void send_unresolved(const wire::Hop& hop, rte_mbuf* frame) override;
  void session_ended(tcp::Context& ctx, mptcp::Session& session) override;
  [[nodiscard]] std::uint32_t buffer() const override { return settings_.buffer; }

  void dispatch(const wire::TcpFrame& f, const kit::Packet& frame);
  void accept(const wire::TcpFrame& f, const Listening& listening);
  void join(const wire::TcpFrame& f);
  mptcp::Session& new_session(const Endpoint& first);
  void refuse(const wire::TcpFrame& f, std::optional<stats::RstReason> reason = {});
  void turn();
  void reap();

  Settings settings_;
  Instant now_;
  Rng rng_;
  stats::WorkerStats stats_;
  TimerWheel wheel_;
  wire::RouteTable routes_;
  mptcp::SessionProfile profile_;
  tcp::Context ctx_;
  std::map<std::uint16_t, Listening> listeners_;
  std::map<Flow, std::unique_ptr<tcp::Connection>> flows_;
  std::vector<std::unique_ptr<tcp::Connection>> closed_;  // whose socket is still there
  std::vector<Held> sessions_;
  std::vector<mptcp::Session*> ended_;
  std::deque<Sent> sent_;
};

}  // namespace braid::drill
