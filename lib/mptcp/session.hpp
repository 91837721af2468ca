// An MPTCP connection at data level (RFC 8684 3.3): one stream over up to eight subflows.
//
//   session.cpp            life: opening, shutting down, alarm
//   session_receive.cpp    data sequence order, window, DATA_FIN
//   session_send.cpp       DATA_ACK, scheduling, reinjection
//   session_paths.cpp      subflows come and go, stale paths
//   session_addresses.cpp  addresses are announced, withdrawn, echoed
//   session_end.cpp        fast close, fallback
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/limits.hpp"
#include "mptcp/crypto.hpp"
#include "mptcp/scheduler.hpp"
#include "tcp/congestion.hpp"
#include "tcp/reassembly.hpp"
#include "tcp/receive_window.hpp"
#include "tcp/stream.hpp"

namespace braid::mptcp {

using tcp::Context;
using tcp::Failure;
using tcp::Segment;
using tcp::SegmentQueue;

class Session;
class Subflow;

// Whoever keeps sessions: told when one has ended and no subflow refers to it any more.
class SessionOwner {
 public:
  virtual ~SessionOwner() = default;
  virtual void session_ended(Context& ctx, Session& session) = 0;
  // Bytes that a direction may hold at most.
  [[nodiscard]] virtual std::uint32_t buffer() const = 0;
  // Bit i: the i-th address that the session's profile announces can be reached.
  [[nodiscard]] virtual std::uint64_t addresses_here(const Session&) const { return ~0ULL; }
};

// Settings of a listener, shared by its sessions; outlives them.
struct SessionProfile {
  SchedulerKind scheduler = SchedulerKind::lowest_rtt;
  std::uint8_t max_subflows = 4;
  bool require_checksum = false;
  bool refuse_initial_join = false;          // C flag (3.1)
  Duration hold = std::chrono::seconds(60);  // life without a subflow
  // Own addresses for ADD_ADDR, limits::kMaxAnnounced at most; port 0: the listener's.
  std::span<const Endpoint> announce;
};

enum class Phase : std::uint8_t {
  handshake,  // first subflow not established
  running,
  fallen_back,  // one subflow, infinite mapping, no DSS (3.7)
  aborting,     // MP_FASTCLOSE sent, waiting for the RST
  closing,      // both DATA_FINs exchanged and acknowledged, subflows closing
  ended,
};
const char* to_string(Phase p);

class Session final : public tcp::Stream, public Alarm {
 public:
  Session(SessionOwner& owner, const SessionProfile& profile, std::uint64_t local_key, KeyHash local,
          std::uint32_t budget);
  ~Session() override;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // ---- Stream ----
  [[nodiscard]] tcp::StreamState state() const override;
  [[nodiscard]] Failure failure() const override { return failure_; }
  SegmentQueue& inbox() override { return inbox_; }
  void consume(Context& ctx, std::uint32_t bytes) override;
  [[nodiscard]] bool peer_finished() const override { return peer_finished_; }
  void write(Context& ctx, SegmentQueue& segments) override;
  std::uint32_t take_freed() override { return std::exchange(freed_, 0); }
  [[nodiscard]] std::uint32_t unfreed() const override { return unfreed_; }
  [[nodiscard]] std::uint32_t freed() const override { return freed_; }
  [[nodiscard]] std::uint32_t held() const override { return held_; }
  [[nodiscard]] std::uint32_t kept() const override;
  [[nodiscard]] std::uint32_t round_trip() const override;
  [[nodiscard]] bool several_paths() const override { return subflow_count() > 1; }
  void hold_back(bool full) override { full_ = full; }
  void shutdown(Context& ctx) override;
  [[nodiscard]] bool our_end_acknowledged() const override;
  void abort(Context& ctx) override;
  void release(Context& ctx) override;
  [[nodiscard]] std::uint16_t segment_room() const override;
  void set_budget(std::uint32_t bytes) override { budget_ = bytes; }

