// One TCP connection of a session, with the MPTCP options of its handshake and of its segments.
#pragma once

#include <cstdint>

#include "mptcp/mapping.hpp"
#include "mptcp/session.hpp"
#include "tcp/connection.hpp"

namespace braid::mptcp {

// How a subflow came to be.
enum class Origin : std::uint8_t { capable_passive, capable_active, join_passive, join_active };

class Subflow final : public tcp::Connection {
 public:
  Subflow(const Flow& flow, tcp::CongestionKind congestion, Origin origin)
      : Connection(flow, congestion), origin_(origin) {}

  // For a passive join, before accept(): what the SYN said.
  void set_join(const wire::MpJoin& syn, std::uint8_t local_id, std::uint32_t nonce);
  // For an active join, before connect().
  void set_active_join(std::uint8_t local_id, bool backup, std::uint32_t nonce);

  [[nodiscard]] bool joined() const {
    return origin_ == Origin::join_passive || origin_ == Origin::join_active;
  }
  [[nodiscard]] bool usable() const {
    return can_send() && !finishing && (confirmed_ || origin_ != Origin::join_active);
  }
  [[nodiscard]] Session* session() const { return session_; }
  void set_session(Session* s) { session_ = s; }
  // An address or a priority to tell goes out on a segment without payload, unless two such have just gone:
  // then on the next that has a reason of its own (RFC 8684 3). DATA_FIN, MP_FAIL and MP_FASTCLOSE, which the
  // peer must hear of, do not wait.
  void signal_soon(Context& ctx) {
    if (may_signal()) bare_soon(ctx);
  }
  // The same at once: another signal waits for its place.
  void signal_now(Context& ctx) {
    if (may_signal()) signal_at_once(ctx);
  }
  // MP_PRIO to the peer on the next segment.
  void tell_priority(Context& ctx, bool as_backup);
  // REMOVE_ADDR of what is gone, on the next segment.
  void tell_removal(Context& ctx);
  // MP_FASTCLOSE in an ACK (3.5), now and on each later call.
  void send_fastclose(Context& ctx);
  // RST with MP_TCPRST, or with MP_FASTCLOSE.
  void reset_with(Context& ctx, stats::RstReason reason, Failure why);
  void reset_with_fastclose(Context& ctx);
  // From now on the subflow is a plain connection (fallback). `told`: the first data that follows says so by
  // an infinite mapping.
  void become_plain(bool told);
  // The last segment carried no MPTCP option.
  [[nodiscard]] bool stripped() const { return stripped_; }
  [[nodiscard]] bool opened() const { return opened_; }
  // Hands up, unverified, what was kept for its mapping's checksum: it comes before all that follows.
  void deliver_kept(Context& ctx);
  // DATA_FIN on the next segment without payload, and only there: answers to the peer's DATA_FIN would else
  // have one too, and two ends would answer each other for ever.
  void send_data_fin(Context& ctx);
  // MP_FAIL about the byte `at` in every ACK until the peer has answered; or once, as an answer.
  void send_mp_fail(Context& ctx, DataSeq at);
  void answer_mp_fail(Context& ctx);
  // Round trip of a segment given now, in us: what is before it leaves at the rate that the path carries. The
  // smoothed measurement tells of a queue a round trip late.
  [[nodiscard]] std::uint32_t next_rtt() const;
  // Counts payload by the kind of path it takes.
  void count_bytes(Context& ctx, std::uint32_t n) const;

  std::uint8_t slot = 0;
  std::uint8_t local_id = 0;
  std::uint8_t remote_id = 0;
  bool backup : 1 = false;  // the peer asked us to use it only when nothing else works
  bool stale : 1 = false;
  bool finishing : 1 = false;  // FIN sent or wanted
  static constexpr std::uint8_t kNoWorker = 0xff;
  std::uint8_t origin_worker = kNoWorker;  // worker whose redirect entry leads here

 private:
  Origin origin_;  // here, beside other bytes, since there are many of these objects
  stats::RstReason reset_reason_ = stats::RstReason::none;

 public:
  std::uint32_t redirect_entry = 0;  // that entry
  std::uint32_t redirect_serial = 0;
  std::uint32_t reinjected = 0;

 private:
  SubSeq infinite_at_;      // first byte under the infinite mapping, once infinite_set_
  std::uint32_t rate_ = 0;  // that the path carries, in bytes per millisecond; 0: not measured
  std::uint32_t local_nonce_ = 0;

