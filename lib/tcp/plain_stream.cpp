#include "tcp/plain_stream.hpp"

#include <algorithm>

namespace braid::tcp {

StreamState PlainStream::state() const {
  switch (Connection::state()) {
    case State::syn_sent:
    case State::syn_received:
      return StreamState::opening;
    case State::established:
    case State::fin_wait_1:
    case State::fin_wait_2:
    case State::close_wait:
    case State::closing:
    case State::last_ack:
      return StreamState::open;
    case State::time_wait:
      return StreamState::closed;
    case State::closed:
      break;
  }
  return failure_ == Failure::none ? StreamState::closed : StreamState::failed;
}

bool PlainStream::our_end_acknowledged() const {
  const State s = Connection::state();
  return s == State::fin_wait_2 || s == State::time_wait || (s == State::closed && failure_ == Failure::none);
}

std::uint32_t PlainStream::receive_room(const Context& ctx) const {
  const std::uint32_t most = std::min(budget_, ctx.window_limit);
  const std::uint32_t used = held_ + unordered_bytes();
  return most > used ? most - used : 0;
}

void PlainStream::on_payload(Context& ctx, Segment& s) {
  if (released_) {  // nobody will ever read it (RFC 9293 3.10.7.4, RFC 1122 4.2.2.13)
    free_segment(s);
    return reset(ctx);
  }
  held_ += s.length;
  inbox_.take(s, mss());
  wake(ctx);
}

void PlainStream::consume(Context& ctx, std::uint32_t bytes) {
  held_ -= bytes;
  touch(ctx);
}

void PlainStream::on_fin(Context& ctx) {
  peer_finished_ = true;
  wake(ctx);
}

// What was written and can no longer be sent counts as written and freed.
void PlainStream::let_go(SegmentQueue& segments) {
  while (Segment* s = segments.pop_front()) {
    freed_ += s->length;
    free_segment(*s);
  }
}

void PlainStream::write(Context& ctx, SegmentQueue& segments) {
  while (Segment* s = segments.pop_front()) {
    s->flags = 0;
    unfreed_ += s->length;
    if (!append(*s) && !push(ctx, *s)) return let_go(segments);
  }
}

void PlainStream::on_unqueued(Context& ctx, Segment& s) {
  freed_ += s.length;
  unfreed_ -= s.length;
  free_segment(s);
  wake(ctx);
}

void PlainStream::on_closed(Context& ctx, Failure why) {
  failure_ = why;
  wake(ctx);
}

void PlainStream::release(Context& ctx) {
  user = nullptr;
  released_ = true;
  const bool unread = !inbox_.empty();
  inbox_.free_all();
  if (Connection::state() == State::closed) {
    if (!TouchHook::linked()) ctx.dead.push_back(*this);  // nobody watches it any more: it may be freed
    return;
  }
  if (unread) return reset(ctx);
  linger(ctx);
}

}  // namespace braid::tcp