  void on_alarm(Context& ctx);

  // ---- what subflows report ----
  void subflow_established(Context& ctx, Subflow& sf);
  void subflow_closed(Context& ctx, Subflow& sf, Failure why);
  void subflow_finished(Context& ctx, Subflow& sf);  // its peer sent FIN
  void subflow_silent(Context& ctx, Subflow& sf);
  void subflow_heard(Context& ctx, Subflow& sf);
  void receive(Context& ctx, Subflow& sf, Segment& s);  // s.dsn is set; takes it over
  void data_ack(Context& ctx, Subflow& sf, DataSeq ack, std::uint32_t window);
  void data_fin(Context& ctx, Subflow& sf, DataSeq at);
  void split(Segment& s, Segment& rest);    // cut in a subflow's send queue
  void unqueued(Context& ctx, Segment& s);  // left a subflow's send queue
  void peer_key(std::uint64_t key);
  void initial_window(std::uint32_t bytes) { snd_edge_ = later(snd_edge_, snd_una_ + bytes); }
  void peer_wants_checksum() { checksum_ = true; }
  [[nodiscard]] bool can_fall_back(stats::Fallback cause) const;
  void fall_back(Context& ctx, Subflow& sf, stats::Fallback cause);
  // Bytes, or a FIN, came on `sf` without a mapping.
  void mapping_missing(Context& ctx, Subflow& sf);
  // MP_FAIL in an ACK (3.7).
  void peer_failed(Context& ctx, Subflow& sf);
  void fastclosed(Context& ctx);
  void peer_announced(Context& ctx, Subflow& sf, const wire::AddAddr& a);
  void peer_removed(Context& ctx, const wire::RemoveAddr& r);
  void announcement_echoed(Context& ctx, std::uint8_t id);

  // What the owner says of addresses_here() has changed, or a path on which to tell the peer has come.
  void addresses_changed(Context& ctx);
  // Asks the peers of paths that have been quiet for long whether they are still there: a slot is wanted.
  void doubt_paths(Context& ctx);
  // Attaches a subflow whose handshake is about to begin; false: all slots are taken.
  bool attach(Subflow& sf);
  void detach(Context& ctx, Subflow& sf);
  // Gives subflows what they may carry now.
  void schedule(Context& ctx);

  // ---- what subflows ask ----
  [[nodiscard]] Phase phase() const { return phase_; }
  [[nodiscard]] bool fallen_back() const { return phase_ == Phase::fallen_back; }
  [[nodiscard]] bool knows_peer() const { return remote_known_; }
  [[nodiscard]] bool checksum() const { return checksum_; }
  [[nodiscard]] std::uint64_t local_key() const { return local_key_; }
  [[nodiscard]] std::uint64_t remote_key() const { return remote_key_; }
  [[nodiscard]] std::uint32_t token() const { return token_; }
  [[nodiscard]] const SessionProfile& profile() const { return profile_; }
  // First payload byte of the peer. Asked for only at the beginning, so it is computed and not kept.
  [[nodiscard]] DataSeq remote_first() const { return hash_key(remote_key_).idsn + 1; }
  [[nodiscard]] DataSeq receive_next() const { return rcv_nxt_; }
  [[nodiscard]] DataSeq send_unacknowledged() const { return snd_una_; }
  // To advertise beyond receive_next(), on a subflow with that grain.
  [[nodiscard]] std::uint32_t window(const Context& ctx, const tcp::WindowGrain& grain);
  // Whether a subflow may keep so many more bytes that have come ahead of their turn there.
  [[nodiscard]] bool may_keep(std::uint32_t bytes) const;
  [[nodiscard]] bool fin_outstanding() const { return fin_sent_ && !fin_acked_; }
  [[nodiscard]] DataSeq fin_dsn() const { return write_end_; }
  [[nodiscard]] bool got_data_ack() const { return heard_data_ack_; }
  // Whether the first byte that no DATA_ACK covers went over `sf`, whose TCP has acknowledged it.
  [[nodiscard]] bool owed_data_ack(const Subflow& sf) const;
  [[nodiscard]] bool got_dsn8() const { return peer_dsn8_; }
  void note_dsn8() { peer_dsn8_ = true; }
  // Options waiting for a ride on a segment without payload.
  bool take_announcement(Context& ctx, wire::AddAddr& out);
  [[nodiscard]] bool announces() const { return echo_due_ || (announce_due_ && phase_ == Phase::running); }
  [[nodiscard]] bool announcement_is_large() const;
  // Writes the ids of announced addresses that are gone, as many as find a place; returns how many.
  std::size_t addresses_gone(std::span<std::uint8_t> ids) const;
  [[nodiscard]] bool holds_unread() const { return held_ != 0; }
  // Room for received bytes, the reassembly queue of the one plain subflow not counted.
  [[nodiscard]] std::uint32_t free_room(const Context& ctx) const;
  [[nodiscard]] std::uint32_t standing_window() const;

