#include "mptcp/session.hpp"

#include <algorithm>

#include "mptcp/subflow.hpp"

namespace braid::mptcp {

using tcp::StreamState;

const char* to_string(Phase p) {
  switch (p) {
    case Phase::handshake:
      return "HANDSHAKE";
    case Phase::running:
      return "ESTABLISHED";
    case Phase::fallen_back:
      return "FALLBACK";
    case Phase::aborting:
      return "FASTCLOSE";
    case Phase::closing:
      return "CLOSING";
    case Phase::ended:
      return "ENDED";
  }
  return "?";
}

Session::Session(SessionOwner& owner, const SessionProfile& profile, std::uint64_t local_key, KeyHash local,
                 std::uint32_t budget)
    : owner_(owner), profile_(profile), local_key_(local_key), token_(local.token), budget_(budget) {
  kind = static_cast<std::uint8_t>(tcp::AlarmKind::session);
  snd_una_ = snd_edge_ = write_end_ = local.idsn + 1;
  checksum_ = profile.require_checksum;
}

Session::~Session() {
  Alarm::unlink();
  while (Segment* s = data_.pop_front()) {
    s->clear(Segment::kInData);
    if (!s->is(Segment::kInSent)) tcp::free_segment(*s);
  }
  inbox_.free_all();
  if (!flight_->early.empty()) flight_->early.clear();  // only with the engine itself
}

StreamState Session::state() const {
  if (failure_ != Failure::none) return StreamState::failed;
  switch (phase_) {
    case Phase::handshake:
      return StreamState::opening;
    case Phase::running:
    case Phase::fallen_back:
      return our_end_acknowledged() && peer_finished_ ? StreamState::closed : StreamState::open;
    case Phase::aborting:
      return StreamState::failed;
    case Phase::closing:
    case Phase::ended:
      break;
  }
  return StreamState::closed;
}

bool Session::our_end_acknowledged() const {
  if (!fallen_back() || fin_acked_) return fin_acked_;
  const Subflow* sf = best_subflow();
  return sf != nullptr && (sf->state() == tcp::State::fin_wait_2 || sf->state() == tcp::State::time_wait);
}

void Session::peer_key(std::uint64_t key) {
  remote_key_ = key;
  remote_known_ = true;
  rcv_nxt_ = remote_first();
  rcv_edge_ = rcv_nxt_ + std::min(budget_, 0xffffU);  // what the SYN advertised
}

std::uint16_t Session::segment_room() const {
  std::uint16_t least = 0xffff;
  for (const Subflow* sf : subflows_)
    if (sf != nullptr && sf->synchronised()) least = std::min(least, sf->mss());
  return least == 0xffff ? 536 : least;
}

void Session::shutdown(Context& ctx) {
  if (fin_wanted_) return;
  fin_wanted_ = true;
  touch(ctx);
}

void Session::release(Context& ctx) {
  user = nullptr;
  released_ = true;
  const bool unread = !inbox_.empty();
  inbox_.free_all();
  if (phase_ == Phase::ended) return end_if_unused(ctx);
  if (unread || !fin_wanted_) return abort(ctx);
  if (phase_ == Phase::aborting) return;
  live_until(ctx, ctx.now + ctx.timeouts.fin_wait);
}

void Session::arm(Context& ctx, Instant due) {
  retry_due_ = {due, ctx.now};
  retry_una_ = static_cast<std::uint32_t>(snd_una_.raw);
  ctx.wheel.arm_sooner(*this, retry_due_.at(ctx.now));
}

void Session::live_until(Context& ctx, Instant due) {
  life_due_ = {due, ctx.now};
  ctx.wheel.arm_sooner(*this, life_due_.at(ctx.now));
}

void Session::on_alarm(Context& ctx) {
  if (retry_due_.reached(ctx.now)) {
    retry_due_ = {};
    on_retransmit(ctx);
  }
  if (phase_ == Phase::ended) return;
  if (life_due_.reached(ctx.now)) {
    life_due_ = {};
    if (phase_ == Phase::aborting) return fail(ctx, failure_);
    if (released_) return abort(ctx);
    if (phase_ == Phase::running && subflow_count() == 0) return fail(ctx, Failure::timed_out);
  }
  const Instant due = std::min(retry_due_.at(ctx.now), life_due_.at(ctx.now));
  if (due != kNever && phase_ != Phase::ended) ctx.wheel.arm_sooner(*this, due);
}

Duration Session::retransmit_after() const {
  const Subflow* sf = best_subflow();
  const Duration base = sf != nullptr ? sf->rtt().rto() : Duration(std::chrono::seconds(1));
  return std::min(base * (1U << std::min<unsigned>(retries_, 6)), from_micros(tcp::Rtt::kMaxRto));
}

// What TCP's own retransmission does not repeat: DATA_FIN, announcements, MP_FASTCLOSE, and data that a
// middlebox acknowledged on the subflow but never delivered.
void Session::on_retransmit(Context& ctx) {
  if (retries_ < 255) ++retries_;
  bool again = false;
  if (phase_ == Phase::aborting) {
    Subflow* sf = best_subflow();
    if (sf == nullptr) return;
    if (retries_ > 3) return sf->reset_with_fastclose(ctx);
    sf->send_fastclose(ctx);
    again = true;
  }
  if (phase_ == Phase::running || phase_ == Phase::closing) {
    if (fin_outstanding()) {  // on all: one of them may lose the options of segments without payload
      for (Subflow* sf : subflows_)
        if (sf != nullptr && sf->synchronised()) sf->send_data_fin(ctx);
      again = true;
    }
    if (phase_ == Phase::running && announce_again(ctx)) again = true;
    if (send_data_again(ctx)) again = true;
  }
  if (again) arm(ctx, ctx.now + retransmit_after());
}

// Data whose DATA_ACK does not come, or that no window takes.
bool Session::send_data_again(Context& ctx) {
  bool again = false;
  Segment* head = data_.front();
  if (head != nullptr && head != unsent_) {
    again = true;
    const bool stuck = retry_una_ == static_cast<std::uint32_t>(snd_una_.raw) && !head->is(Segment::kInSent);
    Subflow* alone = stuck && can_fall_back(stats::Fallback::stripped) ? best_subflow() : nullptr;
    if (alone != nullptr && alone->stripped()) {  // TCP acknowledges, and nobody speaks of data any more
      fall_back(ctx, *alone, stats::Fallback::stripped);
      return true;
    }
    // Not before the peer has proved that it reads mappings: to plain TCP these would be new bytes.
    if (stuck && heard_data_ack_ && !head->is(Segment::kReinject)) {
      head->set(Segment::kReinject);
      ++reinject_pending_;
      reinject_hint_ = nullptr;
      touch(ctx);
    }
  }
  if (unsent_ != nullptr && phase_ == Phase::running) {
    if (head == unsent_)  // all is acknowledged and yet nothing may go: ask for the window
      for (Subflow* sf : subflows_)
        if (sf != nullptr && sf->usable()) sf->probe(ctx);
    touch(ctx);
    again = true;
  }
  return again;
}

}  // namespace braid::mptcp
