// One TCP connection (RFC 9293), as a machine without a clock: segments and alarms come in, frames go out
// through the context. It is the base of a plain stream and of an MPTCP subflow, which fill in the hooks at
// the end.
//
//   receive() ── input.cpp: validate, RST, SYN, FIN ── ack.cpp: ACK, SACK, loss ── receiver: order, deliver
//   output()  ── output.cpp: retransmissions, new data, FIN, ACK
//   on_alarm() ─ timers.cpp
#pragma once

#include <cstdint>

#include "base/limits.hpp"
#include "tcp/congestion.hpp"
#include "tcp/context.hpp"
#include "tcp/flight.hpp"
#include "tcp/reassembly.hpp"
#include "tcp/receive_window.hpp"
#include "tcp/rtt.hpp"
#include "tcp/segment.hpp"
#include "tcp/stream.hpp"
#include "wire/frame.hpp"

namespace braid::tcp {

enum class State : std::uint8_t {
  closed,
  syn_sent,
  syn_received,
  established,
  fin_wait_1,
  fin_wait_2,
  close_wait,
  closing,
  last_ack,
  time_wait
};
const char* to_string(State s);

// What our timestamps on a connection of this name are ahead of millis(now): RFC 7323 5.4 wants one for each.
std::uint32_t timestamp_offset(const Context& ctx, const Flow& flow);
// Smallest window scale that lets the window field express the whole budget (RFC 7323 2.3).
std::uint8_t scale_for(std::uint32_t budget);

class Connection : public Alarm, public TouchHook {
 public:
  Connection(const Flow& flow, CongestionKind congestion);
  virtual ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Answers a SYN. `frame` is one, for this flow.
  void accept(Context& ctx, const wire::TcpFrame& syn, std::uint32_t budget);
  // As after accept() of `syn` and a SYN/ACK with number `ours`, which somebody else has sent.
  void resume(Context& ctx, const wire::TcpFrame& syn, SubSeq ours, std::uint32_t budget);
  // Sends a SYN. `max_segment`: largest payload the peer shall put into a segment, options not counted (0:
  // the route's MTU decides). False: no route.
  bool connect(Context& ctx, std::uint16_t max_segment, std::uint32_t budget);
  // Before connect(): the SYN asks for ECN (RFC 3168 6.1.1). One that is answered always gets it.
  void ask_for_ecn() { ecn_on_ = true; }
  // Before accept(), resume() or connect(): of every segment sent.
  void set_ip_fields(const wire::IpFields& fields) { ip_ = fields; }

  // A segment of this flow. Takes the buffer over.
  void receive(Context& ctx, const wire::TcpFrame& frame, rte_mbuf* m);
  // Sends what there is to send. Called once per turn for a touched connection.
  void output(Context& ctx);
  void on_alarm(Context& ctx);

  // Appends a segment to be sent. One that is larger than the peer takes is cut when its turn comes, and
  // waits while there is no buffer for that. False: there was no memory to keep it, so the connection has
  // ended and let go of the segment.
  bool push(Context& ctx, Segment& s);
  // Puts a small segment behind the bytes of the last one, if that waits to be sent: a peer that does not
  // read must not fill our buffers with crumbs. False: `s` stays the caller's.
  bool append(Segment& s);
  // FIN after everything pushed. Idempotent.
  void finish(Context& ctx);
  // RST to the peer if it knows the connection, and closed at once.
  void reset(Context& ctx, Failure why = Failure::aborted);
  // Closed at once, without a word to the peer.
  void vanish(Context& ctx, Failure why);
  // ICMP says that the segment at `seq` was larger than the path's `mtu` (0: it does not say how much it
  // takes).
  void packet_too_big(Context& ctx, SubSeq seq, std::uint16_t mtu);
  // ICMP says that the segment at `seq` reached nobody.
  void unreachable(Context& ctx, SubSeq seq);
  // Whether `syn` may open a new connection in the place of this one, which is in TIME-WAIT (RFC 6191 2).
  [[nodiscard]] bool may_reopen(const wire::TcpFrame& syn) const;
  // Whether a connection of ours may take the place of this one in TIME-WAIT: the peer will tell segments of
  // both apart by timestamps that have moved on (RFC 7323 5.5's PAWS).
  [[nodiscard]] bool may_replace(const Context& ctx) const;
  // The user is gone: what is left of the close may take Timeouts::fin_wait, then the connection is reset.
  void linger(Context& ctx);