  // To look at: what waits for its DATA_ACK, what arrived ahead of its turn, and whether receive_next() has
  // counted the peer's DATA_FIN.
  [[nodiscard]] const SegmentQueue& data_queue() const { return data_; }
  [[nodiscard]] const tcp::Reassembly& early() const { return flight_->early; }
  [[nodiscard]] bool counted_peer_fin() const { return peer_fin_known_ && peer_finished_; }

  [[nodiscard]] unsigned subflow_count() const;
  [[nodiscard]] unsigned subflows_max() const { return subflows_max_; }
  [[nodiscard]] Subflow* subflow(unsigned slot) const { return subflows_[slot]; }
  [[nodiscard]] std::uint32_t reinjected() const { return reinjected_; }
  [[nodiscard]] std::uint64_t joined_bytes() const { return joined_bytes_; }
  [[nodiscard]] std::uint32_t retransmitted() const { return retransmitted_; }
  [[nodiscard]] bool may_join() const {
    return phase_ == Phase::running && remote_known_ && failure_ == Failure::none;
  }

  // Of its subflows.
  [[nodiscard]] tcp::CongestionKind congestion() const { return congestion_; }
  void set_congestion(tcp::CongestionKind which) { congestion_ = which; }

 private:
  // Segment::path of what no subflow carries any more: its slot may be another's by now.
  static constexpr std::uint8_t kNoPath = 0xff;
  void settle(Context& ctx);
  void accept_in_order(Context& ctx, Segment& s);
  void drain_early(Context& ctx, Subflow& sf);
  void check_peer_fin(Context& ctx);
  void free_data(Context& ctx, DataSeq ack);
  void account_freed(Segment& s);
  bool schedule_reinjections(Context& ctx);
  bool schedule_new(Context& ctx);
  void help_slow_path(Context& ctx);
  bool reinject(Context& ctx, Segment& s);
  unsigned views(std::span<PathView> out, const Segment* s) const;
  bool give(Context& ctx, Subflow& sf, Segment& s);
  bool give_copy(Context& ctx, Subflow& sf, Segment& s);
  bool append_to_plain(Context& ctx, Segment& s);
  bool cut_to(Context& ctx, Segment& s, std::uint16_t room);
  void reinject_from(std::uint8_t slot, bool gone);
  [[nodiscard]] Subflow* best_subflow() const;
  void send_data_fin(Context& ctx);
  [[nodiscard]] bool join_under_way() const;
  void drop_joins(Context& ctx);
  [[nodiscard]] std::uint64_t addresses_here() const;
  void withdraw(Context& ctx, std::uint64_t here);
  void announce_next(Context& ctx);
  bool announce_again(Context& ctx);
  void set_aside(Context& ctx, Subflow& sf);
  bool send_data_again(Context& ctx);
  void wake(Context& ctx) {
    if (user != nullptr) user->touch(ctx);
  }
  void touch(Context& ctx);
  void touch_all(Context& ctx);
  void maybe_finish(Context& ctx);
  [[nodiscard]] bool has_other(const Subflow& sf) const;
  [[nodiscard]] bool needs(const Subflow& sf) const;
  void finish_half_closed(Context& ctx);
  void close_subflows(Context& ctx);
  void fail(Context& ctx, Failure why);
  void end_if_unused(Context& ctx);
  void arm(Context& ctx, Instant due);
  void live_until(Context& ctx, Instant due);
  void on_retransmit(Context& ctx);
  [[nodiscard]] Duration retransmit_after() const;

