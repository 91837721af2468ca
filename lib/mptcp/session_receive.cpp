// Data-level receiving: order, window, DATA_FIN (RFC 8684 3.3.1-3.3.3).
#include <algorithm>

#include "mptcp/session.hpp"
#include "mptcp/subflow.hpp"

namespace braid::mptcp {

using stats::Counter;
using stats::Drop;

namespace {
// Beyond the right edge: Linux keeps the larger window of a subflow whose numbers stand still, and counts it
// from a newer DATA_ACK.
constexpr std::uint32_t kTolerance = 1U << 14;
}  // namespace

void Session::receive(Context& ctx, Subflow& sf, Segment& s) {
  const DataSeq end = s.data_end();
  if (phase_ == Phase::aborting || phase_ == Phase::ended) return tcp::free_segment(s);
  if (at_or_before(end, rcv_nxt_)) {
    ctx.stats.drops.add(Drop::data_duplicate);
    sf.ack_soon(ctx);
    return tcp::free_segment(s);
  }
  const bool beyond_fin = peer_fin_known_ && after(end, peer_fin_);
  if (!fallen_back() && (after(end, rcv_edge_ + kTolerance) || beyond_fin)) {
    ctx.stats.drops.add(Drop::data_out_of_window);
    return tcp::free_segment(s);
  }
  if (before(s.dsn, rcv_nxt_)) tcp::trim_front(s, static_cast<std::uint16_t>(rcv_nxt_ - s.dsn));
  if (s.dsn == rcv_nxt_) {
    accept_in_order(ctx, s);
    if (!flight_->early.empty()) drain_early(ctx, sf);
    check_peer_fin(ctx);
    return;
  }
  ctx.count(Counter::mptcp_out_of_order);
  if (ctx.buffers_scarce || flight_->early.full()) {
    ctx.stats.drops.add(Drop::receive_pieces);  // not acknowledged at data level: the peer sends it again
    return tcp::free_segment(s);
  }
  if (flight_ == &tcp::Flight::none()) {
    tcp::Flight* f = ctx.flights.get(tcp::Space::data);
    if (f == nullptr) {
      ctx.count(Counter::invariant);
      ctx.stats.drops.add(Drop::receive_pieces);
      return tcp::free_segment(s);
    }
    flight_ = f;
  }
  if (flight_->early.insert(s) == 0) ctx.stats.drops.add(Drop::data_duplicate);
}

// Gives the reassembly queue back when it is empty.
void Session::settle(Context& ctx) {
  if (flight_ == &tcp::Flight::none() || !flight_->early.empty()) return;
  ctx.flights.put(flight_);
  flight_ = &tcp::Flight::none();
}

void Session::accept_in_order(Context& ctx, Segment& s) {
  rcv_nxt_ += s.length;
  if (released_) {  // nobody will read it: tell the peer (RFC 1122 4.2.2.13)
    tcp::free_segment(s);
    return abort(ctx);
  }
  held_ += s.length;
  inbox_.take(s, segment_room());
  wake(ctx);
}

void Session::drain_early(Context& ctx, Subflow& sf) {
  bool moved = false;
  while (Segment* piece = flight_->early.front()) {
    if (after(piece->dsn, rcv_nxt_) || phase_ == Phase::ended || phase_ == Phase::aborting) break;
    flight_->early.pop(*piece);
    const auto old = static_cast<std::uint64_t>(rcv_nxt_ - piece->dsn);
    if (old >= piece->length) {
      tcp::free_segment(*piece);
      continue;
    }
    tcp::trim_front(*piece, static_cast<std::uint16_t>(old));
    accept_in_order(ctx, *piece);
    moved = true;
  }
  settle(ctx);
  if (moved && sf.session() != nullptr) sf.ack_soon(ctx);
}

void Session::data_fin(Context& ctx, Subflow& sf, DataSeq at) {
  sf.ack_soon(ctx);  // it wants a DATA_ACK, also when repeated (rule 23)
  if (peer_fin_known_ || before(at, rcv_nxt_) || phase_ != Phase::running) return;
  peer_fin_ = at;
  peer_fin_known_ = true;
  check_peer_fin(ctx);
}

void Session::check_peer_fin(Context& ctx) {
  if (!peer_fin_known_ || peer_finished_ || rcv_nxt_ != peer_fin_ || phase_ != Phase::running) return;
  rcv_nxt_ += 1;
  peer_finished_ = true;
  wake(ctx);
  maybe_finish(ctx);
}

std::uint32_t Session::free_room(const Context& ctx) const {
  const std::uint32_t most = std::min(budget_, ctx.window_limit);
  const std::uint32_t used = held_ + flight_->early.bytes();
  return most > used ? most - used : 0;
}

// All that has arrived counts against one buffer, whatever space has the hole before it. Not by the test
// of 3.3.4, which would refuse honest segments: where another path has brought what this one lost, its next
// segments are further ahead on the subflow than in data.
bool Session::may_keep(std::uint32_t bytes) const {
  std::uint64_t all = std::uint64_t{bytes} + held_ + flight_->early.bytes();
  for (const Subflow* sf : subflows_)
    if (sf != nullptr) all += sf->flight().early.bytes();
  return all <= owner_.buffer() + kTolerance;
}

// One right edge for all subflows, never moved left (rule 28).
std::uint32_t Session::window(const Context& ctx, const tcp::WindowGrain& grain) {
  const std::uint32_t window = tcp::offered_window(standing_window(), free_room(ctx), grain);
  rcv_edge_ = later(rcv_edge_, rcv_nxt_ + window);
  return window;
}

// Bytes up to the right edge that was offered before.
std::uint32_t Session::standing_window() const {
  return static_cast<std::uint32_t>(std::max<std::int64_t>(rcv_edge_ - rcv_nxt_, 0));
}

void Session::consume(Context& ctx, std::uint32_t bytes) {
  held_ -= bytes;
  if (fallen_back()) return touch(ctx);
  constexpr std::uint32_t kTwoSegments = 2 * 1460;  // one is left of them, whatever the field rounds off
  const std::uint32_t standing = standing_window();
  const std::uint32_t room = free_room(ctx);
  if (room < 2 * standing || room < standing + kTwoSegments) return;
  for (Subflow* sf : subflows_)  // the peer's sender is held by each subflow's own window too
    if (sf != nullptr && sf->usable()) sf->ack_soon(ctx);
}

}  // namespace braid::mptcp
