// A connection's alarm: one entry on the wheel stands for the earliest of four deadlines.
#include <algorithm>

#include "tcp/connection.hpp"

namespace braid::tcp {

using stats::Counter;

namespace {
constexpr unsigned kKeepaliveProbes = 9;
constexpr unsigned kPersistWhenScarce = 5;  // probes: from 6 s on
constexpr Duration kKeepaliveInterval = std::chrono::seconds(75);
// RFC 8985 7.2: the peer may hold back the ACK of a single segment.
constexpr Duration kWorstDelayedAck = std::chrono::milliseconds(50);
// The peer's own turns: on a path of microseconds two round trips are over before it has looked.
constexpr Duration kProbeSlack = std::chrono::milliseconds(2);
}  // namespace

void Connection::file_alarm(Context& ctx) {
  const Instant due =
      std::min({flight_->send_due, flight_->pace_due, ack_due_.at(ctx.now), life_due_.at(ctx.now)});
  if (due != kNever) ctx.wheel.arm_sooner(*this, due);
}

// Without anything on the way there is nothing to time.
void Connection::set_timer(Context& ctx, SendTimer what, Instant due) {
  if (flight_ == &Flight::none()) return;
  flight_->timer = what;
  flight_->send_due = due;
  if (due != kNever) ctx.wheel.arm_sooner(*this, due);
}

void Connection::on_alarm(Context& ctx) {
  if (ack_due_.reached(ctx.now)) {
    ack_due_ = {};
    ack_soon(ctx);
  }
  if (flight_->pace_due <= ctx.now) {
    flight_->pace_due = kNever;
    touch(ctx);
  }
  if (flight_->send_due <= ctx.now) on_send_timer(ctx);
  if (state_ != State::closed && life_due_.reached(ctx.now)) on_life_timer(ctx);
  if (state_ != State::closed) file_alarm(ctx);
}

// Chooses what the send timer waits for, given what is outstanding.
void Connection::arm_send_timer(Context& ctx) {
  const bool outstanding = flight_->head != flight_->unsent || (fin_sent_ && !fin_acked_) || !synchronised();
  if (!outstanding) {
    // By the peer's window, or for want of a buffer: then, too, nobody but this alarm tries again.
    const bool blocked = flight_->unsent != nullptr;
    return set_timer(ctx, blocked ? SendTimer::persist : SendTimer::none,
                     blocked ? ctx.now + rtt_.rto(backoffs_) : kNever);
  }
  if (flight_->timer == SendTimer::reorder && flight_->send_due > ctx.now) return;
  const Duration rto = rtt_.rto(backoffs_);
  if (sack_on_ && flight_->recovery == Recovery::open && flight_->sacked_bytes == 0 && !flight_->probing &&
      backoffs_ == 0 && rtt_.known() && synchronised()) {
    Duration pto = from_micros(2 * rtt_.srtt()) + kProbeSlack;  // RFC 8985 7.2
    const Segment* first = flight_->head;                       // nullptr: the FIN alone
    if (first == nullptr || first->sent_next == flight_->unsent) pto += kWorstDelayedAck;
    if (pto < rto) return set_timer(ctx, SendTimer::probe, ctx.now + pto);
  }
  set_timer(ctx, SendTimer::retransmit, ctx.now + rto);
}

void Connection::on_send_timer(Context& ctx) {
  const SendTimer fired = flight_->timer;
  set_timer(ctx, SendTimer::none, kNever);
  touch(ctx);
  switch (fired) {
    case SendTimer::none:
      return;
    case SendTimer::retransmit:
      return retransmit_timeout(ctx);
    case SendTimer::probe:
      return tail_probe(ctx);
    case SendTimer::reorder:
      if (flight_->head != flight_->unsent && rack_losses(ctx) && flight_->recovery == Recovery::open)
        enter_recovery(ctx);
      if (flight_->timer == SendTimer::none) arm_send_timer(ctx);
      return;
    case SendTimer::persist:
      if (flight_->head != flight_->unsent) return retransmit_timeout(ctx);  // the window's worth was sent
      if (millis(ctx.now) - last_heard_ms_ > ctx.timeouts.user.count() / 1'000'000)
        return reset(ctx, Failure::timed_out);
      // A peer may keep its window closed for as long as it answers (RFC 9293 3.8.6.1), but not where others
      // need the buffers (RFC 6429 5).
      if (ctx.buffers_scarce && backoffs_ >= kPersistWhenScarce && flight_->unsent != nullptr &&
          snd_wnd_ < std::min(flight_->unsent->length, mss_))
        return reset(ctx, Failure::timed_out);
      probe_due_ = true;
      ctx.count(Counter::tcp_zero_window_probes);
      if (backoffs_ < 10) ++backoffs_;
      return set_timer(ctx, SendTimer::persist, ctx.now + rtt_.rto(backoffs_));
  }
}

// Whether what was sent lies outside of the peer's window now.
bool Connection::shut_out() const {
  return flight_->head != flight_->unsent && after(flight_->head->end(), snd_una_ + snd_wnd_);
}

void Connection::retransmit_timeout(Context& ctx) {
  // A window taken back behind what was sent is a closed one: whoever answers may keep it (RFC 9293 3.8.6).
  if (shut_out()) {
    if (ctx.buffers_scarce && backoffs_ >= kPersistWhenScarce) return reset(ctx, Failure::timed_out);
    flight_->progress_ms = last_heard_ms_;
  }
  const bool gave_up = millis(ctx.now) - flight_->progress_ms > ctx.timeouts.user.count() / 1'000'000;
  if (gave_up && synchronised()) return reset(ctx, Failure::timed_out);
  ctx.count(Counter::tcp_timeouts);
  const CongestionView view{ctx.now, mss_, rtt_.srtt(), static_cast<std::uint32_t>(snd_nxt_ - snd_una_),
                            true};
  if (backoffs_ < 255) ++backoffs_;
  if (!synchronised()) {
    // In a crowd most have never sent the SYN that they are said to have: who is silent after a second answer
    // gets no third, unless it asks.
    const bool enough = state_ == State::syn_received && ctx.handshakes_crowded && backoffs_ > 1;
    syn_due_ = !enough;
    if (enough) set_timer(ctx, SendTimer::retransmit, ctx.now + rtt_.rto(backoffs_));
    return;
  }
  suspect_black_hole(ctx);
  remember_window();
  if (flight_->recovery != Recovery::timeout) {
    if (flight_->recovery == Recovery::fast)
      cc_.cwnd = std::max(cc_.cwnd, cc_.ssthresh);  // what it came down to
    flight_->resumed.on_loss(cc_.cwnd, cc_.cwnd < cc_.ssthresh, rtt_.shows_queue());
    congestion_control(congestion_).on_timeout(cc_, flight_->growth, view);
  } else {
    cc_.cwnd = mss_;
  }
  flight_->recovery = Recovery::timeout;
  flight_->ecn_point = snd_nxt_;  // as in enter_recovery()
  cwr_due_ = ecn_on_;
  flight_->recovery_point = snd_nxt_;
  flight_->probing = false;
  // A SACKed segment at the head means that the receiver has thrown away what it reported (RFC 2018 8).
  const bool reneged = flight_->head != flight_->unsent && flight_->head->is(Segment::kSacked);
  for (Segment* s = flight_->head; s != flight_->unsent && reneged; s = s->sent_next) {
    if (!s->is(Segment::kSacked)) continue;
    s->clear(Segment::kSacked);
    flight_->sacked_bytes -= s->length;
    flight_->order.push_back(*s);
  }
  for (Segment* s = flight_->head; s != flight_->unsent; s = s->sent_next)
    if (!s->is(Segment::kSacked) && !s->is(Segment::kLost)) mark_lost(*s);
  if (flight_->head == flight_->unsent && fin_sent_ && !fin_acked_) fin_due_ = true;
  set_timer(ctx, SendTimer::retransmit, ctx.now + rtt_.rto(backoffs_));
  on_silence(ctx);
}

// RFC 8985 7.3: new data if the window lets it, else what was sent last again: the last segment, with the FIN
// if that is out, or the FIN when it is all that is missing.
void Connection::tail_probe(Context& ctx) {
  flight_->probing = true;
  ctx.count(Counter::tcp_tail_probes);
  Segment* last = flight_->last_sent;
  if (flight_->unsent != nullptr && flight_->unsent->length <= mss_ && fit_to_window(ctx, *flight_->unsent)) {
    send_first(ctx);
  } else if (last != nullptr && last->length <= mss_ && !last->is(Segment::kSacked) &&
             !last->is(Segment::kLost)) {
    flight_->order.remove(*last);
    last->set(Segment::kRetransmitted);
    flight_->probe_end = last->end();
    ++retransmissions_;
    ctx.count(Counter::tcp_retransmitted_segments);
    send_segment(ctx, *last);
  } else if (flight_->head == nullptr) {
    fin_due_ = true;
  }
  set_timer(ctx, SendTimer::retransmit, ctx.now + rtt_.rto(backoffs_));
  on_silence(ctx);
}

void Connection::linger(Context& ctx) {
  lingering_ = true;
  if (state_ == State::time_wait || state_ == State::closed) return;
  life_due_ = {ctx.now + ctx.timeouts.fin_wait, ctx.now};
  file_alarm(ctx);
}

void Connection::doubt(Context& ctx) {
  if (doubted_ || !synchronised() || state_ == State::time_wait) return;
  doubted_ = true;
  keepalives_ = 0;
  ask_again(ctx);
}

// The next of the questions to a peer in doubt, each after twice the time of the one before.
void Connection::ask_again(Context& ctx) {
  constexpr unsigned kQuestions = 4;
  if (keepalives_ >= kQuestions) return reset(ctx, Failure::timed_out);
  life_due_ = {ctx.now + (rtt_.rto() + std::chrono::milliseconds(500)) * (1U << keepalives_), ctx.now};
  ++keepalives_;
  ctx.count(Counter::tcp_keepalives);
  probe(ctx);
  file_alarm(ctx);
}

void Connection::on_life_timer(Context& ctx) {
  life_due_ = {};
  if (state_ == State::time_wait) return close(ctx, Failure::none);
  if (!synchronised()) return close(ctx, Failure::timed_out);
  if (lingering_) return reset(ctx, Failure::timed_out);
  if (doubted_) return ask_again(ctx);
  const Duration idle = std::chrono::milliseconds(millis(ctx.now) - last_heard_ms_);
  if (ctx.timeouts.keepalive.count() == 0) return;
  // RFC 9293 3.8.4: what is on the way asks already, and has its own time-out.
  const bool outstanding = flight_->head != flight_->unsent || (fin_sent_ && !fin_acked_);
  if (idle < ctx.timeouts.keepalive || outstanding) {
    life_due_ = {ctx.now + (outstanding ? ctx.timeouts.keepalive : ctx.timeouts.keepalive - idle), ctx.now};
    return;
  }
  if (keepalives_ >= kKeepaliveProbes) return reset(ctx, Failure::timed_out);
  ++keepalives_;
  ctx.count(Counter::tcp_keepalives);
  probe_due_ = true;
  touch(ctx);
  life_due_ = {ctx.now + std::min(kKeepaliveInterval, ctx.timeouts.keepalive), ctx.now};
}

}  // namespace braid::tcp
