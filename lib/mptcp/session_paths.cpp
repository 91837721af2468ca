// Subflows come and go; paths fall silent and recover (RFC 8684 3.2).
#include <algorithm>

#include "mptcp/session.hpp"
#include "mptcp/subflow.hpp"

namespace braid::mptcp {

using stats::Counter;

void Session::doubt_paths(Context& ctx) {
  constexpr std::uint32_t kUnheardMs = 30'000;
  for (Subflow* sf : subflows_)
    if (sf != nullptr && sf->can_send() && millis(ctx.now) - sf->last_heard_ms() > kUnheardMs) sf->doubt(ctx);
}

bool Session::attach(Subflow& sf) {
  const auto free = std::find(subflows_.begin(), subflows_.end(), nullptr);
  if (free == subflows_.end() || subflow_count() >= profile_.max_subflows) return false;
  *free = &sf;
  sf.slot = static_cast<std::uint8_t>(free - subflows_.begin());
  sf.set_session(this);
  return true;
}

void Session::detach(Context& ctx, Subflow& sf) {
  subflows_[sf.slot] = nullptr;
  sf.set_session(nullptr);
  retransmitted_ += sf.retransmissions();
  if (sf.joined()) joined_bytes_ += sf.bytes_in + sf.bytes_out;
  ctx.count(Counter::subflows_closed);
}

unsigned Session::subflow_count() const {
  return static_cast<unsigned>(
      std::count_if(subflows_.begin(), subflows_.end(), [](const Subflow* sf) { return sf != nullptr; }));
}

// The subflow for what may go on any: the live one with the lowest RTT.
Subflow* Session::best_subflow() const {
  Subflow* best = nullptr;
  const auto rank = [](const Subflow& sf) {
    return (sf.usable() ? 0U : 4U) + (sf.stale ? 2U : 0U) + (sf.backup ? 1U : 0U);
  };
  for (Subflow* sf : subflows_) {
    if (sf == nullptr || !sf->synchronised()) continue;
    if (best == nullptr || rank(*sf) < rank(*best) ||
        (rank(*sf) == rank(*best) && sf->rtt().srtt() < best->rtt().srtt()))
      best = sf;
  }
  return best;
}

void Session::touch(Context& ctx) {
  for (Subflow* sf : subflows_)
    if (sf != nullptr && sf->synchronised()) return sf->touch(ctx);  // scheduling starts from any
}

void Session::touch_all(Context& ctx) {
  for (Subflow* sf : subflows_)
    if (sf != nullptr) sf->touch(ctx);
}

void Session::subflow_established(Context& ctx, Subflow& sf) {
  subflows_max_ = std::max<std::uint8_t>(subflows_max_, static_cast<std::uint8_t>(subflow_count()));
  if (phase_ == Phase::handshake) phase_ = Phase::running;
  addresses_changed(ctx);
  finish_half_closed(ctx);
  if (sf.joined()) {
    ever_joined_ = true;
    life_due_ = {};  // no longer held
    // A path that has not answered was not set aside as long as there was no other (rule 33).
    for (Subflow* other : subflows_)
      if (other != nullptr && other != &sf && other->unanswered()) subflow_silent(ctx, *other);
  }
  touch(ctx);
  wake(ctx);
}

void Session::subflow_closed(Context& ctx, Subflow& sf, Failure why) {
  const std::uint8_t slot = sf.slot;
  const bool clean_end = our_end_acknowledged() || why == Failure::none;
  if (sf.joined() && !sf.opened() && why != Failure::internal)  // whoever refused it has counted that
    ctx.stats.joins.add(why == Failure::timed_out ? stats::Join::timeout : stats::Join::aborted);
  detach(ctx, sf);
  switch (phase_) {
    case Phase::handshake:
      return fail(ctx, why == Failure::none ? Failure::reset : why);
    case Phase::fallen_back:
      if (!peer_finished_ || !clean_end) return fail(ctx, why == Failure::none ? Failure::reset : why);
      fin_acked_ = true;
      phase_ = Phase::ended;
      wake(ctx);
      return end_if_unused(ctx);
    case Phase::running:
      reinject_from(slot, true);
      if (subflow_count() != 0) return touch(ctx);
      // Rule 35: without a subflow the session lives on, and may be joined.
      ctx.count(Counter::mptcp_sessions_held);
      live_until(ctx, std::min(life_due_.at(ctx.now), ctx.now + profile_.hold));
      return wake(ctx);
    case Phase::aborting:
    case Phase::closing:
      if (subflow_count() != 0) return;
      phase_ = Phase::ended;
      wake(ctx);
      return end_if_unused(ctx);
    case Phase::ended:
      return end_if_unused(ctx);
  }
}

// A subflow's FIN is not the stream's end (rule 24), except after fallback.
void Session::subflow_finished(Context& ctx, Subflow& sf) {
  // A peer that reads DSS has a DATA_ACK on its FIN too. Without, this FIN may stand for its stream's end, as
  // ours would for it; but not that of a peer that has acknowledged data, and so reads mappings: a box has
  // taken the options away, and whether there was a DATA_FIN among them nobody knows.
  const bool reads_mappings = snd_una_ != hash_key(local_key_).idsn + 1;
  if (phase_ == Phase::running && sf.stripped() && !sf.joined() && !reads_mappings) {
    mapping_missing(ctx, sf);
    if (!fallen_back()) return;
  }
  if (fallen_back()) {
    peer_finished_ = true;
    return wake(ctx);
  }
  half_closed_ = true;
  finish_half_closed(ctx);
  touch_all(ctx);
}

// Whether a subflow besides `sf` carries what is to be sent.
bool Session::has_other(const Subflow& sf) const {
  return std::any_of(subflows_.begin(), subflows_.end(), [&sf](const Subflow* o) {
    return o != nullptr && o != &sf && o->usable() && !o->stale;
  });
}

// A FIN ends one direction of one subflow (3.3.3). The last one goes on for what is still to be sent: all
// that may come after the peer's DATA_FIN, else what there is now.
bool Session::needs(const Subflow& sf) const {
  const bool sends = data_.front() != nullptr || (fin_wanted_ && !fin_acked_);
  return phase_ == Phase::running && (sends || peer_fin_known_) && !has_other(sf);
}

void Session::finish_half_closed(Context& ctx) {
  if (!half_closed_) return;
  half_closed_ = false;
  for (Subflow* sf : subflows_) {
    if (sf == nullptr || sf->finishing || !sf->peer_closed()) continue;
    if (needs(*sf)) {
      half_closed_ = true;
      continue;
    }
    sf->finishing = true;
    sf->finish(ctx);
  }
}

void Session::subflow_silent(Context& ctx, Subflow& sf) {
  if (phase_ != Phase::running) return;
  if (!has_other(sf)) return;
  if (sf.stale) {
    // What it keeps has arrived by another path and counts against the buffer all the same: a fast path that
    // died may hold so much of it that the stream stands still. Short of that it may come back.
    constexpr unsigned kBackoffs = 2;
    if (sf.backoffs() > kBackoffs && kept() > std::min(owner_.buffer(), ctx.window_limit) / 4 * 3)
      sf.reset_with(ctx, stats::RstReason::performance, Failure::timed_out);
    return;
  }
  sf.stale = true;
  ctx.count(Counter::mptcp_subflows_stale);
  reinject_from(sf.slot, false);
  touch_all(ctx);
}

void Session::subflow_heard(Context& ctx, Subflow& sf) {
  sf.stale = false;
  ctx.count(Counter::mptcp_subflows_recovered);
  for (Segment* s = data_.front(); s != nullptr && s != unsent_ && reinject_pending_ != 0; s = s->next) {
    if (!s->is(Segment::kReinject) || s->path != sf.slot || !s->is(Segment::kInSent)) continue;
    s->clear(Segment::kReinject);
    --reinject_pending_;
  }
  touch_all(ctx);
  addresses_changed(ctx);
}

// There is reason to think that a path is gone, and others are left: it is asked, and nothing new goes there
// until it answers; silence ends it.
void Session::set_aside(Context& ctx, Subflow& sf) {
  if (!sf.usable() || sf.stale) return;
  sf.doubt(ctx);
  subflow_silent(ctx, sf);
}

// What this path carried and the peer has not acknowledged at data level goes to the others.
void Session::reinject_from(std::uint8_t slot, bool gone) {
  for (Segment* s = data_.front(); s != nullptr && s != unsent_; s = s->next) {
    if (s->path != slot) continue;
    if (gone) s->path = kNoPath;
    if (s->is(Segment::kReinject)) continue;
    s->set(Segment::kReinject);
    ++reinject_pending_;
  }
  reinject_hint_ = nullptr;
}

}  // namespace braid::mptcp
