// One worker without a thread. `poll` takes a packet all the way (see poll.cpp); everything else prepares it
// or looks at it. Nothing in here is shared with another engine but the hand-off rings.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/pool.hpp"
#include "base/spsc_ring.hpp"
#include "base/timer_wheel.hpp"
#include "engine/handoff.hpp"
#include "engine/hash_index.hpp"
#include "engine/inspect.hpp"
#include "engine/io.hpp"
#include "engine/presence.hpp"
#include "engine/settings.hpp"
#include "engine/syn_cookie.hpp"
#include "mptcp/subflow.hpp"
#include "relay/pair.hpp"
#include "tcp/plain_stream.hpp"

namespace braid::engine {

class Engine final : private tcp::FrameSink, private mptcp::SessionOwner, private relay::PairHost {
 public:
  // `handoff` connects the engines of one process and outlives them.
  Engine(const Settings& settings, HandoffMatrix& handoff, Instant now);
  ~Engine() override;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // One turn: everything that has arrived goes all its way. Returns the number of frames, messages and alarms
  // worked on; 0: an idle turn.
  unsigned poll(Instant now, Io& io);
  // When the engine wants its next turn even if nothing arrives.
  [[nodiscard]] Instant next_wake() const;

  // Any thread. The table stays valid until two more turns have begun.
  void set_routes(const wire::RouteTable* table) { routes_.store(table, std::memory_order_release); }
  // No new clients from now on. This engine's thread.
  void drain() { draining_ = true; }
  // Ends some of the sessions that are left, telling both sides: no more than the port's queue and the reader
  // of the records take at once. Returns whether none is left. This engine's thread, instead of poll().
  bool end_some(Instant now, Io& io);

  [[nodiscard]] stats::WorkerStats& stats() { return stats_; }
  [[nodiscard]] SpscRing<relay::AccessRecord>& records() { return records_; }
  // The asker's side: one outstanding request per engine.
  bool post(ListRequest& request) { return requests_.push(&request); }

  // Live objects by pool; all are 0 when every connection has ended and its TIME-WAIT is over.
  struct Use {
    std::uint32_t streams, subflows, sessions, pairs, redirects, flows, tokens;
    [[nodiscard]] std::uint32_t total() const {
      return streams + subflows + sessions + pairs + redirects + flows + tokens;
    }
  };
  [[nodiscard]] Use use() const;
  // For tests: each pair, connection and session there is now.
  template <class Visit>
  void for_each_pair(Visit&& visit) const {
    for (std::uint32_t i = 0; i < pair_live_.size(); ++i)
      if (pair_live_[i] != 0) visit(static_cast<const relay::Pair&>(*pairs_.at(i)));
  }
  template <class Visit>
  void for_each_connection(Visit&& visit) const {
    flows_.for_each([&](std::uint32_t h) {
      if (static_cast<Kind>(h >> 30) != Kind::redirect) visit(*connection_of(h));
    });
  }
  template <class Visit>
  void for_each_session(Visit&& visit) const {
    tokens_.for_each([&](std::uint32_t i) { visit(*sessions_.at(i)); });
  }
  // Test hook: every n-th allocation of any pool fails (0: none).
  void fail_every(std::uint32_t n);
  // Test hook: Pool::refuse_when() of every pool.
  void refuse_when(bool (*question)());

 private:
  enum class Kind : std::uint32_t { stream, subflow, redirect };
  struct Redirect {
    Flow flow;
    std::uint32_t serial = 0;
    std::uint8_t owner = 0;
  };
  struct Arrival {  // one frame of a burst
    rte_mbuf* frame;
    wire::TcpFrame tcp;
    std::uint32_t hash;
    std::uint8_t port;
    bool handed;          // came over a ring
    std::uint8_t from;    // worker that handed it
    std::uint32_t entry;  // its redirect entry, or kNoEntry
    std::uint32_t serial;
    const wire::TcpFrame* cookie;  // the SYN that a cookie has answered, when this is its third ACK
  };
  static constexpr std::uint32_t kNoEntry = 0xffffffff;
  // A redirect entry of another worker that is to be released.
  struct Owed {
    std::uint8_t worker;
    std::uint32_t entry;
    std::uint32_t serial;
  };

