// Retransmissions that turn out to have been needless are taken back: the Eifel algorithm (RFC 3522) where
// there are timestamps, D-SACK (RFC 2883) where every retransmission was reported as a duplicate, response as
// in RFC 4015.
#include <algorithm>

#include "tcp/ack.hpp"
#include "tcp/connection.hpp"

namespace braid::tcp {

using stats::Counter;

// Before the window is reduced. A second time-out in a row may stand for the same delay as the first; one in
// the middle of a fast recovery was no mistake of either alone.
void Connection::remember_window() {
  if (flight_->recovery == Recovery::timeout) return;
  flight_->undo = {};
  if (flight_->recovery != Recovery::open) return;
  flight_->undo.cwnd = cc_.cwnd;
  flight_->undo.ssthresh = cc_.ssthresh;
  flight_->undo.growth = flight_->growth;
  flight_->undo.possible = true;
}

void Connection::note_retransmission(const Context& ctx) {
  Undo& u = flight_->undo;
  if (!u.possible) return;
  if (u.retransmitted == 0) u.stamp = millis(ctx.now) + ts_offset_;
  if (++u.retransmitted == 0xffff) u.possible = false;
}

// The acknowledgement of new data answers a segment that was sent before its first retransmission: the
// original had arrived.
void Connection::undo_by_timestamp(Context& ctx, const wire::TcpFrame& f) {
  const Undo& u = flight_->undo;
  if (!u.possible || u.retransmitted == 0 || flight_->recovery == Recovery::open || !ts_on_ ||
      !f.options.has_timestamps || static_cast<std::int32_t>(f.options.ts_echo - u.stamp) >= 0)
    return;
  // RFC 4015 3.2 (5): so that the next delay like this is waited for. The peer chooses the number, not how
  // long we wait. One that reports a duplicate answers the retransmission, whatever it echoes:
  // acknowledgements were lost, on a path that was out, and for how long says nothing of its delay.
  const std::uint32_t took = millis(ctx.now) + ts_offset_ - f.options.ts_echo;
  if (flight_->recovery == Recovery::timeout && !is_duplicate_report(f))
    rtt_.sample(std::min(took, Rtt::kMaxRto / 1000) * 1000);
  undo(ctx);
}

// The segment that ends at `end` has arrived twice.
void Connection::undo_by_duplicate(Context& ctx, SubSeq end) {
  Undo& u = flight_->undo;
  if (end == flight_->probe_end) return;  // a probe's duplicate shows no mistake (RFC 8985 7.4.2)
  if (!u.possible || u.retransmitted == 0 || --u.retransmitted != 0) return;
  if (flight_->reorder_quarters < 16) ++flight_->reorder_quarters;  // RFC 8985 6.2 step 4
  undo(ctx);
}

void Connection::undo(Context& ctx) {
  Undo& u = flight_->undo;
  u.possible = false;
  cc_.cwnd = std::max(cc_.cwnd, u.cwnd);
  cc_.ssthresh = std::max(cc_.ssthresh, u.ssthresh);
  flight_->growth = u.growth;
  flight_->recovery = Recovery::open;
  Segment* before = nullptr;
  for (Segment* s = flight_->head; s != flight_->unsent && flight_->lost_bytes != 0; s = s->sent_next) {
    if (!s->is(Segment::kLost)) continue;
    s->clear(Segment::kLost);
    flight_->lost_bytes -= s->length;
    flight_->order.insert_near(before, *s);
    before = s;
  }
  flight_->lost_hint = nullptr;
  reordering_ = true;
  ctx.count(Counter::tcp_recoveries_undone);
  touch(ctx);
}

}  // namespace braid::tcp