  void touch(Context& ctx) {
    if (state_ == State::time_wait) TouchHook::unlink();  // off the list of those that wait
    if (state_ != State::closed && !TouchHook::linked()) ctx.touched.push_back(*this);
  }
  // An old sequence number that draws an acknowledgement.
  void probe(Context& ctx) {
    probe_due_ = true;
    touch(ctx);
  }
  // There is reason to think that the peer is gone: it is asked a few times, and without an answer the
  // connection is reset.
  void doubt(Context& ctx);
  void ack_soon(Context& ctx) {
    ack_now_ = true;
    touch(ctx);
  }

  // A segment without payload, for options that ride on no other, even if data goes out this turn.
  void bare_soon(Context& ctx) {
    bare_due_ = true;
    ack_soon(ctx);
  }
  // Whether one more of them would not be the third in a row that acknowledges nothing: a middlebox may read
  // these as a sign of congestion (RFC 8684 3).
  [[nodiscard]] bool may_signal() const { return signals_ < kMostSignals || unacked_in() != 0; }

  [[nodiscard]] const Flow& flow() const { return flow_; }
  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] bool synchronised() const { return state_ >= State::established; }
  [[nodiscard]] bool can_send() const { return state_ == State::established || state_ == State::close_wait; }
  // The peer's FIN has come, and all before it.
  [[nodiscard]] bool peer_closed() const { return fin_received_; }
  [[nodiscard]] const Rtt& rtt() const { return rtt_; }
  [[nodiscard]] std::uint32_t cwnd() const { return cc_.cwnd; }
  // Bytes that go in a round trip, as the windows of both ends are now; 0: nothing is on the way.
  [[nodiscard]] std::uint32_t per_rtt() const { return in_flight() == 0 ? 0 : std::min(cc_.cwnd, snd_wnd_); }
  // Bytes before what is pushed now: on the way, lost, not sent yet.
  [[nodiscard]] std::uint32_t bytes_ahead() const {
    return in_flight() + flight_->lost_bytes + flight_->unsent_bytes;
  }
  [[nodiscard]] std::uint32_t in_flight() const {
    const auto fin = fin_sent_ && !fin_acked_ ? 1U : 0U;  // no byte: it must not hold back a retransmission
    const auto out = static_cast<std::uint32_t>(snd_nxt_ - snd_una_) - fin;
    const std::uint32_t gone = flight_->sacked_bytes + flight_->lost_bytes;
    return out > gone ? out - gone : 0;  // an ACK inside a lost segment leaves it counted whole
  }
  [[nodiscard]] std::uint16_t mss() const { return mss_; }
  // Bytes the congestion and the peer's window let out beyond what is queued already.
  [[nodiscard]] std::uint32_t send_room() const;
  [[nodiscard]] bool has_unsent() const { return flight_->unsent != nullptr; }
  [[nodiscard]] unsigned backoffs() const { return backoffs_; }
  // A probe or a retransmission is out and nothing was heard since.
  [[nodiscard]] bool unanswered() const { return backoffs_ != 0 || flight_->probing; }
  [[nodiscard]] SubSeq initial_receive() const { return irs_; }
  [[nodiscard]] SubSeq initial_send() const { return iss_; }
  [[nodiscard]] SubSeq receive_next() const { return rcv_nxt_; }
  [[nodiscard]] SubSeq send_next() const { return snd_nxt_; }
  [[nodiscard]] SubSeq send_unacknowledged() const { return snd_una_; }
  // Bytes behind send_unacknowledged() that the peer takes, as it said last.
  [[nodiscard]] std::uint32_t peer_window() const { return snd_wnd_; }
  // What the connection has on the way, to look at.
  [[nodiscard]] const Flight& flight() const { return *flight_; }
  [[nodiscard]] bool timestamps_on() const { return ts_on_; }
  [[nodiscard]] std::uint32_t retransmissions() const { return retransmissions_; }
  [[nodiscard]] Duration rto() const { return rtt_.rto(backoffs_); }
  [[nodiscard]] Segment* send_head() const { return flight_->head; }
  [[nodiscard]] std::uint32_t last_heard_ms() const { return last_heard_ms_; }

  // Running totals of payload bytes, retransmissions not counted.
  std::uint64_t bytes_out = 0;
  std::uint64_t bytes_in = 0;

 protected:
  // Cached answer of the route table; whose link address is wanted is asked again when it is unresolved.
  struct Path {
    std::uint32_t generation = 0;  // of the table; 0: never asked
    std::uint16_t mtu = 0;
    wire::LinkId link = 0;
    bool resolved = false;
    Mac destination;
  };

