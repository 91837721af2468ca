// What a subflow reads: options of every segment, and payload under its mapping.
#include <algorithm>

#include "mptcp/subflow.hpp"
#include "wire/checksum.hpp"

namespace braid::mptcp {

using stats::Counter;
using stats::Drop;
using stats::RstReason;

bool Subflow::on_options(Context& ctx, const wire::TcpFrame& f) {
  if (session_ == nullptr) return true;
  const auto& o = f.options.mptcp;
  if (f.options.ignored != 0) ctx.count(Counter::options_ignored, f.options.ignored);
  if (f.has(wire::kRst)) return on_reset_options(ctx, o);
  if (stale) session_->subflow_heard(ctx, *this);
  if (origin_ == Origin::join_active) confirmed_ = true;  // the fourth ACK
  if (plain_) return on_plain_options(ctx, o);
  stripped_ = o.present == 0;
  if (stripped_) {
    // 3.7: our data is acknowledged, but not as data: the peer reads this connection as plain TCP. What is
    // not in order proves nothing: it may be the rest of a segment that was cut, and overtook the options.
    const bool taken_for_plain = !joined() && session_->knows_peer() && !session_->got_data_ack() &&
                                 after(f.ack, initial_send() + 1) && bytes_out != 0 &&
                                 f.seq == receive_next();
    if (taken_for_plain) session_->fall_back(ctx, *this, stats::Fallback::no_mapping);
    // A joined one can be no plain connection: what it carries would be lost to the stream.
    if (joined() && !confirmed_ && f.seq == receive_next() && session_->owed_data_ack(*this))
      reset_with(ctx, RstReason::middlebox, Failure::internal);
    return session_ != nullptr;
  }
  if (o.has(wire::kMpFastclose) && o.fastclose_key == session_->local_key()) {
    session_->fastclosed(ctx);
    return false;
  }
  if (o.has(wire::kMpJoinAck) && origin_ == Origin::join_passive) ack_soon(ctx);  // our fourth ACK was lost
  if (o.has(wire::kMpDss)) on_dss(ctx, f);
  if (session_ == nullptr) return false;
  if (o.has(wire::kMpAddAddr)) {
    if (o.add_addr.echo) {
      session_->announcement_echoed(ctx, o.add_addr.id);
      ctx.count(Counter::mptcp_add_addr_echoed);
    } else {
      confirmed_ = true;  // rule 5
      session_->peer_announced(ctx, *this, o.add_addr);
    }
  }
  if (o.has(wire::kMpRemoveAddr)) {
    ctx.count(Counter::mptcp_remove_addr_received);
    session_->peer_removed(ctx, o.remove_addr);
  }
  if (o.has(wire::kMpPrio)) {
    ctx.count(Counter::mptcp_prio_received);
    backup = o.prio_backup;
  }
  if (o.has(wire::kMpFail) && session_ != nullptr) {
    session_->peer_failed(ctx, *this);
    if (session_ != nullptr) answer_mp_fail(ctx);
  }
  return session_ != nullptr;
}

// After a fallback: the peer's answer to our MP_FAIL, or its own.
bool Subflow::on_plain_options(Context& ctx, const wire::MptcpOptions& o) {
  const bool failed = o.has(wire::kMpFail);
  const bool infinite = o.has(wire::kMpDss) && o.dss.has_map && o.dss.length == 0;
  if (failed) ctx.count(Counter::mptcp_fail_received);
  if (fail_repeats_ && (failed || infinite)) {
    fail_due_ = fail_repeats_ = false;
  } else if (failed && !fail_ours_) {
    answer_mp_fail(ctx);  // our answer was lost. Who began it does not answer, or the two would never end
  }
  return true;
}

bool Subflow::on_reset_options(Context& ctx, const wire::MptcpOptions& o) {
  const bool known = o.has(wire::kMpTcprst) && o.tcprst.reason < static_cast<std::uint8_t>(RstReason::none);
  ctx.stats.resets_received.add(known ? static_cast<RstReason>(o.tcprst.reason) : RstReason::none);
  if (o.has(wire::kMpFastclose) && !plain_ && o.fastclose_key == session_->local_key()) {
    session_->fastclosed(ctx);
    return false;
  }
  return true;
}

void Subflow::on_dss(Context& ctx, const wire::TcpFrame& f) {
  const wire::Dss& d = f.options.mptcp.dss;
  if (!session_->knows_peer()) return;
  if (d.has_ack) {
    confirmed_ = true;
    const DataSeq ack = d.ack_is_8
                            ? DataSeq(d.data_ack)
                            : expand(static_cast<std::uint32_t>(d.data_ack), session_->send_unacknowledged());
    session_->data_ack(ctx, *this, ack, window_of(f));
  }
  if (!d.has_map || session_ == nullptr) return;
  if (d.dsn_is_8) session_->note_dsn8();
  const DataSeq dsn =
      d.dsn_is_8 ? DataSeq(d.dsn) : expand(static_cast<std::uint32_t>(d.dsn), session_->receive_next());
  if (d.data_fin && d.length != 0) session_->data_fin(ctx, *this, dsn + (d.length - 1U));
  if (session_ != nullptr && d.length == 0 && f.payload_length != 0)  // infinite mapping (3.7)
    session_->fall_back(ctx, *this, stats::Fallback::peer);
}

// Notes the mapping that came with a segment, as the data sequence number of its first byte.
void Subflow::on_arrival(Context&, Segment& s, const wire::TcpFrame& f) {
  if (session_ == nullptr || plain_ || !session_->knows_peer()) return;
  const auto& o = f.options.mptcp;
  Mapping m;
  bool checked = false;
  if (o.has(wire::kMpDss) && o.dss.has_map) {
    const wire::Dss& d = o.dss;
    m.dsn = d.dsn_is_8 ? DataSeq(d.dsn) : expand(static_cast<std::uint32_t>(d.dsn), session_->receive_next());
    m.first = initial_receive() + d.ssn;
    m.length = d.length - (d.data_fin && d.length != 0 ? 1U : 0U);
    checked = d.has_checksum;
    s.map.checksum = d.checksum;
  } else if (o.has(wire::kMpCapable) && o.capable.has_data_length) {  // rule 4
    m.dsn = session_->remote_first();
    m.first = initial_receive() + 1;
    m.length = o.capable.data_length;
    checked = o.capable.has_checksum;
    s.map.checksum = o.capable.checksum;
  }
  if (m.length == 0) return;
  s.set(Segment::kMapped);
  if (checked) s.set(Segment::kMapChecksum);
  s.map.first = m.first;
  s.map.length = static_cast<std::uint16_t>(m.length);
  s.dsn = m.data_at(s.seq);
}

// Sees to it that map_ covers the first byte of `s`. False: no mapping does, or two contradict each other.
bool Subflow::mapping_for(Segment& s) {
  if (!s.is(Segment::kMapped)) return map_.covers(s.seq);
  // 3.3: a mapping without a checksum where one was agreed, or with one where none was, ends the subflow.
  if (session_->checksum() != s.is(Segment::kMapChecksum)) return false;
  const auto offset = static_cast<std::uint64_t>(static_cast<std::int64_t>(s.seq - s.map.first));
  const Mapping own{DataSeq(s.dsn.raw - offset), s.map.first, s.map.length};
  if (map_.covers(s.seq)) return map_.agrees_with(own);  // a repeated one (rule 21)
  if (!own.covers(s.seq)) return false;
  map_ = own;
  map_checksum_ = s.map.checksum;
  return true;
}

void Subflow::on_payload(Context& ctx, Segment& s) {
  if (session_ == nullptr) return tcp::free_segment(s);
  count_bytes(ctx, s.length);
  if (plain_) {
    s.dsn = session_->receive_next();
    return session_->receive(ctx, *this, s);
  }
  if (!mapping_for(s)) return bad_mapping(ctx, s);
  const auto left = static_cast<std::uint32_t>(map_.end() - s.seq);
  Segment* rest = nullptr;
  if (left < s.length) {
    rest = tcp::split_segment(ctx.buffers, s, static_cast<std::uint16_t>(left));
    if (rest == nullptr) {
      ctx.stats.drops.add(Drop::no_buffer);
      tcp::free_segment(s);
      return reset_with(ctx, RstReason::resources, Failure::internal);
    }
  }
  deliver_mapped(ctx, s);
  if (rest != nullptr) bad_mapping(ctx, *rest);
}

void Subflow::deliver_mapped(Context& ctx, Segment& s) {
  s.dsn = map_.data_at(s.seq);
  if (session_->checksum()) return payload_with_checksum(ctx, s);
  session_->receive(ctx, *this, s);
}

void Subflow::bad_mapping(Context& ctx, Segment& s) {
  if (session_ == nullptr) return tcp::free_segment(s);
  if (!plain_ && s.is(Segment::kMapped)) {  // contradicts another, or itself
    reset_with(ctx, RstReason::mptcp, Failure::internal);
  } else if (!plain_) {  // it is when the first part of this segment was the reason to fall back
    session_->mapping_missing(ctx, *this);
  }
  if (session_ == nullptr || !plain_) {
    ctx.stats.drops.add(Drop::data_unmapped);
    return tcp::free_segment(s);
  }
  s.dsn = session_->receive_next();
  session_->receive(ctx, *this, s);
}

// Rule 25: nothing of a mapping is delivered or acknowledged at data level before all of it was verified.
void Subflow::payload_with_checksum(Context& ctx, Segment& s) {
  tcp::Flight* f = busy(ctx);
  if (f == nullptr) {
    ctx.stats.drops.add(Drop::receive_pieces);
    tcp::free_segment(s);
    return reset_with(ctx, RstReason::resources, Failure::internal);
  }
  if (f->kept.empty()) f->kept_bytes = f->kept_sum = 0;
  f->kept_sum = wire::sum_add(f->kept_sum, (f->kept_bytes & 1U) != 0 ? wire::sum_swap(s.sum) : s.sum);
  f->kept_bytes += s.length;
  f->kept.take(s, mss());  // a mapping in crumbs must not take a buffer for each
  if (f->kept_bytes >= map_.length) finish_checked_mapping(ctx, *f);
}

void Subflow::deliver_kept(Context& ctx) {
  if (flight().kept.empty()) return;
  SegmentQueue kept;
  kept.append(busy(ctx)->kept);
  while (Segment* s = kept.pop_front()) session_->receive(ctx, *this, *s);
}

void Subflow::finish_checked_mapping(Context& ctx, tcp::Flight& f) {
  const auto ssn = static_cast<std::uint32_t>(map_.first - initial_receive());
  const auto length = static_cast<std::uint16_t>(map_.length);
  // A DATA_FIN on the mapping counts in its length.
  const std::uint16_t plain = wire::dss_checksum(map_.dsn.raw, ssn, length, f.kept_sum);
  const auto with_fin =
      wire::dss_checksum(map_.dsn.raw, ssn, static_cast<std::uint16_t>(length + 1), f.kept_sum);
  SegmentQueue verified;
  verified.append(f.kept);
  if (map_checksum_ != plain && map_checksum_ != with_fin) {
    ctx.stats.drops.add(Drop::data_checksum);
    send_mp_fail(ctx, map_.dsn);
    if (!session_->can_fall_back(stats::Fallback::checksum)) {
      verified.free_all();
      return reset_with(ctx, RstReason::middlebox, Failure::internal);
    }
    session_->fall_back(ctx, *this, stats::Fallback::checksum);
  }
  while (Segment* s = verified.pop_front()) {
    if (session_ == nullptr) {
      tcp::free_segment(*s);
      continue;
    }
    session_->receive(ctx, *this, *s);
  }
}

void Subflow::count_bytes(Context& ctx, std::uint32_t n) const {
  ctx.count(backup     ? Counter::mptcp_bytes_backup
            : joined() ? Counter::mptcp_bytes_joined
                       : Counter::mptcp_bytes_first,
            n);
}

}  // namespace braid::mptcp
