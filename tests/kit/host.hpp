// An end host: runs TCP and MPTCP streams of the library in a context of its own, with programs on top. It
// has one address per port and sends each connection out of the port of its source address.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "kit/app.hpp"
#include "kit/link.hpp"
#include "kit/world.hpp"
#include "mptcp/subflow.hpp"
#include "tcp/plain_stream.hpp"

namespace braid::kit {

class Host final : public Device, public Actor, private tcp::FrameSink, private mptcp::SessionOwner {
 public:
  enum class Answer { accept, refuse, silence };

  Host(World& world, std::string name);
  ~Host() override;

  void attach(unsigned port, Link& link, const Ip& address, std::uint16_t mtu = 1500);

  // ---- passive ----
  void listen(std::uint16_t port, const Plan& plan, Answer answer = Answer::accept);
  // Forgets every connection without a word, as a host that lost power, and answers nothing more.
  void die();
  // Programs of accepted connections, in order.
  [[nodiscard]] const std::vector<App*>& accepted() const { return accepted_; }

  // ---- active ----
  App& connect(const Endpoint& to, const Plan& plan, unsigned port = 0);
  App& connect_mptcp(const Endpoint& to, const Plan& plan, unsigned port = 0);
  // Another subflow of the session under `app`; nullptr when the session cannot take one.
  mptcp::Subflow* join(App& app, unsigned port, const Endpoint& to, bool backup = false);
  [[nodiscard]] static mptcp::Session& session_of(App& app);
  // Key of the next session; 0: random.
  void next_key(std::uint64_t key) { next_key_ = key; }

  mptcp::SessionProfile profile;  // of sessions opened from now on
  tcp::Timeouts timeouts{.time_wait = 1s};
  std::uint32_t budget = 1 << 20;
  tcp::CongestionKind congestion = tcp::CongestionKind::cubic;
  bool ecn = false;  // connections opened from now on ask for it

  void take(Instant now, unsigned port, Packet packet) override;
  [[nodiscard]] Instant next_at() const override;
  void act(Instant now) override;
  [[nodiscard]] std::string name() const override { return name_; }

  [[nodiscard]] tcp::Context& context() {
    ctx_.now = world_.now();
    return ctx_;
  }
  [[nodiscard]] const Ip& address(unsigned port) const { return ports_[port].address; }
  [[nodiscard]] std::size_t connections() const { return flows_.size(); }
  [[nodiscard]] std::size_t sessions() const { return sessions_.size(); }
  [[nodiscard]] stats::WorkerStats& stats() { return stats_; }
  [[nodiscard]] tcp::Connection* find(const Flow& flow);
  template <class Visit>
  void for_each_connection(Visit&& visit) const {
    for (const auto& [flow, c] : flows_) visit(*c);
  }
  template <class Visit>
  void for_each_session(Visit&& visit) const {
    for (const auto& s : sessions_) visit(*s);
  }
  template <class Visit>
  void for_each_program(Visit&& visit) const {
    for (const auto& app : apps_) visit(*app);
  }
  [[nodiscard]] bool dead() const { return dead_; }

 private:
  struct Port {
    Link* link = nullptr;
    Ip address;
    std::uint16_t max_segment = 0;  // as of Connection::connect
  };
  struct Listening {
    Plan plan;
    Answer answer;
  };
  void send(unsigned port, rte_mbuf* frame) override;
  void send_unresolved(const wire::Hop& hop, rte_mbuf* frame) override;
  void session_ended(tcp::Context& ctx, mptcp::Session& session) override;
  [[nodiscard]] std::uint32_t buffer() const override { return budget; }
  void receive(const Packet& packet);
  void refuse(const wire::TcpFrame& f);
  App& run(tcp::Stream& stream, const Plan& plan);
  Endpoint local(unsigned port, bool v4);
  void reap();

  World& world_;
  std::string name_;
  Rng rng_;
  stats::WorkerStats stats_;
  TimerWheel wheel_;
  wire::RouteTable routes_;
  tcp::Context ctx_;
  std::vector<Port> ports_;
  std::map<std::uint16_t, Listening> listening_;
  std::map<Flow, std::unique_ptr<tcp::Connection>> flows_;
  std::vector<std::unique_ptr<mptcp::Session>> sessions_;
  std::vector<mptcp::Session*> ended_;
  std::vector<std::unique_ptr<App>> apps_;
  std::vector<App*> accepted_;
  std::deque<Packet> arrived_;
  std::uint64_t next_key_ = 0;
  std::uint16_t next_port_ = 40000;
  bool dead_ = false;
};

}  // namespace braid::kit