  // ---- hooks ----
  // Options of our SYN or SYN/ACK beyond TCP's own.
  virtual void write_syn_options(Context&, wire::OptionBuffer&) {}
  // Options of any other segment; `s` is nullptr for one without payload.
  virtual void write_options(Context&, wire::OptionBuffer&, Segment* /*s*/) {}
  // Options of a RST.
  virtual void write_reset_options(Context&, wire::OptionBuffer&) {}
  // Flags of a RST besides RST itself.
  [[nodiscard]] virtual std::uint8_t reset_flags() const { return wire::kAck; }
  // The peer's SYN once more, before our SYN/ACK is.
  virtual void on_repeated_syn(Context&, const wire::TcpFrame&) {}
  // The segment that completes a passive open. False: the hook has ended the connection, or waits for another
  // segment; it has counted why.
  virtual bool on_third_ack(Context&, const wire::TcpFrame&) { return true; }
  // The SYN/ACK of an active open. False: the hook has ended the connection.
  virtual bool on_syn_ack(Context&, const wire::TcpFrame&) { return true; }
  virtual void on_established(Context&) {}
  // Options of every acceptable segment of a synchronised connection. False: the hook has ended the
  // connection.
  virtual bool on_options(Context&, const wire::TcpFrame&) { return true; }
  // A segment with payload has arrived, in order or not, before on_payload() of it.
  virtual void on_arrival(Context&, Segment&, const wire::TcpFrame&) {}
  // In-order payload; takes the segment over.
  virtual void on_payload(Context& ctx, Segment& s) = 0;
  // The peer's FIN, in order.
  virtual void on_fin(Context&) {}
  // Before output() decides what to send: the hook may push() more.
  virtual void before_output(Context&) {}
  // A queued segment was cut in two; `rest` follows `s` in the send queue and has no flag but kInSent.
  virtual void on_split(Segment& /*s*/, Segment& /*rest*/) {}
  // A segment has left the send queue, acknowledged or because the connection ended; takes it over.
  virtual void on_unqueued(Context& ctx, Segment& s) = 0;
  // Window or congestion window opened, or everything sent was acknowledged.
  virtual void on_send_room(Context&) {}
  // A round trip has ended that delivered so many bytes per millisecond; `limited`: the window let out no
  // more.
  virtual void on_rate(std::uint32_t /*rate*/, bool /*limited*/) {}
  // Nothing was heard for a probe or retransmission time-out while data was in flight.
  virtual void on_silence(Context&) {}
  virtual void on_time_wait(Context&) {}
  // A segment whose options need the space of the timestamps.
  [[nodiscard]] virtual bool omit_timestamps(const Segment* /*s*/) const { return false; }
  // State closed was reached; `why` is none after a clean close. The object is freed at the end of the turn.
  virtual void on_closed(Context& ctx, Failure why) = 0;
  // Whether bytes received in order wait for the other side.
  [[nodiscard]] virtual bool holds_unread() const = 0;
  // Bytes the peer may send beyond what was received in order.
  virtual std::uint32_t receive_room(const Context& ctx) const = 0;
  // Whether receive_room() is the window to advertise (a subflow's, which is its session's), or the room for
  // a right edge of this connection, which never moves left.
  [[nodiscard]] virtual bool shared_window() const { return false; }
  [[nodiscard]] WindowGrain window_grain() const;
  // Whether there is room for so many more bytes that have come ahead of their turn.
  [[nodiscard]] virtual bool may_keep(std::uint32_t /*bytes*/) const { return true; }
  // Bytes of options that every data segment carries besides TCP's own.
  [[nodiscard]] virtual std::uint16_t option_overhead() const { return 0; }

  // The window field of a segment from the peer, in bytes.
  [[nodiscard]] std::uint32_t window_of(const wire::TcpFrame& f) const {
    return static_cast<std::uint32_t>(f.window) << snd_scale_;
  }
  void recompute_mss(std::uint16_t overhead_before);
  [[nodiscard]] std::uint32_t unordered_bytes() const { return flight_->early.bytes(); }
  // What the connection has on the way, to write to; nullptr when there is no memory for it.
  Flight* busy(Context& ctx);
  // As bare_soon(), and now.
  void signal_at_once(Context& ctx) {
    bare_due_ = true;
    send_ack(ctx);
  }
  void restart_after_idle(const Context& ctx);
  std::uint32_t budget_ = 0;  // bytes of receive buffer at most

 private:
  struct Ack;  // one acknowledgement's effect

