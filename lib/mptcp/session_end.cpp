// How a session ends: cleanly, by fast close, or by becoming a plain connection (RFC 8684 3.3.3, 3.5, 3.7).
#include <algorithm>

#include "mptcp/session.hpp"
#include "mptcp/subflow.hpp"

namespace braid::mptcp {

using stats::Counter;

// Both DATA_FINs are exchanged and acknowledged: subflows close (rule 24).
void Session::maybe_finish(Context& ctx) {
  if (phase_ != Phase::running || !fin_acked_ || !peer_finished_) return;
  phase_ = Phase::closing;
  live_until(ctx, ctx.now + ctx.timeouts.fin_wait);
  if (subflow_count() == 0) phase_ = Phase::ended;
  close_subflows(ctx);
  wake(ctx);
  end_if_unused(ctx);
}

void Session::close_subflows(Context& ctx) {
  for (Subflow* sf : subflows_) {
    if (sf == nullptr) continue;
    if (!sf->synchronised()) {
      sf->reset_with(ctx, stats::RstReason::unspecified, Failure::aborted);
      continue;
    }
    sf->finishing = true;
    sf->finish(ctx);
    sf->linger(ctx);
  }
}

// 3.5: on one subflow MP_FASTCLOSE in an ACK, repeated until the peer's RST, which every client understands;
// RST on the others.
void Session::abort(Context& ctx) {
  if (phase_ == Phase::ended || phase_ == Phase::aborting) return;
  if (failure_ == Failure::none) failure_ = Failure::aborted;
  Subflow* chosen = phase_ == Phase::running || phase_ == Phase::closing ? best_subflow() : nullptr;
  if (chosen != nullptr && !chosen->usable() && phase_ == Phase::running) chosen = nullptr;
  if (!remote_known_ || (phase_ != Phase::running && phase_ != Phase::closing)) return fail(ctx, failure_);
  phase_ = Phase::aborting;
  if (chosen == nullptr) {  // the peer has closed the subflow, and its connection may live on without any
    for (Subflow* sf : subflows_)
      if (sf != nullptr) sf->reset_with_fastclose(ctx);
    return fail(ctx, failure_);
  }
  if (!flight_->early.empty()) flight_->early.clear();
  settle(ctx);
  for (Subflow* sf : subflows_)
    if (sf != nullptr && sf != chosen) sf->reset_with_fastclose(ctx);
  chosen->send_fastclose(ctx);
  retries_ = 0;
  arm(ctx, ctx.now + retransmit_after());
  live_until(ctx, ctx.now + ctx.timeouts.fin_wait);
  wake(ctx);
}

// The peer's fast close, its key checked: RST everywhere, at once.
void Session::fastclosed(Context& ctx) {
  ctx.count(Counter::mptcp_fastclose_received);
  fail(ctx, Failure::reset);
}

void Session::fail(Context& ctx, Failure why) {
  if (failure_ == Failure::none) failure_ = why;
  phase_ = Phase::ended;
  retry_due_ = life_due_ = {};
  if (!flight_->early.empty()) flight_->early.clear();
  settle(ctx);
  for (Subflow* sf : subflows_)
    if (sf != nullptr) sf->reset_with(ctx, stats::RstReason::none, failure_);
  wake(ctx);
  end_if_unused(ctx);
}

void Session::end_if_unused(Context& ctx) {
  if (phase_ != Phase::ended || !released_ || subflow_count() != 0 || reported_ended_) return;
  reported_ended_ = true;
  owner_.session_ended(ctx, *this);
}

// Rule 27: the stream can go on alone on the one subflow there is and ever was, if nothing was sent twice at
// data level and nothing is missing. A join in its handshake has carried nothing; but its client may take it
// for complete, and then follows no fallback that was not its own.
bool Session::can_fall_back(stats::Fallback cause) const {
  if (phase_ == Phase::handshake) return true;
  return phase_ == Phase::running && subflow_count() != 0 && !ever_joined_ && reinjected_ == 0 &&
         flight_->early.empty() && (cause == stats::Fallback::peer || !join_under_way());
}

bool Session::join_under_way() const {
  return std::any_of(subflows_.begin(), subflows_.end(),
                     [](const Subflow* sf) { return sf != nullptr && sf->joined(); });
}

// The one place where a session becomes a plain connection. Where it cannot, the subflow ends.
void Session::fall_back(Context& ctx, Subflow& sf, stats::Fallback cause) {
  if (fallen_back()) return;
  if (!can_fall_back(cause)) return sf.reset_with(ctx, stats::RstReason::middlebox, Failure::internal);
  ctx.stats.fallbacks.add(cause);
  drop_joins(ctx);
  sf.deliver_kept(ctx);
  const bool told = phase_ == Phase::running && remote_known_;  // a peer that reads DSS is told where it ends
  phase_ = Phase::fallen_back;
  if (!remote_known_) rcv_nxt_ = rcv_edge_ = DataSeq(1);
  if (peer_fin_known_ && !peer_finished_) peer_fin_known_ = false;
  sf.become_plain(told);
  // No DATA_ACK will come: what TCP has acknowledged is through, and a DATA_FIN becomes a FIN.
  while (data_.front() != nullptr && data_.front() != unsent_ && !data_.front()->is(Segment::kInSent))
    free_data(ctx, data_.front()->data_end());
  if (!fin_acked_) fin_sent_ = false;
  // The peer may not have noticed, and would send again as data what TCP has acknowledged: here, new bytes.
  const bool alone = cause == stats::Fallback::stripped || cause == stats::Fallback::no_mapping;
  if (told && alone) sf.send_mp_fail(ctx, rcv_nxt_);
  touch(ctx);
}

void Session::drop_joins(Context& ctx) {
  for (Subflow* sf : subflows_) {
    if (sf == nullptr || !sf->joined()) continue;
    ctx.stats.joins.add(stats::Join::fallback);
    sf->reset_with(ctx, stats::RstReason::mptcp, Failure::internal);
  }
}

// Before anything was confirmed a middlebox has eaten the options from the beginning, later in mid-stream
// (3.7). With checksums the stream was to be proof against exactly that, so it does not go on without.
void Session::mapping_missing(Context& ctx, Subflow& sf) {
  const bool nothing_yet = rcv_nxt_ == remote_first() && !heard_data_ack_;
  if (nothing_yet) return fall_back(ctx, sf, stats::Fallback::no_mapping);
  if (checksum_) return sf.reset_with(ctx, stats::RstReason::middlebox, Failure::internal);
  fall_back(ctx, sf, stats::Fallback::stripped);
}

// Beside other subflows MP_FAIL comes on a RST; a peer that says it in an ACK believes to be on the only one.
void Session::peer_failed(Context& ctx, Subflow& sf) {
  ctx.count(Counter::mptcp_fail_received);
  fall_back(ctx, sf, stats::Fallback::peer);
}

}  // namespace braid::mptcp