  void write_syn_options(Context& ctx, wire::OptionBuffer& o) override;
  void write_options(Context& ctx, wire::OptionBuffer& o, Segment* s) override;
  void write_reset_options(Context& ctx, wire::OptionBuffer& o) override;
  void on_repeated_syn(Context& ctx, const wire::TcpFrame& f) override;
  bool on_third_ack(Context& ctx, const wire::TcpFrame& f) override;
  bool on_syn_ack(Context& ctx, const wire::TcpFrame& f) override;
  void on_established(Context& ctx) override;
  bool on_options(Context& ctx, const wire::TcpFrame& f) override;
  void on_arrival(Context& ctx, Segment& s, const wire::TcpFrame& f) override;
  void on_payload(Context& ctx, Segment& s) override;
  void on_fin(Context& ctx) override;
  void on_split(Segment& s, Segment& rest) override;
  void on_unqueued(Context& ctx, Segment& s) override;
  void on_send_room(Context& ctx) override;
  void on_rate(std::uint32_t rate, bool limited) override;
  void on_silence(Context& ctx) override;
  void on_closed(Context& ctx, Failure why) override;
  void before_output(Context& ctx) override;
  void on_time_wait(Context& ctx) override;
  [[nodiscard]] bool omit_timestamps(const Segment* s) const override;
  [[nodiscard]] bool holds_unread() const override;
  [[nodiscard]] std::uint32_t receive_room(const Context& ctx) const override;
  [[nodiscard]] bool shared_window() const override {
    return session_ != nullptr && !session_->fallen_back();
  }
  [[nodiscard]] bool may_keep(std::uint32_t bytes) const override {
    return !shared_window() || session_->may_keep(bytes);
  }
  // DSS with short numbers; who opened the session also sends MP_CAPABLE with data, which is longer (3.1).
  [[nodiscard]] std::uint16_t option_overhead() const override {
    if (plain_ && !infinite_) return 0;
    return origin_ == Origin::capable_active ? 24 : 20;
  }

  bool third_ack_capable(Context& ctx, const wire::TcpFrame& f);
  bool third_ack_join(Context& ctx, const wire::TcpFrame& f);
  [[nodiscard]] std::uint8_t reset_flags() const override;
  bool on_plain_options(Context& ctx, const wire::MptcpOptions& o);
  void write_plain_options(wire::OptionBuffer& o, Segment* s);
  bool on_reset_options(Context& ctx, const wire::MptcpOptions& o);
  bool mapping_for(Segment& s);
  void deliver_mapped(Context& ctx, Segment& s);
  void bad_mapping(Context& ctx, Segment& s);
  void on_dss(Context& ctx, const wire::TcpFrame& f);
  [[nodiscard]] bool has_signal() const;
  bool write_signals(Context& ctx, wire::OptionBuffer& o);
  bool write_removal(Context& ctx, wire::OptionBuffer& o);
  bool write_announcement(Context& ctx, wire::OptionBuffer& o);
  void write_dss(Context& ctx, wire::OptionBuffer& o, Segment* s);
  void payload_with_checksum(Context& ctx, Segment& s);
  void finish_checked_mapping(Context& ctx, tcp::Flight& f);

  Session* session_ = nullptr;
  Mapping map_;
  std::uint32_t remote_nonce_ = 0;
  std::uint16_t map_checksum_ = 0;
  bool plain_ : 1 = false;  // handed over to plain TCP
  // Active join: the fourth ACK came; capable: the peer has proved our keys; passive join: it has sent a
  // DATA_ACK.
  bool confirmed_ : 1 = false;
  bool fastclose_ : 1 = false;  // put MP_FASTCLOSE on the next ACK or RST
  bool prio_due_ : 1 = false;
  bool prio_backup_ : 1 = false;
  bool removal_due_ : 1 = false;
  bool fail_due_ : 1 = false;
  bool data_fin_due_ : 1 = false;
  bool fail_repeats_ : 1 = false;  // the peer has not answered our MP_FAIL
  bool fail_ours_ : 1 = false;     // we were the first to say it
  bool infinite_ : 1 = false;      // plain, and data says so by an infinite mapping
  bool infinite_set_ : 1 = false;
  bool stripped_ : 1 = false;
  bool opened_ : 1 = false;  // was established once
};

}  // namespace braid::mptcp