  // input.cpp
  void receive_syn_sent(Context& ctx, const wire::TcpFrame& f, rte_mbuf* m);
  void receive_time_wait(Context& ctx, const wire::TcpFrame& f, rte_mbuf* m);
  bool acceptable(Context& ctx, const wire::TcpFrame& f, rte_mbuf* m);
  bool paws_ok(const Context& ctx, const wire::TcpFrame& f) const;
  bool handle_reset_or_syn(Context& ctx, const wire::TcpFrame& f, rte_mbuf* m);
  void refuse_ack(Context& ctx, const wire::TcpFrame& f);
  void take_peer_options(Context& ctx, const wire::TcpFrame& syn);
  void become_established(Context& ctx, const wire::TcpFrame& f);
  bool may_challenge(const Context& ctx);
  void challenge(Context& ctx);
  // receiver.cpp
  void receive_payload(Context& ctx, const wire::TcpFrame& f, rte_mbuf* m);
  void deliver(Context& ctx, Segment& s);
  void deliver_early(Context& ctx);
  void note_twice(Context& ctx, SubSeq begin, SubSeq end);
  void handle_fin(Context& ctx, const wire::TcpFrame& f);
  void fin_arrived(Context& ctx);
  // ack.cpp
  bool receive_ack(Context& ctx, const wire::TcpFrame& f);
  void update_window(Context& ctx, const wire::TcpFrame& f);
  void mark_sacked(Context& ctx, const wire::TcpFrame& f, Ack& a);
  void mark_block(Context& ctx, const wire::SackBlock& b, unsigned& steps, Ack& a);
  Segment* find_sent(SubSeq begin, unsigned& steps);
  Segment* behind_run(Segment& first);
  void remove_acked(Context& ctx, SubSeq ack, Ack& a);
  void note_delivery(Context& ctx, Segment& s, Ack& a);
  void detect_losses(Context& ctx, Ack& a);
  void measure_rate(const Context& ctx, const Ack& a);
  void grow_window(const Context& ctx, const Ack& a);
  void reduce_window(const Ack& a, bool more_lost);
  bool rack_losses(Context& ctx);
  void mark_lost(Segment& s);
  void leave_scoreboard(Segment& s);
  void enter_recovery(Context& ctx);
  void our_fin_acked(Context& ctx);
  // output.cpp
  void send_syn(Context& ctx);
  void send_segment(Context& ctx, Segment& s);
  void send_fin(Context& ctx);
  void send_ack(Context& ctx);
  void send_probe(Context& ctx);
  void send_reset(Context& ctx);
  bool retransmit_lost(Context& ctx, unsigned& left);
  bool send_new(Context& ctx, unsigned& left);
  bool pace(Context& ctx, std::uint32_t pipe);
  void send_first(Context& ctx);
  // Whether there is something to tell that only a segment without payload has room for.
  [[nodiscard]] bool has_sack() const {
    return sack_on_ && (!flight_->early.empty() || flight_->twice_begin != flight_->twice_end);
  }
  [[nodiscard]] std::uint32_t most_segments() const {
    return limits::kSegmentsOnTheWay + 2 * (cc_.cwnd / mss_);
  }
  // Sequence numbers received and not acknowledged yet.
  [[nodiscard]] std::uint32_t unacked_in() const {
    return static_cast<std::uint32_t>(rcv_nxt_ - last_ack_sent_);
  }
  [[nodiscard]] std::uint32_t limited_transmit() const;
  bool fit_to_window(Context& ctx, Segment& s);
  void transmit(Context& ctx, rte_mbuf* m, std::byte* payload, const wire::FrameOut& out,
                wire::OptionBuffer& o);
  void transmit_bare(Context& ctx, SubSeq seq, std::uint8_t flags, wire::OptionBuffer& o);
  void write_sack(wire::OptionBuffer& o);
  void write_common_options(Context& ctx, wire::OptionBuffer& o, Segment* s);
  [[nodiscard]] std::uint32_t standing_window() const;
  [[nodiscard]] std::uint32_t window(const Context& ctx) const;
  std::uint16_t advertise(Context& ctx, bool syn);
  bool window_update_due(const Context& ctx) const;
  bool find_path(Context& ctx);
  Segment* next_lost();
  // ecn.cpp
  [[nodiscard]] std::uint8_t ecn_of_syn() const;
  void agree_on_ecn(const wire::TcpFrame& f);
  void note_congestion_mark(Context& ctx, const wire::TcpFrame& f);
  void hear_congestion_echo(Context& ctx, const wire::TcpFrame& f);
  void mark_new_data(wire::FrameOut& out);
  [[nodiscard]] std::uint8_t ack_flags() const {
    return static_cast<std::uint8_t>(wire::kAck | (ecn_echo_ ? wire::kEce : 0));
  }
  // undo.cpp
  void remember_window();
  void note_retransmission(const Context& ctx);
  void undo_by_timestamp(Context& ctx, const wire::TcpFrame& f);
  void undo_by_duplicate(Context& ctx, SubSeq end);
  void undo(Context& ctx);
  // path_mtu.cpp
  [[nodiscard]] std::uint16_t payload_for(std::uint16_t mtu) const;
  [[nodiscard]] bool is_large(const Segment& s) const;
  void lower_mtu(Context& ctx, std::uint16_t mtu);
  void suspect_black_hole(Context& ctx);
  bool cut(Context& ctx, Segment& s, std::uint16_t n);
  // timers.cpp
  void arm_send_timer(Context& ctx);
  void set_timer(Context& ctx, SendTimer what, Instant due);
  void file_alarm(Context& ctx);
  void on_send_timer(Context& ctx);
  [[nodiscard]] bool shut_out() const;
  void retransmit_timeout(Context& ctx);
  void tail_probe(Context& ctx);
  void on_life_timer(Context& ctx);
  void ask_again(Context& ctx);
  void settle(Context& ctx);
  void empty_queues(Context& ctx);
  void become(Context& ctx, State next);
  void close(Context& ctx, Failure why);

