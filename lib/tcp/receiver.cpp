// Payload and FIN: order them, hand them up, decide about the acknowledgement.
#include <algorithm>

#include "tcp/connection.hpp"

namespace braid::tcp {

using stats::Counter;
using stats::Drop;

void Connection::receive_payload(Context& ctx, const wire::TcpFrame& f, rte_mbuf* m) {
  if (fin_received_ ||
      (state_ != State::established && state_ != State::fin_wait_1 && state_ != State::fin_wait_2))
    return ctx.drop(m, Drop::after_close);
  Segment& s = make_segment(m, f);
  peer_segment_ = std::max(peer_segment_, s.length);
  note_congestion_mark(ctx, f);
  // The bytes keep their place, the mark is not passed on: the numbers of another leg, the data's of MPTCP
  // most of all, have none that it could name (RFC 9293 3.8.5; RFC 6093 6 has readers take them in line).
  if (f.has(wire::kUrg)) ctx.count(Counter::tcp_urgent);
  on_arrival(ctx, s, f);
  if (before(s.seq, rcv_nxt_)) {
    note_twice(ctx, s.seq, rcv_nxt_);
    trim_front(s, static_cast<std::uint16_t>(rcv_nxt_ - s.seq));
    ack_now_ = true;  // the peer repeats: tell it where we are
  }
  if (!shared_window() && after(s.end(), rcv_edge_))
    trim_back(s, static_cast<std::uint16_t>(std::max<std::int32_t>(rcv_edge_ - s.seq, 0)));
  touch(ctx);
  if (s.length == 0) return free_segment(s);  // old data before a new FIN, or all beyond the window
  if (s.seq == rcv_nxt_) {
    // The last buffers are for those that let theirs go: whoever's reader does not read waits.
    if (ctx.buffers_scarce && holds_unread()) {
      ctx.stats.drops.add(Drop::no_buffer);
      return free_segment(s);
    }
    deliver(ctx, s);
    deliver_early(ctx);
    if (fin_seen_ && fin_seq_ == rcv_nxt_ && state_ != State::closed) fin_arrived(ctx);
    return;
  }
  ack_now_ = true;  // RFC 5681 4.2: out of order
  ctx.count(Counter::tcp_out_of_order);
  if (ctx.buffers_scarce) {  // what is in order must get through; this will come again
    ctx.stats.drops.add(Drop::no_buffer);
    return free_segment(s);
  }
  if (flight_->early.full()) {
    ctx.stats.drops.add(Drop::receive_pieces);
    return free_segment(s);
  }
  if (!may_keep(s.length)) {
    ctx.stats.drops.add(Drop::receive_budget);
    return free_segment(s);
  }
  if (busy(ctx) == nullptr) {
    ctx.stats.drops.add(Drop::receive_pieces);
    return free_segment(s);
  }
  const SubSeq begin = s.seq;
  const SubSeq end = s.end();
  if (flight_->early.insert(s) != 0) return;
  ctx.stats.drops.add(Drop::old_duplicate);
  note_twice(ctx, begin, end);
}

// What had come ahead of its turn, as far as it is in order now.
void Connection::deliver_early(Context& ctx) {
  if (!flight_->early.empty()) ack_now_ = true;  // RFC 5681 4.2: a gap was (partly) filled
  while (state_ != State::closed) {
    Segment* next = flight_->early.front();
    if (next == nullptr || after(next->seq, rcv_nxt_)) break;
    flight_->early.pop(*next);
    const auto old = rcv_nxt_ - next->seq;
    if (old >= next->length) {
      free_segment(*next);
      continue;
    }
    trim_front(*next, static_cast<std::uint16_t>(old));
    deliver(ctx, *next);
  }
}

// These bytes came a second time: the next acknowledgement says so (RFC 2883).
void Connection::note_twice(Context& ctx, SubSeq begin, SubSeq end) {
  if (!sack_on_ || begin == end || busy(ctx) == nullptr) return;
  flight_->twice_begin = begin;
  flight_->twice_end = end;
}

void Connection::deliver(Context& ctx, Segment& s) {
  rcv_nxt_ += s.length;
  bytes_in += s.length;
  on_payload(ctx, s);
}

void Connection::handle_fin(Context& ctx, const wire::TcpFrame& f) {
  touch(ctx);
  const SubSeq at = f.seq + f.payload_length;
  if (fin_received_) {
    ack_now_ = true;
    return;
  }
  if (at != rcv_nxt_) {  // data before it is missing
    fin_seq_ = at;
    fin_seen_ = true;
    ack_now_ = true;
    return;
  }
  fin_arrived(ctx);
}

void Connection::fin_arrived(Context& ctx) {
  rcv_nxt_ += 1;
  fin_received_ = true;
  ack_now_ = true;
  on_fin(ctx);  // before the state moves: TIME-WAIT ends what hangs on this connection
  switch (state_) {
    case State::established:
      become(ctx, State::close_wait);
      break;
    case State::fin_wait_1:
      become(ctx, fin_acked_ ? State::time_wait : State::closing);
      break;
    case State::fin_wait_2:
      become(ctx, State::time_wait);
      break;
    case State::closed:
    case State::syn_sent:
    case State::syn_received:
    case State::close_wait:
    case State::closing:
    case State::last_ack:
    case State::time_wait:
      break;
  }
}

}  // namespace braid::tcp
