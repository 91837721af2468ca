// An acknowledgement comes in: window, RACK loss detection (RFC 8985), recovery.
#include "tcp/ack.hpp"

#include <algorithm>

#include "tcp/connection.hpp"

namespace braid::tcp {

using stats::Counter;

bool Connection::receive_ack(Context& ctx, const wire::TcpFrame& f) {
  if (after(f.ack, snd_nxt_)) {  // RFC 5961 5.2: acknowledges what was never sent
    challenge(ctx);
    return false;
  }
  if (before(f.ack, snd_una_ - std::max(max_snd_wnd_, 0xffffU))) {
    challenge(ctx);
    return false;
  }
  Ack a;
  a.flight_before = in_flight();
  a.timed_out = flight_->recovery == Recovery::timeout;
  const SubSeq una_before = snd_una_;
  const std::uint32_t window_before = snd_wnd_;
  update_window(ctx, f);
  if (sack_on_ && f.options.sack_count != 0 && flight_ != &Flight::none()) mark_sacked(ctx, f, a);
  if (after(f.ack, snd_una_)) {
    remove_acked(ctx, f.ack, a);
    undo_by_timestamp(ctx, f);
    flight_->progress_ms = millis(ctx.now);
    backoffs_ = 0;
    flight_->duplicate_acks = 0;
  } else if (!sack_on_ && f.ack == snd_una_ && f.payload_length == 0 && flight_->head != flight_->unsent &&
             window_before == snd_wnd_ && flight_->duplicate_acks < 255 &&
             (f.options.mptcp.present & ~wire::kMpDss) == 0) {  // a signal is none (RFC 8684 3)
    ++flight_->duplicate_acks;
    a.duplicate = true;
  }
  // Not before: only what an earlier acknowledgement left out has been overtaken (RFC 8985 6.2 step 3).
  if (a.sacked) flight_->high_sacked = later(flight_->high_sacked, a.highest);
  if (a.rtt_us != 0) {
    rtt_.sample(a.rtt_us);
    backoffs_ = 0;  // RFC 6298 5 (7): the doubled value ends with the next measurement
  }
  if (flight_->recovery != Recovery::open && at_or_after(snd_una_, flight_->recovery_point)) {
    if (flight_->recovery == Recovery::fast) cc_.cwnd = cc_.ssthresh;
    flight_->recovery = Recovery::open;
    flight_->delivery.restart();  // what filled a hole at once is no rate
    cc_.cwnd = std::max(cc_.cwnd, mss_ + 0U);
  }
  if (a.delivered != 0) measure_rate(ctx, a);
  const std::uint32_t lost_before = flight_->lost_bytes;
  if (flight_->head != flight_->unsent) detect_losses(ctx, a);
  if (a.delivered != 0) flight_->probing = false;
  hear_congestion_echo(ctx, f);
  if (flight_->recovery == Recovery::fast) {
    reduce_window(a, flight_->lost_bytes > lost_before);
  } else if (a.delivered != 0 && (a.newly_acked != 0 || reordering_) && !(ecn_on_ && f.has(wire::kEce))) {
    // Not by duplicates (RFC 5681 3.2 (1)), unless this path's are known to come from reordering, and not on
    // an echo (RFC 3168 6.1.2).
    grow_window(ctx, a);
  }
  if (fin_sent_ && !fin_acked_ && snd_una_ == snd_nxt_) our_fin_acked(ctx);
  if (state_ != State::closed && (snd_una_ != una_before || a.delivered != 0)) arm_send_timer(ctx);
  if (state_ == State::closed) return true;
  if (a.delivered != 0 || a.duplicate || snd_wnd_ != window_before || flight_->lost_bytes != 0) {
    touch(ctx);
    on_send_room(ctx);
  }
  return true;
}

void Connection::measure_rate(const Context& ctx, const Ack& a) {
  DeliveryRate& delivery = flight_->delivery;
  if (!delivery.on_ack(ctx.now, a.delivered, rtt_.srtt(), snd_una_, snd_nxt_)) return;
  on_rate(delivery.latest(), cwnd_limited_);
  const bool grows = cc_.cwnd < cc_.ssthresh || flight_->resumed.on();
  if (grows && cwnd_limited_ && flight_->recovery == Recovery::open)
    flight_->resumed.on_round(delivery.latest());
}

void Connection::grow_window(const Context& ctx, const Ack& a) {
  std::uint32_t acked = a.delivered;
  const bool slow_start = cc_.cwnd < cc_.ssthresh;
  if (!slow_start && cwnd_limited_ && flight_->resumed.on()) {
    cc_.cwnd += acked / ResumedStart::kDivisor;
    return;
  }
  if (slow_start && cwnd_limited_) {
    bool ends = false;
    acked = flight_->hystart.on_ack(acked, a.rtt_us, snd_una_, snd_nxt_, mss_, ends);
    if (ends) {
      cc_.ssthresh = cc_.cwnd;
      flight_->resumed.on_delay(rtt_.shows_queue());
    }
  }
  const CongestionView view{ctx.now, mss_, rtt_.srtt(), a.flight_before, cwnd_limited_};
  congestion_control(congestion_).on_ack(cc_, flight_->growth, view, acked);
}

// In a fast recovery. A duplicate of a peer without SACK stands for one segment delivered (RFC 6937 3).
void Connection::reduce_window(const Ack& a, bool more_lost) {
  const std::uint32_t newly = a.delivered + (a.duplicate ? mss_ : 0U);
  if (newly == 0) return;
  const std::uint32_t pipe = in_flight();
  const bool safe = a.newly_acked != 0 && !more_lost;
  cc_.cwnd = pipe + flight_->prr.allowance(newly, pipe, cc_.ssthresh, safe, mss_);
}

// RFC 9293 3.10.7.4: only a segment at least as new as the last one that moved the window may move it.
void Connection::update_window(Context& ctx, const wire::TcpFrame& f) {
  const bool newer = before(snd_wl1_, f.seq) || (snd_wl1_ == f.seq && at_or_before(snd_wl2_, f.ack));
  if (!newer || before(f.ack, snd_una_)) return;
  const std::uint32_t window = static_cast<std::uint32_t>(f.window) << snd_scale_;
  snd_wl1_ = f.seq;
  snd_wl2_ = f.ack;
  if (window == snd_wnd_) return;
  const bool was_shut_out = shut_out();
  snd_wnd_ = window;
  max_snd_wnd_ = std::max(max_snd_wnd_, window);
  if (was_shut_out && !shut_out()) {  // what was sent into the closed window goes again
    flight_->progress_ms = millis(ctx.now);
    backoffs_ = 0;
    if (flight_->timer == SendTimer::retransmit) set_timer(ctx, SendTimer::retransmit, ctx.now + rtt_.rto());
  }
  if (flight_->timer == SendTimer::persist && window != 0) {
    backoffs_ = 0;
    set_timer(ctx, SendTimer::none, kNever);
  }
}

void Connection::detect_losses(Context& ctx, Ack& a) {
  bool lost = false;
  if (sack_on_) {
    if (a.delivered != 0 && (flight_->sacked_bytes != 0 || flight_->recovery != Recovery::open))
      lost = rack_losses(ctx);
  } else if ((a.duplicate && flight_->duplicate_acks == 3 && flight_->recovery == Recovery::open) ||
             (a.newly_acked != 0 && flight_->recovery == Recovery::fast)) {
    // RFC 6582: the third duplicate, or a partial acknowledgement, condemns the first segment.
    if (!flight_->head->is(Segment::kLost)) {
      mark_lost(*flight_->head);
      retransmit_first_ = true;
      lost = true;
    }
  }
  if (lost && flight_->recovery == Recovery::open) enter_recovery(ctx);
}

// RFC 8985 6.2 step 5: lost is what was sent before the newest delivery, by more than the reordering window.
bool Connection::rack_losses(Context& ctx) {
  if (flight_->rack_rtt_us == 0) return false;  // nothing was delivered that could condemn another
  std::uint32_t reorder_us = std::min(rtt_.min() / 4 * flight_->reorder_quarters, rtt_.srtt());
  if (!reordering_ && (flight_->recovery != Recovery::open || flight_->sacked_bytes >= 3U * mss_))
    reorder_us = 0;
  const std::uint32_t now = micros(ctx.now);
  bool lost = false;
  while (Segment* s = flight_->order.front()) {
    const auto age = static_cast<std::int32_t>(flight_->rack_sent_us - s->sent_us);
    if (age < 0 || (age == 0 && !after(flight_->rack_end, s->end()))) break;
    const auto remaining = static_cast<std::int32_t>(s->sent_us + flight_->rack_rtt_us + reorder_us - now);
    if (remaining > 0) {  // the others were sent later
      set_timer(ctx, SendTimer::reorder, ctx.now + from_micros(static_cast<std::uint32_t>(remaining)));
      break;
    }
    mark_lost(*s);
    lost = true;
  }
  return lost;
}

void Connection::enter_recovery(Context& ctx) {
  remember_window();
  flight_->recovery = Recovery::fast;
  flight_->prr = {.flight = std::max(static_cast<std::uint32_t>(snd_nxt_ - snd_una_), 1U)};
  flight_->recovery_point = snd_nxt_;
  flight_->ecn_point = snd_nxt_;  // a reduction answers marks too, whatever its reason (RFC 3168 6.1.2)
  cwr_due_ = ecn_on_;
  retransmit_first_ = true;
  const CongestionView view{ctx.now, mss_, rtt_.srtt(), static_cast<std::uint32_t>(snd_nxt_ - snd_una_),
                            true};
  flight_->resumed.on_loss(cc_.cwnd, cc_.cwnd < cc_.ssthresh, rtt_.shows_queue());
  congestion_control(congestion_).on_loss(cc_, flight_->growth, view);
  cc_.cwnd = in_flight();  // the first retransmission goes all the same, the others as acknowledgements come
  ctx.count(Counter::tcp_fast_recoveries);
  touch(ctx);
}

void Connection::our_fin_acked(Context& ctx) {
  fin_acked_ = true;
  on_send_room(ctx);
  switch (state_) {
    case State::fin_wait_1:
      become(ctx, State::fin_wait_2);
      break;
    case State::closing:
      become(ctx, State::time_wait);
      break;
    case State::last_ack:
      close(ctx, Failure::none);
      break;
    case State::closed:
    case State::syn_sent:
    case State::syn_received:
    case State::established:
    case State::fin_wait_2:
    case State::close_wait:
    case State::time_wait:
      break;
  }
}

}  // namespace braid::tcp