  Flow flow_;
  Path path_;

  // Sequence state, RFC 9293 3.3.1.
  SubSeq iss_, snd_una_, snd_nxt_, snd_wl1_, snd_wl2_;
  SubSeq irs_, rcv_nxt_, rcv_edge_;  // rcv_edge_: right edge of the window last advertised
  SubSeq fin_seq_;                   // of the peer's FIN that came ahead of data
  SubSeq last_ack_sent_;
  std::uint32_t snd_wnd_ = 0;
  std::uint32_t max_snd_wnd_ = 0;

  std::uint32_t ts_recent_ = 0;
  std::uint32_t ts_offset_ = 0;

  Flight* flight_ = &Flight::none();
  Rtt rtt_;
  CongestionState cc_;

  Deadline ack_due_;   // delayed acknowledgement
  Deadline life_due_;  // of the state: handshake, keepalive, FIN_WAIT_2, TIME_WAIT
  std::uint32_t last_heard_ms_ = 0;
  // ticks(), which wrap after 18 minutes: a stamp that seems young by chance does no harm.
  std::uint16_t last_challenge_ = 0;  // 0: none
  std::uint16_t last_data_ = 0;       // sent
  std::uint32_t retransmissions_ = 0;

  std::uint16_t mss_ = 536;         // payload bytes per segment we send, options taken off
  std::uint16_t offered_mss_ = 0;   // in our SYN
  std::uint16_t peer_segment_ = 0;  // largest payload received
  State state_ = State::closed;
  CongestionKind congestion_;
  wire::IpFields ip_;
  std::uint8_t snd_scale_ : 4 = 0;  // at most 14 (RFC 7323 2.3)
  std::uint8_t rcv_scale_ : 4 = 0;
  std::uint8_t backoffs_ = 0;
  std::uint8_t keepalives_ = 0;
  bool ts_on_ : 1 = false;
  bool sack_on_ : 1 = false;
  bool scale_on_ : 1 = false;
  bool ack_now_ : 1 = false;
  bool bare_due_ : 1 = false;
  bool retransmit_first_ : 1 = false;  // the next retransmission does not wait for the congestion window
  bool syn_due_ : 1 = false;           // SYN or SYN/ACK to be sent (again)
  bool fin_wanted_ : 1 = false;
  bool fin_sent_ : 1 = false;
  bool fin_due_ : 1 = false;  // FIN to be sent again
  bool fin_acked_ : 1 = false;
  bool fin_seen_ : 1 = false;  // fin_seq_ is valid
  bool fin_received_ : 1 = false;
  bool reordering_ : 1 = false;  // seen on this path (RFC 8985 6.2 step 3)
  bool probe_due_ : 1 = false;   // window or keepalive probe to be sent
  bool cwnd_limited_ : 1 = false;
  bool lingering_ : 1 = false;    // no user any more
  bool doubted_ : 1 = false;      // asked whether it is there, and not heard since
  bool ecn_on_ : 1 = false;       // agreed on, or asked for while the handshake lasts
  bool ecn_echo_ : 1 = false;     // a mark has come that the peer has not answered yet
  bool cwr_due_ : 1 = false;      // the window was reduced: the next new data says so
  bool small_tried_ : 1 = false;  // a piece of a large segment was sent alone to see whether size matters
  static constexpr unsigned kMostSignals = 2;
  std::uint8_t signals_ : 2 = 0;  // sent in a row by bare_soon() that acknowledged nothing
};

}  // namespace braid::tcp
