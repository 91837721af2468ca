// Data-level sending: DATA_ACK, which subflow carries what, reinjection (RFC 8684 3.3.4-3.3.7).
#include <algorithm>

#include "mptcp/session.hpp"
#include "mptcp/subflow.hpp"

namespace braid::mptcp {

using stats::Counter;

void Session::write(Context& ctx, SegmentQueue& segments) {
  while (Segment* s = segments.pop_front()) {
    // A small segment behind another that waits: a peer that does not read must not fill our buffers.
    const std::uint32_t bytes = s->length;
    const DataSeq at = write_end_;
    write_end_ += bytes;
    unfreed_ += bytes;
    if (unsent_ != nullptr && bytes <= limits::kSmallSegment &&
        tcp::append_small(*data_.back(), *s, segment_room()))
      continue;
    if (fallen_back() && unsent_ == nullptr && append_to_plain(ctx, *s)) continue;
    s->flags = 0;
    s->set(Segment::kInData);
    s->dsn = at;
    data_.push_back(*s);
    if (unsent_ == nullptr) unsent_ = s;
  }
  touch(ctx);
}

// The one plain subflow holds all that waits.
bool Session::append_to_plain(Context& ctx, Segment& s) {
  Subflow* sf = best_subflow();
  const std::uint32_t bytes = s.length;
  if (sf == nullptr || data_.empty() || !sf->append(s)) return false;
  sf->count_bytes(ctx, bytes);
  return true;
}

void Session::data_ack(Context& ctx, Subflow&, DataSeq ack, std::uint32_t window) {
  DataSeq most = unsent_ != nullptr ? unsent_->dsn : write_end_;
  if (fin_sent_) most = write_end_ + 1;
  if (after(ack, most)) return;  // rule 22: acknowledges what was never sent
  heard_data_ack_ = true;
  if (before(ack, snd_una_)) return;
  snd_edge_ = later(snd_edge_, ack + window);
  if (after(ack, snd_una_)) {
    retries_ = 0;
    free_data(ctx, ack);
  }
  if (fin_sent_ && !fin_acked_ && ack == write_end_ + 1) {
    fin_acked_ = true;
    wake(ctx);
    maybe_finish(ctx);
  }
  finish_half_closed(ctx);
  if (unsent_ != nullptr || reinject_pending_ != 0) touch(ctx);
}

// Everything before `ack` has arrived for good; buffers go when no subflow needs them for its own
// retransmission (rule 29).
void Session::free_data(Context& ctx, DataSeq ack) {
  while (Segment* s = data_.front()) {
    if (s == unsent_ || after(s->data_end(), ack)) break;
    data_.pop_front();
    s->clear(Segment::kInData);
    if (s->is(Segment::kReinject)) {
      s->clear(Segment::kReinject);
      --reinject_pending_;
    }
    if (reinject_hint_ == s) reinject_hint_ = nullptr;
    if (s->is(Segment::kInSent)) continue;
    account_freed(*s);
    tcp::free_segment(*s);
  }
  snd_una_ = later(snd_una_, earlier(ack, write_end_));
  wake(ctx);
}

bool Session::owed_data_ack(const Subflow& sf) const {
  const Segment* first = data_.front();
  return first != nullptr && first != unsent_ && first->path == sf.slot && !first->is(Segment::kInSent);
}

std::uint32_t Session::kept() const {
  const auto outstanding = static_cast<std::uint32_t>(write_end_ - snd_una_);
  return unfreed_ > outstanding ? unfreed_ - outstanding : 0;
}

std::uint32_t Session::round_trip() const {
  std::uint32_t slowest = 0;
  for (const Subflow* sf : subflows_)
    if (sf != nullptr && sf->usable() && !sf->stale) slowest = std::max(slowest, sf->rtt().srtt());
  return slowest;
}

void Session::account_freed(Segment& s) {
  freed_ += s.length;
  unfreed_ -= s.length;
}

// The rest is what `s` was: a copy, or a segment of the data queue, which must stay there to be reinjected.
void Session::split(Segment& s, Segment& rest) {
  rest.path = s.path;
  if (s.is(Segment::kCopy)) return rest.set(Segment::kCopy);
  if (!s.is(Segment::kInData)) return;
  rest.set(Segment::kInData);
  data_.insert_after(s, rest);
  if (!s.is(Segment::kReinject)) return;
  rest.set(Segment::kReinject);
  ++reinject_pending_;
}

void Session::unqueued(Context& ctx, Segment& s) {
  if (s.is(Segment::kCopy)) return tcp::free_segment(s);
  if (s.is(Segment::kInData)) {
    if (fallen_back()) free_data(ctx, s.data_end());  // the TCP acknowledgement is all there is
    return;
  }
  account_freed(s);
  tcp::free_segment(s);
  wake(ctx);
}

unsigned Session::views(std::span<PathView> out, const Segment* s) const {
  unsigned n = 0;
  for (const Subflow* sf : subflows_) {
    if (sf == nullptr || !sf->usable()) continue;
    PathView& v = out[n++];
    v.rtt_us = sf->next_rtt();
    v.room = sf->send_room();
    v.per_rtt = sf->per_rtt();
    v.slot = sf->slot;
    v.backup = sf->backup;
    const bool carried = s != nullptr && s->path == sf->slot;
    v.excluded = carried && s->is(Segment::kInSent);  // its TCP repeats it
    v.stale =
        sf->stale || (carried && !v.excluded);  // has acknowledged and not delivered it: it may do so again
  }
  return n;
}

// Cuts `s` (in the data queue, not given to a subflow) to `room` bytes; the rest follows it in the queue.
bool Session::cut_to(Context& ctx, Segment& s, std::uint16_t room) {
  Segment* rest = tcp::split_segment(ctx.buffers, s, room);
  if (rest == nullptr) return false;
  rest->set(Segment::kInData);
  data_.insert_after(s, *rest);
  return true;
}

// Hands `s` to `sf`: itself when no other subflow still holds it, else a copy of its descriptor. False: there
// is no memory, and `sf` may have ended for it.
bool Session::give(Context& ctx, Subflow& sf, Segment& s) {
  if (s.is(Segment::kInSent)) return give_copy(ctx, sf, s);
  s.path = sf.slot;
  sf.count_bytes(ctx, s.length);
  return sf.push(ctx, s);
}

// In as many pieces as this path needs, which may take smaller segments than the one that failed.
bool Session::give_copy(Context& ctx, Subflow& sf, Segment& s) {
  Segment* piece = tcp::clone_segment(ctx.buffers, s);
  while (piece != nullptr) {
    Segment* rest = nullptr;
    if (piece->length > sf.mss()) {
      rest = tcp::split_segment(ctx.buffers, *piece, sf.mss());
      if (rest == nullptr) {
        tcp::free_segment(*piece);
        return false;
      }
    }
    piece->set(Segment::kCopy);
    piece->path = sf.slot;
    sf.count_bytes(ctx, piece->length);
    if (!sf.push(ctx, *piece)) {
      if (rest != nullptr) tcp::free_segment(*rest);
      return false;
    }
    if (rest == nullptr) {
      s.path = sf.slot;
      return true;
    }
    piece = rest;
  }
  return false;
}

void Session::schedule(Context& ctx) {
  if (scheduling_ || (phase_ != Phase::running && phase_ != Phase::fallen_back)) return;
  scheduling_ = true;
  bool room = true;
  if (reinject_pending_ != 0) room = schedule_reinjections(ctx);
  if (room && unsent_ != nullptr) room = schedule_new(ctx);
  if (room && phase_ == Phase::running && (unsent_ != nullptr || fin_wanted_ || full_)) help_slow_path(ctx);
  if (fin_wanted_ && !fin_sent_ && unsent_ == nullptr) send_data_fin(ctx);
  // Whatever holds it back, a lost window update among it, must not hold it for ever (RFC 9293 3.8.6.1).
  if (unsent_ != nullptr && phase_ == Phase::running && !retry_due_.set())
    arm(ctx, ctx.now + retransmit_after());
  scheduling_ = false;
}

bool Session::schedule_reinjections(Context& ctx) {
  Segment* s = reinject_hint_ != nullptr ? reinject_hint_ : data_.front();
  for (; s != nullptr && s != unsent_ && reinject_pending_ != 0; s = s->next) {
    if (!s->is(Segment::kReinject)) continue;
    reinject_hint_ = s;
    if (!reinject(ctx, *s)) return false;
    s->clear(Segment::kReinject);
    --reinject_pending_;
  }
  reinject_hint_ = nullptr;
  return true;
}

// Gives new data to subflows. True when it stopped for another reason than lack of room on them.
bool Session::schedule_new(Context& ctx) {
  std::array<PathView, limits::kMaxSubflows> paths;
  const unsigned n = views(paths, nullptr);
  const std::uint32_t least_room = segment_room();
  for (unsigned given = 0; unsent_ != nullptr && given < limits::kMaxSegmentsPerTurn; ++given) {
    Segment& s = *unsent_;
    if (!fallen_back()) {
      const std::int64_t open = snd_edge_ - s.dsn;
      if (open <= 0) return true;
      if (open < s.length && (snd_una_ != s.dsn || !cut_to(ctx, s, static_cast<std::uint16_t>(open))))
        return true;
    }
    const auto length = std::min<std::uint32_t>(s.length, least_room);
    const auto queued = static_cast<std::uint32_t>(std::min<std::int64_t>(write_end_ - s.dsn, 0xffff'ffff));
    auto choice = scheduler(profile_.scheduler).pick({paths.data(), n}, fallen_back() ? 0 : length, queued);
    if (!choice) return false;
    PathView& path = paths[*choice];
    Subflow& sf = *subflows_[path.slot];
    if (s.length > sf.mss() && !cut_to(ctx, s, sf.mss())) return false;
    Segment* after_it = s.next;
    if (!give(ctx, sf, s)) return false;
    unsent_ = after_it;
    path.room = sf.send_room();
    path.rtt_us = sf.next_rtt();
    if (!retry_due_.set() && !fallen_back()) arm(ctx, ctx.now + retransmit_after() + std::chrono::seconds(1));
  }
  if (unsent_ != nullptr) touch(ctx);
  return unsent_ == nullptr;
}

// Nothing new can be sent, for want of window or buffers or at the end of the stream, and what the peer waits
// for sits on a slow path: copies go on a faster one that has room (Raiciu et al., NSDI 2012, 4.2), so that
// two paths are seldom slower than the better one. Each segment is helped once by each path.
void Session::help_slow_path(Context& ctx) {
  const Subflow* fastest = nullptr;
  std::uint32_t slowest_us = 0;
  for (const Subflow* sf : subflows_) {
    if (sf == nullptr || !sf->usable()) continue;
    slowest_us = std::max(slowest_us, sf->rtt().srtt());
    if (!sf->stale && !sf->backup && sf->send_room() >= segment_room() &&
        (fastest == nullptr || sf->rtt().srtt() < fastest->rtt().srtt()))
      fastest = sf;
  }
  if (fastest == nullptr) return;
  const std::uint32_t least_us = 2 * fastest->rtt().srtt() + kLeastGain;
  if (least_us > slowest_us) return;
  unsigned left = limits::kMaxSegmentsPerTurn;
  for (Segment* s = data_.front(); s != nullptr && s != unsent_ && left != 0; s = s->next, --left) {
    const Subflow* slow = s->path == kNoPath ? nullptr : subflows_[s->path];
    if (slow == nullptr || slow == fastest || !s->is(Segment::kInSent) || s->is(Segment::kReinject)) continue;
    // Until it is acknowledged there: what is lost, or overdue, takes a round trip from now.
    const std::uint32_t rtt = slow->rtt().srtt();
    const std::uint32_t age = micros(ctx.now) - s->sent_us;
    const std::uint32_t left_us = s->is(Segment::kLost) || age > rtt ? rtt : rtt - age;
    if (least_us <= left_us && !reinject(ctx, *s)) return;
  }
}

// On the path that the scheduler takes for it. False: there is none.
bool Session::reinject(Context& ctx, Segment& s) {
  std::array<PathView, limits::kMaxSubflows> paths;
  const unsigned n = views(paths, &s);
  const auto choice = scheduler(profile_.scheduler).pick({paths.data(), n}, s.length, s.length);
  if (!choice) return false;
  Subflow& sf = *subflows_[paths[*choice].slot];
  if (s.length > sf.mss() && !s.is(Segment::kInSent)) {
    if (!cut_to(ctx, s, sf.mss())) return false;
    if (s.is(Segment::kReinject)) {
      s.next->set(Segment::kReinject);
      s.next->path = s.path;
      ++reinject_pending_;
    }
  }
  if (!give(ctx, sf, s)) return false;
  ++sf.reinjected;
  ++reinjected_;
  ctx.count(Counter::mptcp_reinjected_segments);
  ctx.count(Counter::mptcp_reinjected_bytes, s.length);
  return true;
}

void Session::send_data_fin(Context& ctx) {
  if (fallen_back()) {
    if (Subflow* sf = best_subflow()) {
      sf->finish(ctx);
      fin_sent_ = true;
    }
    return;
  }
  Subflow* sf = best_subflow();
  if (sf == nullptr) return;
  fin_sent_ = true;
  sf->send_data_fin(ctx);
  retries_ = 0;
  arm(ctx, ctx.now + retransmit_after());
}

}  // namespace braid::mptcp
