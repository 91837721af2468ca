// Addresses: ours are announced, and withdrawn while they are gone; the peer's are echoed (RFC 8684 3.4).
#include <algorithm>
#include <bit>

#include "mptcp/session.hpp"
#include "mptcp/subflow.hpp"

namespace braid::mptcp {

using stats::Counter;

namespace {
constexpr std::uint64_t bit(unsigned index) { return std::uint64_t{1} << index; }
}  // namespace

// Bit i: the i-th address that is announced can be reached.
std::uint64_t Session::addresses_here() const {
  const std::size_t n = profile_.announce.size();
  return owner_.addresses_here(*this) &
         (n < limits::kMaxAnnounced ? bit(static_cast<unsigned>(n)) - 1 : ~0ULL);
}

void Session::addresses_changed(Context& ctx) {
  if (phase_ != Phase::running || profile_.announce.empty()) return;
  const std::uint64_t here = addresses_here();
  if (announcing_ != kNoAddress && (here & bit(announcing_)) == 0) {
    announcing_ = kNoAddress;
    announce_due_ = false;
  }
  if ((told_ & ~here) != 0) withdraw(ctx, here);
  if (announcing_ == kNoAddress) announce_next(ctx);
}

// 3.4.2: what was announced and is gone. Not while its path is the only one: the peer could not hear of it,
// and it may come back.
void Session::withdraw(Context& ctx, std::uint64_t here) {
  const auto gone = [&](const Subflow& sf) {
    return sf.local_id != 0 && sf.local_id <= profile_.announce.size() && (here & bit(sf.local_id - 1U)) == 0;
  };
  // 3.4.2: a subflow that works is not ended by REMOVE_ADDR, whatever the link says: another may bring it.
  constexpr std::uint32_t kLatelyMs = 1000;
  for (const Subflow* sf : subflows_)
    if (sf != nullptr && gone(*sf) && millis(ctx.now) - sf->last_heard_ms() < kLatelyMs)
      here |= bit(sf->local_id - 1U);
  const auto live = [&](const Subflow* sf) {
    return sf != nullptr && sf->usable() && !sf->stale && !gone(*sf);
  };
  if ((told_ & ~here) == 0 || std::none_of(subflows_.begin(), subflows_.end(), live)) return;
  told_ &= here;
  for (Subflow* sf : subflows_) {
    if (live(sf)) {  // on each: it is not acknowledged
      sf->tell_removal(ctx);
    } else if (sf != nullptr && gone(*sf)) {
      set_aside(ctx, *sf);
    }
  }
}

std::size_t Session::addresses_gone(std::span<std::uint8_t> ids) const {
  const std::uint64_t known = addresses_here() | told_;
  std::size_t n = 0;
  for (std::uint8_t i = 0; i < profile_.announce.size() && n < ids.size(); ++i)
    if ((known & bit(i)) == 0) ids[n++] = static_cast<std::uint8_t>(i + 1);
  return n;
}

// The next address that the peer does not know of.
void Session::announce_next(Context& ctx) {
  const std::uint64_t left = addresses_here() & ~told_;
  announcing_ = left == 0 ? kNoAddress : static_cast<std::uint8_t>(std::countr_zero(left));
  announce_tries_ = 0;
  announce_due_ = left != 0;
  if (left == 0) return;
  told_ |= bit(announcing_);
  if (Subflow* sf = best_subflow()) sf->signal_soon(ctx);
}

// The announcement under way once more, a few times; whoever never echoes it does not want it.
bool Session::announce_again(Context& ctx) {
  constexpr std::uint8_t kTries = 4;
  if (announcing_ == kNoAddress || announce_due_) return false;  // what waits arms the alarm when it goes
  if (++announce_tries_ > kTries) {
    announce_next(ctx);
    return announcing_ != kNoAddress;
  }
  announce_due_ = true;
  if (Subflow* sf = best_subflow()) sf->signal_soon(ctx);
  return true;
}

bool Session::announcement_is_large() const {
  if (echo_due_) return !echo_.ip.is_v4() && echo_.port != 0;
  if (!announce_due_) return false;
  const Endpoint& e = profile_.announce[announcing_];
  return !e.ip.is_v4() && e.port != 0;
}

bool Session::take_announcement(Context& ctx, wire::AddAddr& out) {
  if (echo_due_) {
    echo_due_ = false;
    out = {.echo = true, .id = echo_id_, .port = echo_.port, .ip = echo_.ip};
    return true;
  }
  if (!announce_due_ || phase_ != Phase::running) return false;
  announce_due_ = false;
  arm(ctx, ctx.now + retransmit_after());
  const Endpoint& e = profile_.announce[announcing_];
  out = {};
  out.id = static_cast<std::uint8_t>(announcing_ + 1);
  out.ip = e.ip;
  out.port = e.port;
  out.hmac = add_addr_hmac(local_key_, remote_key_, out.id, e.ip, e.port);
  return true;
}

void Session::announcement_echoed(Context& ctx, std::uint8_t id) {
  if (announcing_ != kNoAddress && id == announcing_ + 1) announce_next(ctx);
}

// A proxy has no need to connect outward: a valid announcement is echoed and counted, nothing more
// (threats 4.3).
void Session::peer_announced(Context& ctx, Subflow& sf, const wire::AddAddr& a) {
  if (!remote_known_ || a.hmac != add_addr_hmac(remote_key_, local_key_, a.id, a.ip, a.port)) {
    ctx.count(Counter::mptcp_add_addr_bad_hmac);
    return;
  }
  ctx.count(Counter::mptcp_add_addr_received);
  const bool another = echo_due_ && echo_id_ != a.id;
  if (another) sf.signal_now(ctx);   // its own echo makes room for this one's
  if (another && echo_due_) return;  // too many in a row: the peer announces it again
  echo_ = {a.ip, a.port};
  echo_id_ = a.id;
  echo_due_ = true;
  sf.signal_soon(ctx);
}

// Rule 38: hearsay does not kill a path.
void Session::peer_removed(Context& ctx, const wire::RemoveAddr& r) {
  for (unsigned i = 0; i < r.count; ++i)
    for (Subflow* sf : subflows_)
      if (sf != nullptr && sf->remote_id == r.ids[i]) set_aside(ctx, *sf);
}

}  // namespace braid::mptcp