  // Small ones first: they fill what the bases leave of a word.
  Phase phase_ = Phase::handshake;
  Failure failure_ = Failure::none;
  tcp::CongestionKind congestion_ : 7 = tcp::CongestionKind::cubic;
  bool full_ : 1 = false;  // the user has no room to write more
  std::uint8_t retries_ = 0;
  static constexpr std::uint8_t kNoAddress = 0xff;
  std::uint8_t announcing_ = kNoAddress;  // index of the announcement under way
  std::uint8_t echo_id_ = 0;
  std::uint8_t announce_tries_ = 0;
  std::uint8_t subflows_max_ = 0;

  SessionOwner& owner_;
  const SessionProfile& profile_;
  std::uint64_t local_key_;
  std::uint64_t remote_key_ = 0;

  // Sending. The queue holds [snd_una_, write_end_) by segments; `unsent_` is the first not given to a
  // subflow.
  DataSeq snd_una_, snd_edge_, write_end_;
  SegmentQueue data_;
  Segment* unsent_ = nullptr;
  Segment* reinject_hint_ = nullptr;  // no segment before it waits for reinjection
  // Receiving.
  DataSeq rcv_nxt_, rcv_edge_, peer_fin_;
  SegmentQueue inbox_;
  tcp::Flight* flight_ = &tcp::Flight::none();  // holds what arrived ahead in data sequence

  Deadline retry_due_;  // DATA_FIN, ADD_ADDR, MP_FASTCLOSE, stuck DATA_ACK
  Deadline life_due_;   // hold, linger
  std::array<Subflow*, limits::kMaxSubflows> subflows_{};

  std::uint64_t told_ = 0;          // bit i: announced to the peer, and not withdrawn since
  std::uint64_t joined_bytes_ = 0;  // payload of ended joined subflows, both directions
  std::uint32_t token_;
  std::uint32_t retry_una_ = 0;  // low half of snd_una_ when retry_due_ was set
  std::uint32_t budget_;
  std::uint32_t held_ = 0;
  std::uint32_t unfreed_ = 0;
  std::uint32_t freed_ = 0;
  std::uint32_t reinject_pending_ = 0;  // segments flagged kReinject
  std::uint32_t reinjected_ = 0;
  std::uint32_t retransmitted_ = 0;  // by ended subflows
  Endpoint echo_;                    // valid while echo_due_, with echo_id_
  bool remote_known_ : 1 = false;
  bool checksum_ : 1 = false;
  bool fin_wanted_ : 1 = false;
  bool fin_sent_ : 1 = false;
  bool fin_acked_ : 1 = false;
  bool peer_fin_known_ : 1 = false;
  bool peer_finished_ : 1 = false;
  bool released_ : 1 = false;
  bool echo_due_ : 1 = false;
  bool announce_due_ : 1 = false;
  bool heard_data_ack_ : 1 = false;
  bool peer_dsn8_ : 1 = false;
  bool ever_joined_ : 1 = false;
  bool scheduling_ : 1 = false;
  bool reported_ended_ : 1 = false;
  bool half_closed_ : 1 = false;  // a subflow that its peer has closed stays for what is to be sent
};

}  // namespace braid::mptcp