  // poll.cpp
  unsigned receive_ports();
  unsigned receive_handoffs();
  unsigned fire_alarms();
  void run_pairs();
  void run_outputs();
  void flush();
  void housekeeping();
  // receive.cpp
  bool parse(Arrival& a);
  void dispatch(Arrival& a);
  void dispatch_unknown(Arrival& a);
  bool send_home(Arrival& a);
  [[nodiscard]] const relay::Listener* listener_at(const Endpoint& at) const;
  [[nodiscard]] bool joins_at(const Endpoint& at) const;
  [[nodiscard]] bool takes_clients(const Endpoint& at) const;
  [[nodiscard]] bool is_proxied(const Ip& ip) const;
  bool hand_over(Arrival& a, unsigned owner, std::uint32_t entry, std::uint32_t serial);
  void punt(unsigned port, rte_mbuf* frame);
  bool send_bare(wire::FrameOut out, wire::OptionBuffer& o);
  void refuse(const Arrival& a, stats::Drop reason, std::optional<stats::RstReason> mptcp_reason = {});
  // accept.cpp
  void accept(Arrival& a, const relay::Listener& listener);
  void accept_plain(Arrival& a, const relay::Listener& listener);
  bool accept_mptcp(Arrival& a, const relay::Listener& listener);
  bool accept_session(Arrival& a, const relay::Listener& listener, mptcp::Session& session);
  static std::optional<stats::Fallback> declines(const wire::MpCapable& c, const relay::Listener& listener);
  void open_client(tcp::Connection& c, Arrival& a, const relay::Listener& listener);
  void join(Arrival& a);
  void join_here(Arrival& a, mptcp::Session& session);
  void refuse_join(Arrival& a, stats::Join why, stats::Drop drop, stats::RstReason reason);
  std::uint64_t draw_secret();
  mptcp::Session* draw_session(const relay::Listener& listener);
  mptcp::Session* new_session(const relay::Listener& listener, std::uint64_t key, const mptcp::KeyHash& h);
  relay::Pair* new_pair(tcp::Stream& stream, const relay::Listener& listener, const Flow& flow);
  void drop_new_pair(relay::Pair& pair);
  [[nodiscard]] std::optional<std::uint8_t> local_address_id(const mptcp::Session& session,
                                                             const Endpoint& at) const;
  // flood.cpp
  void answer_by_cookie(Arrival& a, const relay::Listener& listener);
  [[nodiscard]] std::optional<std::uint64_t> cookie_key(const Flow& flow, SubSeq peer, SubSeq ours) const;
  bool accept_cookie(Arrival& a, const relay::Listener& listener);
  // icmp.cpp
  bool take_icmp(Arrival& a, ByteView bytes);
  bool find_owner(Arrival& a, const Flow& flow);
  void show_others(Arrival& a);
  // presence.cpp
  void tell_addresses();
  // connect.cpp
  tcp::PlainStream* new_server_leg(const Ip& source, const Endpoint& server, tcp::CongestionKind congestion);
  bool give_way(std::uint32_t found);
  // tables.cpp
  [[nodiscard]] std::uint32_t flow_hash(const Flow& flow) const;
  [[nodiscard]] std::uint32_t find_flow(std::uint32_t hash, const Flow& flow) const;
  [[nodiscard]] tcp::Connection* connection_of(std::uint32_t handle) const;
  [[nodiscard]] const Flow& flow_of(std::uint32_t handle) const;
  [[nodiscard]] mptcp::Session* find_session(std::uint32_t token) const;
  [[nodiscard]] unsigned owner_of_token(std::uint32_t token) const;
  void destroy_all();
  void reap();
  void reap_connection(tcp::Connection& c);
  bool reopen(tcp::Connection& c, const Arrival& syn);
  bool recycle(tcp::Connection& c);
  void make_room();
  void free_session(mptcp::Session& session);
  void owe_release(const Owed& owed);
  bool release_elsewhere(const Owed& owed);
  void release_redirect(std::uint32_t entry, std::uint32_t serial);
  // list.cpp
  void answer_requests();
  void fill(SessionInfo& out, const relay::Pair& pair) const;

