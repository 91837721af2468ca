// The handshake of a subflow and the options it writes. What it reads is in subflow_input.cpp.
#include "mptcp/subflow.hpp"

#include <algorithm>
#include <array>

namespace braid::mptcp {

using stats::Counter;
using stats::RstReason;

namespace {
// 3.1: an MP_CAPABLE of another version, with the extension bit, or without the one algorithm there is, is
// treated as if it were not there.
bool is_ours(const wire::MpCapable& c) { return c.version == 1 && !c.extension && c.hmac_sha256; }
}  // namespace

void Subflow::set_join(const wire::MpJoin& syn, std::uint8_t id, std::uint32_t nonce) {
  remote_id = syn.address_id;
  remote_nonce_ = syn.nonce;
  backup = syn.backup;
  local_id = id;
  local_nonce_ = nonce;
}

void Subflow::set_active_join(std::uint8_t id, bool as_backup, std::uint32_t nonce) {
  local_id = id;
  prio_backup_ = as_backup;
  local_nonce_ = nonce;
}

void Subflow::write_syn_options(Context&, wire::OptionBuffer& o) {
  if (session_ == nullptr || plain_) return;
  if (!joined()) {
    wire::MpCapable c;
    c.checksum_required = session_->checksum();
    c.no_join_initial = session_->profile().refuse_initial_join;
    if (origin_ == Origin::capable_passive) {
      c.keys = 1;
      c.sender_key = session_->local_key();
    } else if (backoffs() >= 2) {
      return;  // a path that swallows MPTCP SYNs: ask for plain TCP (3.7)
    }
    o.mp_capable(c);
    return;
  }
  wire::MpJoin j;
  j.address_id = local_id;
  j.nonce = local_nonce_;
  if (origin_ == Origin::join_active) {
    j.backup = prio_backup_;
    j.token = hash_key(session_->remote_key()).token;
    o.mp_join_syn(j);
    return;
  }
  j.hmac64 = left64(join_hmac({session_->local_key(), session_->remote_key(), local_nonce_, remote_nonce_}));
  o.mp_join_syn_ack(j);
}

// Rule 11: the client gave up on MPTCP; what answers it now is plain TCP.
void Subflow::on_repeated_syn(Context& ctx, const wire::TcpFrame& f) {
  if (session_ == nullptr || joined() || plain_ || f.options.mptcp.has(wire::kMpCapable)) return;
  session_->fall_back(ctx, *this, stats::Fallback::retried_syn);
}

bool Subflow::on_third_ack(Context& ctx, const wire::TcpFrame& f) {
  if (session_ == nullptr) return true;
  return joined() ? third_ack_join(ctx, f) : third_ack_capable(ctx, f);
}

bool Subflow::third_ack_capable(Context& ctx, const wire::TcpFrame& f) {
  const auto& o = f.options.mptcp;
  if (!plain_ && after(f.seq, initial_receive() + 1) && !o.has(wire::kMpCapable)) {
    // Rule 4: the keys are on the first segment, and this one has overtaken it.
    ctx.stats.drops.add(stats::Drop::before_first);
    return false;
  }
  session_->initial_window(window_of(f));
  if (plain_) return true;
  // Rule 3: only both keys, ours echoed right, in the version and with the algorithm agreed on, prove that
  // the peer speaks MPTCP on this path.
  if (!o.has(wire::kMpCapable) || o.capable.keys != 2 || !is_ours(o.capable)) {
    session_->fall_back(ctx, *this, stats::Fallback::third_ack);
  } else if (o.capable.receiver_key != session_->local_key()) {
    session_->fall_back(ctx, *this, stats::Fallback::bad_keys);
  } else {
    session_->peer_key(o.capable.sender_key);
  }
  return true;
}

// 3.2: a join without a right HMAC is reset; it never becomes a plain connection (rule 16).
bool Subflow::third_ack_join(Context& ctx, const wire::TcpFrame& f) {
  const auto& o = f.options.mptcp;
  if (!o.has(wire::kMpJoinAck)) {
    ctx.stats.drops.add(stats::Drop::join_no_hmac);
    ctx.stats.joins.add(stats::Join::bad_hmac);
    reset_with(ctx, RstReason::mptcp, Failure::internal);
    return false;
  }
  const auto want =
      left160(join_hmac({session_->remote_key(), session_->local_key(), remote_nonce_, local_nonce_}));
  if (!equal_constant_time(want, o.join.hmac160)) {
    ctx.stats.drops.add(stats::Drop::join_bad_hmac);
    ctx.stats.joins.add(stats::Join::bad_hmac);
    reset_with(ctx, RstReason::prohibited, Failure::internal);
    return false;
  }
  return true;
}

bool Subflow::on_syn_ack(Context& ctx, const wire::TcpFrame& f) {
  if (session_ == nullptr) return true;
  const auto& o = f.options.mptcp;
  if (!joined()) {
    session_->initial_window(f.window);
    if (o.has(wire::kMpCapable) && o.capable.keys == 1 && is_ours(o.capable) && backoffs() < 2) {
      if (o.capable.checksum_required) session_->peer_wants_checksum();
      session_->peer_key(o.capable.sender_key);
    } else {
      session_->fall_back(ctx, *this, stats::Fallback::peer);
    }
    return true;
  }
  remote_nonce_ = o.join.nonce;
  const bool right =
      o.has(wire::kMpJoinSynAck) &&
      o.join.hmac64 ==
          left64(join_hmac({session_->remote_key(), session_->local_key(), remote_nonce_, local_nonce_}));
  if (!right) {
    ctx.stats.joins.add(stats::Join::bad_hmac);
    reset_with(ctx, RstReason::prohibited, Failure::internal);
    return false;
  }
  remote_id = o.join.address_id;
  backup = o.join.backup;
  return true;
}

void Subflow::on_established(Context& ctx) {
  if (session_ == nullptr) return;
  opened_ = true;
  ctx.count(Counter::subflows_opened);
  if (joined()) {
    ctx.stats.joins.add(stats::Join::ok);
    ack_soon(ctx);  // the fourth ACK, without which the joiner may not send (rule 15)
  }
  session_->subflow_established(ctx, *this);
}

void Subflow::before_output(Context& ctx) {
  if (session_ != nullptr) session_->schedule(ctx);
  if (has_signal()) signal_soon(ctx);
}

// What may have had to wait for the end of a row of signals.
bool Subflow::has_signal() const {
  return session_ != nullptr && !plain_ && !stale && (prio_due_ || removal_due_ || session_->announces());
}

bool Subflow::omit_timestamps(const Segment* s) const {
  // An IPv6 ADD_ADDR with a port takes 32 of the 40 bytes (rule 31).
  return s == nullptr && session_ != nullptr && !plain_ && session_->announcement_is_large();
}

void Subflow::write_options(Context& ctx, wire::OptionBuffer& o, Segment* s) {
  if (session_ == nullptr) return;
  if (plain_) return write_plain_options(o, s);
  if (fastclose_) {
    o.mp_fastclose(session_->remote_key());
    return;
  }
  if (origin_ == Origin::capable_active && !confirmed_ && (s == nullptr || s->seq == initial_send() + 1)) {
    wire::MpCapable c;  // rule 5: until the peer has proved that it got both keys
    c.checksum_required = session_->checksum();
    c.keys = 2;
    c.sender_key = session_->local_key();
    c.receiver_key = session_->remote_key();
    if (s != nullptr) {
      c.has_data_length = true;
      c.data_length = s->length;
      c.has_checksum = session_->checksum();
      if (c.has_checksum) c.checksum = wire::dss_checksum(s->dsn.raw, 1, s->length, s->sum);
    }
    o.mp_capable(c);
    return;
  }
  if (origin_ == Origin::join_active && !confirmed_) {
    wire::MpJoin j;
    j.hmac160 =
        left160(join_hmac({session_->local_key(), session_->remote_key(), local_nonce_, remote_nonce_}));
    o.mp_join_ack(j);
    return;
  }
  if (s != nullptr || !write_signals(ctx, o)) write_dss(ctx, o, s);
}

// What rides on segments without payload only. True: a DSS has no place beside it.
bool Subflow::write_signals(Context& ctx, wire::OptionBuffer& o) {
  const bool full = removal_due_ ? write_removal(ctx, o) : write_announcement(ctx, o);
  if (!full && prio_due_) prio_due_ = !o.mp_prio(prio_backup_);
  if (!full && fail_due_) fail_due_ = !o.mp_fail(map_.dsn.raw);
  // What has found no place takes the next one.
  if (full && (data_fin_due_ || fail_due_)) {
    bare_soon(ctx);
  } else if (has_signal()) {
    signal_soon(ctx);
  }
  return full;
}

// A REMOVE_ADDR, of as many as there is room for: the peer learns of the others from silence.
bool Subflow::write_removal(Context& ctx, wire::OptionBuffer& o) {
  constexpr std::size_t kDss = 20;
  removal_due_ = false;
  std::array<std::uint8_t, wire::RemoveAddr{}.ids.size()> ids;
  const std::size_t n = session_->addresses_gone(std::span(ids).first(std::min(ids.size(), o.room() - 3)));
  if (n == 0) return false;  // all are back
  ctx.count(Counter::mptcp_remove_addr_sent);
  o.remove_addr(std::span(ids).first(n));
  return o.room() < kDss;
}

// An ADD_ADDR, which goes alone (rule 34). A path that has fallen silent would lose it.
bool Subflow::write_announcement(Context& ctx, wire::OptionBuffer& o) {
  wire::AddAddr a;
  if (stale || !session_->take_announcement(ctx, a)) return false;
  o.add_addr(a);
  ctx.count(Counter::mptcp_add_addr_sent, a.echo ? 0 : 1);
  return true;
}

// The last words of a session that falls back: MP_FAIL, and where the mapping that never ends begins (3.7).
void Subflow::write_plain_options(wire::OptionBuffer& o, Segment* s) {
  if (s == nullptr) {
    if (fail_due_ && o.mp_fail(map_.dsn.raw)) fail_due_ = fail_repeats_;
    return;
  }
  if (!infinite_) return;
  if (!infinite_set_) infinite_at_ = s->seq;
  infinite_set_ = true;
  if (s->seq != infinite_at_) return;
  wire::Dss d;  // rule 26: length and checksum 0
  d.has_map = true;
  d.dsn = s->dsn.raw;
  d.ssn = static_cast<std::uint32_t>(s->seq - initial_send());
  d.has_checksum = session_->checksum();
  o.dss(d);
}

void Subflow::write_dss(Context&, wire::OptionBuffer& o, Segment* s) {
  wire::Dss d;
  d.has_ack = session_->knows_peer();  // rule 6
  d.data_ack = session_->receive_next().raw;
  // 8-byte DATA_ACKs answer 8-byte sequences; never beside a mapping of ours (an Apple client would misread
  // it, and the short form leaves room for 1,428 bytes of payload).
  const bool fin = s == nullptr && data_fin_due_ && session_->fin_outstanding();
  if (s == nullptr) data_fin_due_ = false;
  d.ack_is_8 = s == nullptr && session_->got_dsn8() && !fin;
  if (s != nullptr) {
    d.has_map = true;
    d.dsn = s->dsn.raw;
    d.ssn = static_cast<std::uint32_t>(s->seq - initial_send());
    d.length = s->length;
    d.has_checksum = session_->checksum();
    if (d.has_checksum) d.checksum = wire::dss_checksum(d.dsn, d.ssn, d.length, s->sum);
  } else if (fin) {  // 3.3.3: alone, length 1, subflow sequence 0
    d.has_map = true;
    d.data_fin = true;
    d.dsn = session_->fin_dsn().raw;
    d.length = 1;
    d.has_checksum = session_->checksum();
    if (d.has_checksum) d.checksum = wire::dss_checksum(d.dsn, 0, 1, 0);
  }
  if (d.has_ack || d.has_map) o.dss(d);
}

void Subflow::write_reset_options(Context& ctx, wire::OptionBuffer& o) {
  if (plain_) return;
  if (fastclose_ && session_ != nullptr) {
    o.mp_fastclose(session_->remote_key());
    return;
  }
  if (fail_due_) o.mp_fail(map_.dsn.raw);  // 3.7: beside other subflows it goes on the RST
  const RstReason r = reset_reason_;
  ctx.stats.resets_sent.add(r);
  if (r != RstReason::none) o.mp_tcprst({.transient = false, .reason = static_cast<std::uint8_t>(r)});
}

// Apple takes MP_FAIL on a RST that is nothing but a RST.
std::uint8_t Subflow::reset_flags() const { return fail_due_ ? 0 : wire::kAck; }

void Subflow::reset_with(Context& ctx, RstReason reason, Failure why) {
  reset_reason_ = reason;
  reset(ctx, why);
}

void Subflow::reset_with_fastclose(Context& ctx) {
  fastclose_ = true;
  ctx.count(Counter::mptcp_fastclose_sent);
  reset(ctx);
}

void Subflow::send_fastclose(Context& ctx) {
  fastclose_ = true;
  ctx.count(Counter::mptcp_fastclose_sent);
  bare_soon(ctx);
}

void Subflow::send_mp_fail(Context& ctx, DataSeq at) {
  map_.dsn = at;  // there is no mapping after this one
  fail_due_ = fail_repeats_ = fail_ours_ = true;
  ctx.count(Counter::mptcp_fail_sent);
  bare_soon(ctx);
}

void Subflow::answer_mp_fail(Context& ctx) {
  fail_due_ = true;
  ctx.count(Counter::mptcp_fail_sent);
  bare_soon(ctx);
}

void Subflow::send_data_fin(Context& ctx) {
  data_fin_due_ = true;
  bare_soon(ctx);
}

void Subflow::tell_priority(Context& ctx, bool as_backup) {
  prio_due_ = true;
  prio_backup_ = as_backup;
  signal_soon(ctx);
}

void Subflow::tell_removal(Context& ctx) {
  removal_due_ = true;
  signal_soon(ctx);
}

void Subflow::become_plain(bool told) {
  if (plain_) return;
  const std::uint16_t before = option_overhead();
  plain_ = true;
  infinite_ = told;
  recompute_mss(before);
}

bool Subflow::holds_unread() const { return session_ != nullptr && session_->holds_unread(); }

std::uint32_t Subflow::receive_room(const Context& ctx) const {
  if (session_ == nullptr) return 0;
  if (session_->phase() == Phase::handshake || session_->fallen_back()) {
    const std::uint32_t room = session_->free_room(ctx);
    return room > unordered_bytes() ? room - unordered_bytes() : 0;
  }
  return session_->window(ctx, window_grain());
}

void Subflow::on_split(Segment& s, Segment& rest) {
  if (session_ != nullptr) session_->split(s, rest);
}

void Subflow::on_unqueued(Context& ctx, Segment& s) {
  if (session_ != nullptr) return session_->unqueued(ctx, s);
  tcp::free_segment(s);
}

void Subflow::on_send_room(Context& ctx) {
  if (session_ != nullptr && session_->fallen_back() && session_->user != nullptr) session_->user->touch(ctx);
}

// While a queue keeps the path's narrowest place busy, what comes is what it carries; else it may carry more.
// `limited`: by the window; what an application sends is no measure of a path.
void Subflow::on_rate(std::uint32_t rate, bool limited) {
  if (!limited || !rtt().shows_queue()) {
    if (rate_ != 0) rate_ = std::max(rate_, rate);
  } else {
    rate_ = rate_ != 0 ? (3 * rate_ + rate + 2) / 4 : rate;
  }
}

std::uint32_t Subflow::next_rtt() const {
  if (!rtt().known()) return 0;
  if (rate_ == 0) return bytes_ahead() != 0 ? rtt().srtt() : rtt().min();
  const std::uint64_t us = std::uint64_t{bytes_ahead()} * 1000 / rate_;
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(us, rtt().min(), tcp::Rtt::kMaxRto));
}

void Subflow::on_silence(Context& ctx) {
  if (session_ != nullptr && !plain_) session_->subflow_silent(ctx, *this);
}

void Subflow::on_fin(Context& ctx) {
  if (session_ != nullptr) session_->subflow_finished(ctx, *this);
}

void Subflow::on_time_wait(Context& ctx) {
  if (session_ != nullptr) session_->subflow_closed(ctx, *this, Failure::none);
}

void Subflow::on_closed(Context& ctx, Failure why) {
  if (session_ != nullptr) session_->subflow_closed(ctx, *this, why);
}

}  // namespace braid::mptcp
