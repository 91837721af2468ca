// What the peer has told of each segment on the way: acknowledged, SACKed (RFC 2018), or by its silence lost.
#include <algorithm>

#include "tcp/ack.hpp"
#include "tcp/connection.hpp"

namespace braid::tcp {

// A segment's bytes have arrived, by ACK or SACK: RTT sample and RACK's newest delivery (RFC 8985 6.2 step
// 2).
void Connection::note_delivery(Context& ctx, Segment& s, Ack& a) {
  a.delivered += s.length;
  // What was taken for lost may have passed before the path changed.
  if (small_tried_ && is_large(s) && !s.is(Segment::kLost)) small_tried_ = false;
  const std::uint32_t rtt = micros(ctx.now) - s.sent_us;
  const bool again = s.is(Segment::kRetransmitted);
  // Karn (RFC 6298 3); the last one noted was sent last. What arrived before a path fell silent, and is heard
  // of only now, with what a time-out sent again, measures the silence. After a mere probe it may as well be
  // the peer's delay, and the next probe is to wait for it.
  a.repeated |= again && a.timed_out;
  if (a.repeated) {
    a.rtt_us = 0;
  } else if (!again && !s.is(Segment::kLost)) {
    a.rtt_us = std::max(rtt, 1U);
  }
  if (again && rtt < rtt_.min()) return;  // most likely the ACK of an earlier transmission
  if (!again && sack_on_ && before(s.end(), flight_->high_sacked) && !s.is(Segment::kSacked))
    reordering_ = true;
  const auto newer = static_cast<std::int32_t>(s.sent_us - flight_->rack_sent_us);
  if (flight_->rack_rtt_us == 0 || newer > 0 || (newer == 0 && after(s.end(), flight_->rack_end))) {
    flight_->rack_sent_us = s.sent_us;
    flight_->rack_end = s.end();
    flight_->rack_rtt_us = rtt;
  }
}

bool is_duplicate_report(const wire::TcpFrame& f) {
  if (f.options.sack_count == 0) return false;
  const wire::SackBlock& first = f.options.sack[0];
  if (at_or_before(first.end, f.ack)) return true;
  const wire::SackBlock& second = f.options.sack[1];
  return f.options.sack_count > 1 && at_or_after(first.begin, second.begin) &&
         at_or_before(first.end, second.end);
}

// Behind the run of SACKed segments that `first` stands in. Each of them that was passed remembers the run's
// last (sent_later), so that no part of the way is gone twice.
Segment* Connection::behind_run(Segment& first) {
  const auto step = [](const Segment& s) { return s.sent_later != nullptr ? s.sent_later : s.sent_next; };
  Segment* last = &first;
  for (Segment* s = step(first); s != nullptr && s != flight_->unsent && s->is(Segment::kSacked);
       s = step(*s))
    last = s;
  for (Segment* s = &first; s != last;) {
    Segment* next = step(*s);
    s->sent_later = last;
    s = next;
  }
  return last->sent_next;
}

// The first segment at or after `begin`; nullptr: it is further than the peer may make us look at once. The
// next report of it finds the search further on.
Segment* Connection::find_sent(SubSeq begin, unsigned& steps) {
  Segment* const last = flight_->last_sent;  // what a tail loss probe has repeated
  if (last != nullptr && at_or_after(begin, last->seq)) return last->seq == begin ? last : last->sent_next;
  Segment* s = flight_->sack_hint;
  if (s == nullptr || after(s->seq, begin)) s = flight_->head;
  while (s != flight_->unsent && before(s->seq, begin)) {
    if (steps == 0) {
      flight_->sack_hint = s;
      return nullptr;
    }
    --steps;
    s = s->is(Segment::kSacked) ? behind_run(*s) : s->sent_next;
  }
  return s;
}

void Connection::mark_sacked(Context& ctx, const wire::TcpFrame& f, Ack& a) {
  unsigned steps = limits::kSackSteps;
  for (unsigned i = 0; i < f.options.sack_count; ++i) {
    const wire::SackBlock& b = f.options.sack[i];
    // Nonsense and what was never sent mark nothing.
    if (!before(b.begin, b.end) || after(b.end, snd_nxt_)) continue;
    if (i == 0 && is_duplicate_report(f)) {
      undo_by_duplicate(ctx, b.end);
      continue;
    }
    if (at_or_before(b.end, snd_una_) || before(b.begin, f.ack)) continue;
    mark_block(ctx, b, steps, a);
  }
}

void Connection::mark_block(Context& ctx, const wire::SackBlock& b, unsigned& steps, Ack& a) {
  Segment* s = find_sent(b.begin, steps);
  while (s != nullptr && s != flight_->unsent && at_or_before(s->end(), b.end)) {
    flight_->sack_hint = s;
    if (s->is(Segment::kSacked)) {
      s = behind_run(*s);
      continue;
    }
    note_delivery(ctx, *s, a);
    leave_scoreboard(*s);
    s->clear(Segment::kLost);
    s->set(Segment::kSacked);
    s->sent_later = nullptr;
    flight_->sacked_bytes += s->length;
    a.highest = a.sacked ? later(a.highest, s->end()) : s->end();
    a.sacked = true;
    s = s->sent_next;
  }
}

void Connection::remove_acked(Context& ctx, SubSeq ack, Ack& a) {
  a.newly_acked = static_cast<std::uint32_t>(ack - snd_una_);
  snd_una_ = ack;
  while (flight_->head != flight_->unsent && at_or_before(flight_->head->end(), ack)) {
    Segment& s = *flight_->head;
    __builtin_prefetch(s.sent_next);  // a window of segments is more than the nearest cache holds
    if (!s.is(Segment::kSacked)) note_delivery(ctx, s, a);
    leave_scoreboard(s);
    flight_->head = s.sent_next;
    --flight_->sent_segments;
    if (flight_->head == nullptr) flight_->tail = nullptr;
    if (flight_->lost_hint == &s) flight_->lost_hint = nullptr;
    if (flight_->sack_hint == &s) flight_->sack_hint = nullptr;
    if (flight_->last_sent == &s) flight_->last_sent = nullptr;
    s.clear(Segment::kInSent);
    on_unqueued(ctx, s);
    if (state_ == State::closed) return;
  }
  flight_->high_sacked = later(flight_->high_sacked, ack);  // what came in order shows no reordering
}

// A segment on the way is taken for lost.
void Connection::mark_lost(Segment& s) {
  flight_->order.remove(s);
  if (flight_->lost_bytes == 0 || (flight_->lost_hint != nullptr && before(s.seq, flight_->lost_hint->seq)))
    flight_->lost_hint = &s;
  s.set(Segment::kLost);
  flight_->lost_bytes += s.length;
}

// Takes back what the scoreboard says of a sent segment.
void Connection::leave_scoreboard(Segment& s) {
  if (s.is(Segment::kSacked)) {
    flight_->sacked_bytes -= s.length;
  } else if (s.is(Segment::kLost)) {
    flight_->lost_bytes -= s.length;
  } else {
    flight_->order.remove(s);
  }
}

}  // namespace braid::tcp
