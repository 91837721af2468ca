// A segment comes in: RFC 9293 3.10.7, in its order, with the checks of RFC 5961 and RFC 7323.
#include <algorithm>

#include "tcp/connection.hpp"

namespace braid::tcp {

using stats::Counter;
using stats::Drop;
using wire::TcpFrame;

void Connection::receive(Context& ctx, const TcpFrame& f, rte_mbuf* m) {
  switch (state_) {
    case State::closed:
      return ctx.drop(m, Drop::no_connection);
    case State::syn_sent:
      return receive_syn_sent(ctx, f, m);
    case State::time_wait:
      return receive_time_wait(ctx, f, m);
    case State::syn_received:
    case State::established:
    case State::fin_wait_1:
    case State::fin_wait_2:
    case State::close_wait:
    case State::closing:
    case State::last_ack:
      break;
  }
  if (!acceptable(ctx, f, m)) return;
  if (f.has(wire::kRst) || f.has(wire::kSyn)) {
    handle_reset_or_syn(ctx, f, m);
    return;
  }
  if (!f.has(wire::kAck)) return ctx.drop(m, Drop::bad_flags);
  last_heard_ms_ = millis(ctx.now);
  keepalives_ = 0;
  doubted_ = false;
  if (state_ == State::syn_received) {
    if (f.ack != snd_nxt_) {  // 3.10.7.4: not the acknowledgement of our SYN
      refuse_ack(ctx, f);
      return ctx.drop(m, Drop::bad_ack);
    }
    if (!on_third_ack(ctx, f)) return rte_pktmbuf_free(m);
    become_established(ctx, f);
  }
  if (!receive_ack(ctx, f)) return ctx.drop(m, Drop::bad_ack);
  if (ts_on_ && f.options.has_timestamps && at_or_before(f.seq, last_ack_sent_)) {  // RFC 7323 4.3
    ts_recent_ = f.options.ts_value;
  }
  if (state_ == State::closed || !on_options(ctx, f) || state_ == State::closed) return rte_pktmbuf_free(m);
  if (f.payload_length != 0) {
    receive_payload(ctx, f, m);
  } else {
    rte_pktmbuf_free(m);
  }
  if (f.has(wire::kFin) && state_ != State::closed) handle_fin(ctx, f);
}

// RFC 7323 5.3; an idle connection's old timestamp is no evidence after 24 days (5.5).
bool Connection::paws_ok(const Context& ctx, const TcpFrame& f) const {
  if (!ts_on_ || !f.options.has_timestamps || f.has(wire::kRst)) return true;
  if (static_cast<std::int32_t>(f.options.ts_value - ts_recent_) >= 0) return true;
  constexpr std::uint32_t k24Days = 24U * 24 * 3600 * 1000;
  return millis(ctx.now) - last_heard_ms_ > k24Days;
}

// First checks: timestamps, then the sequence number (RFC 9293 3.10.7.4 "First").
bool Connection::acceptable(Context& ctx, const TcpFrame& f, rte_mbuf* m) {
  if (!paws_ok(ctx, f)) {
    ack_soon(ctx);
    ctx.drop(m, Drop::paws);
    return false;
  }
  // A subflow's window is its session's, which another subflow may have opened further (RFC 8684 3.3.1), so
  // its own left-over does not police it: up to a whole budget is taken.
  const std::uint32_t own = static_cast<std::uint32_t>(std::max<std::int32_t>(rcv_edge_ - rcv_nxt_, 0));
  const std::uint32_t window = shared_window() ? std::max(own, budget_) : own;
  const std::uint32_t length = f.seq_length();
  const SubSeq last = length == 0 ? f.seq : f.seq + (length - 1);
  const SubSeq edge = rcv_nxt_ + window;
  const bool starts_in = at_or_after(f.seq, rcv_nxt_) && before(f.seq, edge);
  const bool ends_in = at_or_after(last, rcv_nxt_) && before(last, edge);
  if (starts_in || ends_in || (length == 0 && f.seq == rcv_nxt_)) return true;
  // A closed window takes no data, but ACKs and RSTs at its edge still count.
  if (window == 0 && f.seq == rcv_nxt_ && length != 0 && !f.has(wire::kSyn)) {
    if (f.has(wire::kRst)) return true;
    if (f.has(wire::kAck) && receive_ack(ctx, f) && state_ != State::closed) on_options(ctx, f);
    if (state_ != State::closed) ack_soon(ctx);
    ctx.drop(m, Drop::receive_budget);
    return false;
  }
  if (f.has(wire::kRst)) {
    ctx.drop(m, Drop::bad_reset);
    return false;
  }
  if (state_ == State::syn_received && f.has(wire::kSyn) && f.seq == irs_) {  // our SYN/ACK was lost
    on_repeated_syn(ctx, f);
    agree_on_ecn(f);
    syn_due_ = true;
    touch(ctx);
    ctx.drop(m, Drop::old_duplicate);
    return false;
  }
  // Two ends that a middlebox has brought out of step would answer each other's ACKs for ever.
  if (length != 0 || may_challenge(ctx)) ack_soon(ctx);
  if (before(last, rcv_nxt_)) note_twice(ctx, f.seq, f.seq + f.payload_length);
  ctx.drop(m, before(last, rcv_nxt_) ? Drop::old_duplicate : Drop::out_of_window);
  return false;
}

bool Connection::handle_reset_or_syn(Context& ctx, const TcpFrame& f, rte_mbuf* m) {
  if (f.has(wire::kRst)) {
    if (f.seq != rcv_nxt_) {  // RFC 5961 3.2
      challenge(ctx);
      ctx.drop(m, Drop::challenge_reset);
      return false;
    }
    ctx.count(Counter::tcp_resets_received);
    if (on_options(ctx, f) && state_ != State::closed)
      close(ctx, state_ == State::syn_received ? Failure::refused : Failure::reset);
    rte_pktmbuf_free(m);
    return false;
  }
  challenge(ctx);  // RFC 5961 4.2
  ctx.drop(m, Drop::challenge_syn);
  return false;
}

// RFC 5961 7, with a limit per connection: a global one is a side channel (CVE-2016-5696).
bool Connection::may_challenge(const Context& ctx) {
  constexpr std::uint16_t kTicks = 6;  // 100 ms
  const std::uint16_t now = ticks(ctx.now);
  if (last_challenge_ != 0 && static_cast<std::uint16_t>(now - last_challenge_) < kTicks) return false;
  last_challenge_ = std::max<std::uint16_t>(now, 1);
  return true;
}

void Connection::challenge(Context& ctx) {
  if (!may_challenge(ctx)) return;
  ctx.count(Counter::tcp_challenge_acks);
  ack_soon(ctx);
}

void Connection::take_peer_options(Context& ctx, const TcpFrame& syn) {
  const auto& o = syn.options;
  irs_ = syn.seq;
  rcv_nxt_ = syn.seq + 1;
  rcv_edge_ = rcv_nxt_;
  last_ack_sent_ = rcv_nxt_;
  agree_on_ecn(syn);
  ts_on_ = o.has_timestamps;
  sack_on_ = o.sack_permitted;
  scale_on_ = o.has_window_scale;
  snd_scale_ = scale_on_ ? o.window_scale : 0;
  if (!scale_on_) rcv_scale_ = 0;
  if (ts_on_) {
    ts_recent_ = o.ts_value;
    if (ts_offset_ == 0) ts_offset_ = timestamp_offset(ctx, flow_);
  }
  const bool v4 = flow_.local.ip.is_v4();
  std::uint32_t mss = o.has_mss ? o.mss : v4 ? 536 : 1220;  // RFC 9293 3.7.1
  const auto headers = (v4 ? wire::kIpv4Header : wire::kIpv6Header) + wire::kTcpHeader;
  mss = std::min<std::uint32_t>(mss, path_.mtu - static_cast<std::uint32_t>(headers));
  mss = std::max(mss, limits::kMinSegment);
  mss_ = static_cast<std::uint16_t>(mss - (ts_on_ ? 12U : 0U) - option_overhead());
  cc_.cwnd = initial_window(mss_);
  snd_wnd_ = syn.window;  // never scaled on a SYN (RFC 7323 2.2)
  max_snd_wnd_ = snd_wnd_;
  snd_wl1_ = syn.seq;
  snd_wl2_ = syn.ack;
}

// A reset that whoever sent this acknowledgement believes, and nobody else.
void Connection::refuse_ack(Context& ctx, const TcpFrame& f) {
  wire::OptionBuffer none;
  ctx.count(Counter::tcp_resets_sent);
  transmit_bare(ctx, f.ack, wire::kRst, none);
}

void Connection::receive_syn_sent(Context& ctx, const TcpFrame& f, rte_mbuf* m) {
  const bool good_ack = f.has(wire::kAck) && f.ack == snd_nxt_ && snd_nxt_ != iss_;
  if (f.has(wire::kAck) &&
      !good_ack) {  // an older connection's end: a reset makes it forget (RFC 9293 3.10.7.3)
    if (!f.has(wire::kRst)) refuse_ack(ctx, f);
    return ctx.drop(m, Drop::bad_ack);
  }
  if (f.has(wire::kRst)) {
    if (!good_ack) return ctx.drop(m, Drop::bad_reset);
    ctx.count(Counter::tcp_resets_received);
    close(ctx, Failure::refused);
    return rte_pktmbuf_free(m);
  }
  if (!f.has(wire::kSyn) || !good_ack)
    return ctx.drop(m, Drop::bad_flags);  // no simultaneous open: we never listen there
  take_peer_options(ctx, f);
  snd_una_ = snd_nxt_;
  if (!on_syn_ack(ctx, f)) return rte_pktmbuf_free(m);
  become_established(ctx, f);
  ack_soon(ctx);
  rte_pktmbuf_free(m);
}

void Connection::become_established(Context& ctx, const TcpFrame& f) {
  if (backoffs_ == 0) rtt_.sample(micros(ctx.now) - flight_->rack_sent_us);  // since send_syn()
  backoffs_ = 0;
  snd_una_ = snd_nxt_;
  syn_due_ = false;
  snd_wnd_ = state_ == State::syn_received ? static_cast<std::uint32_t>(f.window) << snd_scale_ : f.window;
  max_snd_wnd_ = std::max(max_snd_wnd_, snd_wnd_);
  snd_wl1_ = f.seq;
  snd_wl2_ = f.ack;
  last_heard_ms_ = millis(ctx.now);
  if (flight_ != &Flight::none()) flight_->progress_ms = last_heard_ms_;
  set_timer(ctx, SendTimer::none, kNever);
  become(ctx, State::established);
  on_established(ctx);
  touch(ctx);
}

bool Connection::may_reopen(const TcpFrame& syn) const {
  if (state_ != State::time_wait || !syn.has(wire::kSyn) || syn.has(wire::kAck) || syn.has(wire::kRst))
    return false;
  if (ts_on_ && syn.options.has_timestamps && syn.options.ts_value != ts_recent_)
    return static_cast<std::int32_t>(syn.options.ts_value - ts_recent_) > 0;
  return at_or_after(syn.seq, rcv_nxt_);
}

bool Connection::may_replace(const Context& ctx) const {
  return state_ == State::time_wait && ts_on_ && millis(ctx.now) - last_heard_ms_ >= 1000;
}

void Connection::receive_time_wait(Context& ctx, const TcpFrame& f, rte_mbuf* m) {
  // RFC 1337: a RST does not end TIME-WAIT early; the peer's FIN, repeated, is acknowledged again and
  // restarts it.
  if (f.has(wire::kFin) && !f.has(wire::kRst) && f.seq + f.seq_length() == rcv_nxt_) {
    become(ctx, State::time_wait);
    ack_soon(ctx);
  } else if (!f.has(wire::kRst) && f.seq_length() != 0 && may_challenge(ctx)) {
    ack_soon(ctx);
  }
  ctx.drop(m, Drop::after_close);
}

}  // namespace braid::tcp