  static constexpr std::uint32_t handle(Kind k, std::uint32_t index) {
    return static_cast<std::uint32_t>(k) << 30 | index;
  }

  // FrameSink, SessionOwner, PairHost
  void send(unsigned port, rte_mbuf* frame) override;
  void send_unresolved(const wire::Hop& hop, rte_mbuf* frame) override;
  void session_ended(tcp::Context& ctx, mptcp::Session& session) override;
  [[nodiscard]] std::uint32_t buffer() const override { return settings_.relay->buffer; }
  [[nodiscard]] std::uint64_t addresses_here(const mptcp::Session& session) const override;
  tcp::Stream* connect(tcp::Context& ctx, relay::Pair& pair, const relay::Upstream& upstream,
                       const Endpoint& server, std::uint16_t max_segment) override;
  void pair_ended(tcp::Context& ctx, relay::Pair& pair, relay::AccessRecord record) override;
  void pair_touched(relay::Pair& pair) override;
  [[nodiscard]] const relay::Settings& settings() const override { return *settings_.relay; }
  unsigned pair_opened(tcp::Context& ctx, relay::Pair& pair, const relay::Upstream& upstream) override;

  Settings settings_;
  HandoffMatrix& handoff_;
  stats::WorkerStats stats_;
  TimerWheel wheel_;
  Rng rng_;
  std::atomic<const wire::RouteTable*> routes_;
  wire::RouteTable no_routes_;
  tcp::Context ctx_;
  SipKey flow_key_;  // of the flow table, this worker's own
  SipKey draw_key_;  // of draw_secret()
  SynCookie cookie_;
  Instant cookies_until_{};  // no cookie is on its way from then on
  std::uint64_t drawn_ = 0;

  Pool<tcp::PlainStream> streams_;
  Pool<mptcp::Subflow> subflows_;
  Pool<mptcp::Session> sessions_;
  Pool<relay::Pair> pairs_;
  Pool<Redirect> redirects_;
  HashIndex flows_;
  HashIndex tokens_;
  std::vector<std::uint8_t> pair_live_;                                // by pool index, for listings
  std::unordered_map<std::uint64_t, std::uint16_t> listener_by_bind_;  // hash of the endpoint
  std::unordered_set<std::uint64_t> join_targets_;  // hashes of endpoints besides the binds where joins come
  std::vector<std::uint8_t> upstream_turn_;         // round robin

  List<relay::Pair, tcp::TouchHook> touched_pairs_;
  List<relay::Pair, tcp::TouchHook> dead_pairs_;
  std::vector<mptcp::Session*> dead_sessions_;
  std::vector<Owed> owed_;  // releases of redirect entries that found the ring full; bounded by its capacity

  ListRequest* asked_ = nullptr;  // being answered
  Io* io_ = nullptr;
  std::array<std::array<rte_mbuf*, limits::kBurst>, limits::kMaxPorts> tx_;
  std::array<std::uint16_t, limits::kMaxPorts> tx_count_{};
  std::unique_ptr<std::array<Arrival, limits::kBurst>> burst_;
  SpscRing<relay::AccessRecord> records_;
  SpscRing<ListRequest*> requests_;
  std::uint64_t next_id_ = 0;
  std::uint32_t handshaking_ = 0;
  std::uint32_t next_serial_ = 0;
  Instant housekeeping_due_{};
  Presence presence_;
  std::uint32_t pairs_to_tell_ = 0;  // that may not know what presence_ says
  std::uint32_t last_told_ = 0;      // pair index
  // ICMP errors shown to all workers since the last housekeeping, and how many may be.
  static constexpr unsigned kMostShown = 4;
  unsigned shown_ = 0;
  bool draining_ = false;
  std::uint32_t next_to_end_ = 0;  // pair index
};

}  // namespace braid::engine
