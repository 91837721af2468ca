// What a connection sends, in this order: SYN, probe, retransmissions, new data, FIN, ACK.
#include <rte_mbuf.h>

#include <algorithm>
#include <array>

#include "tcp/connection.hpp"

namespace braid::tcp {

using stats::Counter;
using stats::Drop;

namespace {
// RFC 9293 3.8.6.3 allows up to 500 ms; 40 ms is what the clients Braid meets use as their minimum.
constexpr Duration kDelayedAck = std::chrono::milliseconds(40);
// A round trip of some ticks of the wheel at least: what is shorter cannot be divided.
constexpr std::uint32_t kLeastPacedRtt = 2000;  // us
constexpr std::uint32_t kPacedBurst = 2;        // segments
}  // namespace

void Connection::output(Context& ctx) {
  if (state_ == State::closed) return;
  if (syn_due_) return send_syn(ctx);
  if (!synchronised()) return;
  before_output(ctx);
  if (state_ == State::closed) return;
  unsigned left = limits::kMaxSegmentsPerTurn;
  const bool report = ack_now_ && has_sack();  // what data segments cannot say: where the holes are
  if (probe_due_) send_probe(ctx);
  bool sent = retransmit_lost(ctx, left);
  sent = send_new(ctx, left) || sent;
  if (fin_due_ || (fin_wanted_ && !fin_sent_ && flight_->unsent == nullptr)) {
    send_fin(ctx);
    if (state_ == State::closed) return;
    sent = true;
  }
  if (!sent || bare_due_ || report) {
    const std::uint32_t two = 2U * std::max<std::uint32_t>(peer_segment_, 1);
    if (ack_now_ || bare_due_ || report || unacked_in() >= two || window_update_due(ctx)) {
      send_ack(ctx);
    } else if (unacked_in() != 0 && !ack_due_.set()) {
      ack_due_ = {ctx.now + kDelayedAck, ctx.now};
    }
  }
  // What the pacer holds back counts as sent: it spreads a window, and does not make a burst one.
  const std::uint32_t held = flight_->pace_due != kNever ? flight_->unsent_bytes : 0;
  cwnd_limited_ =
      in_flight() + held + mss_ > cc_.cwnd || (cc_.cwnd < cc_.ssthresh && 2 * in_flight() >= cc_.cwnd);
  if (flight_->timer == SendTimer::none) arm_send_timer(ctx);
  if (left == 0 && !TouchHook::linked()) ctx.again.push_back(*this);
  if (state_ == State::time_wait && !TouchHook::linked()) ctx.time_waiting.push_back(*this);
  settle(ctx);
  file_alarm(ctx);
}

Segment* Connection::next_lost() {
  if (flight_->lost_bytes == 0) return nullptr;
  Segment* s = flight_->lost_hint != nullptr ? flight_->lost_hint : flight_->head;
  while (s != flight_->unsent && !s->is(Segment::kLost)) s = s->sent_next;
  flight_->lost_hint = s == flight_->unsent ? nullptr : s;
  return flight_->lost_hint;
}

bool Connection::retransmit_lost(Context& ctx, unsigned& left) {
  bool sent = false;
  while (left != 0) {
    Segment* s = next_lost();
    if (s == nullptr) break;
    const std::uint32_t pipe = in_flight();
    // The first one of a recovery goes out whatever the window says (RFC 6675 5 (4.3), RFC 6582 3.2).
    if (pipe != 0 && pipe + s->length > cc_.cwnd && !retransmit_first_) break;
    retransmit_first_ = false;
    if (s->length > mss_ && !cut(ctx, *s, mss_)) break;  // the path takes less than when it was queued
    s->clear(Segment::kLost);
    flight_->lost_bytes -= s->length;
    s->set(Segment::kRetransmitted);
    note_retransmission(ctx);
    ++retransmissions_;
    ctx.count(Counter::tcp_retransmitted_segments);
    ctx.count(Counter::tcp_retransmitted_bytes, s->length);
    send_segment(ctx, *s);
    --left;
    sent = true;
  }
  return sent;
}

// Limited transmit (RFC 3042): without SACK the first two duplicates leave what is on the way as it was, yet
// each says that a segment has left the network.
std::uint32_t Connection::limited_transmit() const {
  if (sack_on_ || flight_->recovery != Recovery::open) return 0;
  return std::min<std::uint32_t>(flight_->duplicate_acks, 2) * mss_;
}

bool Connection::send_new(Context& ctx, unsigned& left) {
  bool sent = false;
  const std::uint32_t most = cc_.cwnd + limited_transmit();
  if (flight_->unsent != nullptr) flight_->pace_due = kNever;
  while (flight_->unsent != nullptr && left != 0) {
    const std::uint32_t pipe = in_flight();
    if (flight_->unsent->length > mss_ && !cut(ctx, *flight_->unsent, mss_)) break;
    if (pipe != 0 && pipe + flight_->unsent->length > most) break;
    if (flight_->sent_segments >= most_segments()) break;
    if (!fit_to_window(ctx, *flight_->unsent)) break;
    if (!pace(ctx, pipe)) break;
    send_first(ctx);
    --left;
    sent = true;
  }
  return sent;
}

// Whether the first unsent segment may leave now; if so, counts it. A recovery has its own measure (PRR, slow
// start from one segment), and up to an initial window on the way goes at once (RFC 6928).
bool Connection::pace(Context& ctx, std::uint32_t pipe) {
  if (flight_->recovery != Recovery::open || rtt_.srtt() < kLeastPacedRtt) return true;
  Pacer& pacer = flight_->pacer;
  const bool initial = pipe + flight_->unsent->length <= initial_window(mss_);
  if (!initial && !pacer.open(ctx.now)) {
    flight_->pace_due = pacer.next();
    return false;
  }
  pacer.sent(ctx.now, {rtt_.srtt(), cc_.cwnd, cc_.cwnd < cc_.ssthresh}, flight_->unsent->length,
             kPacedBurst * mss_);
  return true;
}

// Sends the first unsent segment.
void Connection::send_first(Context& ctx) {
  Segment& s = *flight_->unsent;
  if (flight_->head == flight_->unsent) flight_->progress_ms = millis(ctx.now);
  if (flight_->timer == SendTimer::persist)
    set_timer(ctx, SendTimer::none, kNever);  // what is sent has its own
  s.seq = snd_nxt_;
  snd_nxt_ += s.length;
  bytes_out += s.length;
  flight_->unsent_bytes -= s.length;
  ++flight_->sent_segments;
  flight_->unsent = s.sent_next;
  flight_->last_sent = &s;
  send_segment(ctx, s);
}

// Whether `s` fits the peer's window now. With nothing on the way it is cut to what fits, if that is half of
// the most that the peer ever had room for, or has waited for its persist timer: small windows are no reason
// to send small segments (RFC 9293 3.8.6.2.1).
bool Connection::fit_to_window(Context& ctx, Segment& s) {
  const auto used = static_cast<std::uint32_t>(snd_nxt_ - snd_una_);
  const std::uint32_t open = snd_wnd_ > used ? snd_wnd_ - used : 0;
  if (s.length <= open) return true;
  if (used != 0 || open == 0 || (open < max_snd_wnd_ / 2 && backoffs_ == 0)) return false;
  return cut(ctx, s, static_cast<std::uint16_t>(open));
}

// Bytes up to the right edge that was offered before.
std::uint32_t Connection::standing_window() const {
  return static_cast<std::uint32_t>(std::max<std::int32_t>(rcv_edge_ - rcv_nxt_, 0));
}

WindowGrain Connection::window_grain() const {
  return {std::min<std::uint32_t>(budget_ / 2, std::max<std::uint32_t>(peer_segment_, 536)),
          1U << rcv_scale_};
}

// Bytes to offer now, as many as the field can say.
std::uint32_t Connection::window(const Context& ctx) const {
  const std::uint32_t room = std::min(receive_room(ctx), 0xffffU << rcv_scale_);
  return shared_window() ? room : offered_window(standing_window(), room, window_grain());
}

std::uint16_t Connection::advertise(Context& ctx, bool syn) {
  const unsigned scale = syn ? 0 : rcv_scale_;  // RFC 7323 2.2
  const std::uint32_t field = syn ? std::min(receive_room(ctx), 0xffffU) : window(ctx) >> scale;
  rcv_edge_ = later(rcv_edge_, rcv_nxt_ + (field << scale));
  return static_cast<std::uint16_t>(field);
}

bool Connection::window_update_due(const Context& ctx) const {
  if (shared_window() || fin_received_) return false;
  const std::uint32_t standing = standing_window();
  const std::uint32_t now = window(ctx);
  return now > standing && now >= 2 * standing;
}

void Connection::write_common_options(Context& ctx, wire::OptionBuffer& o, Segment* s) {
  if (ts_on_ && !omit_timestamps(s)) o.timestamps(millis(ctx.now) + ts_offset_, ts_recent_);
  write_options(ctx, o, s);
  // Only without payload: a full segment with blocks would be larger than the path takes (RFC 6691).
  if (s == nullptr && o.room() >= 10) write_sack(o);
}

// What has come twice first (RFC 2883 4), then what lies behind holes.
void Connection::write_sack(wire::OptionBuffer& o) {
  if (!has_sack()) return;
  std::array<wire::SackBlock, 4> blocks;
  unsigned n = 0;
  if (flight_->twice_begin != flight_->twice_end) blocks[n++] = {flight_->twice_begin, flight_->twice_end};
  if (!flight_->early.empty()) n += flight_->early.runs(&blocks[n], blocks.size() - n);
  o.sack({blocks.data(), n});
  flight_->twice_begin = flight_->twice_end;
}

void Connection::transmit(Context& ctx, rte_mbuf* m, std::byte* payload, const wire::FrameOut& out,
                          wire::OptionBuffer& o) {
  const wire::Link* link = find_path(ctx) ? ctx.routes->link(path_.link) : nullptr;
  if (link == nullptr) return ctx.drop(m, Drop::no_route);
  const bool offload = ((ctx.checksum_offload_ports >> link->port) & 1U) != 0;
  wire::FrameOut f = out;
  f.source = link->mac;
  f.destination = path_.destination;
  f.vlan = link->vlan;
  f.ip = ip_;
  const std::size_t n = wire::write_headers(payload, f, o.padded(),
                                            offload ? wire::ChecksumMode::offload : wire::ChecksumMode::full);
  m->data_off = static_cast<std::uint16_t>(payload - n - static_cast<std::byte*>(m->buf_addr));
  m->data_len = static_cast<std::uint16_t>(m->data_len + n);
  m->pkt_len += static_cast<std::uint32_t>(n);
  m->ol_flags &= RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
  if (offload) {
    const bool v4 = flow_.local.ip.is_v4();
    m->l2_len = wire::kEthernetHeader + f.vlan.bytes();
    m->l3_len = v4 ? wire::kIpv4Header : wire::kIpv6Header;
    m->l4_len = n - m->l2_len - m->l3_len;
    m->ol_flags |= RTE_MBUF_F_TX_TCP_CKSUM | (v4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6);
  }
  if ((f.flags & wire::kAck) != 0) {
    if (unacked_in() != 0 || f.payload_length != 0) signals_ = 0;
    last_ack_sent_ = rcv_nxt_;
    ack_now_ = false;
    ack_due_ = {};
  }
  if (path_.resolved) return ctx.sink.send(link->port, m);
  const auto hop = ctx.routes->resolve(flow_.remote.ip);
  if (!hop) return ctx.drop(m, Drop::no_route);
  ctx.sink.send_unresolved(*hop, m);
}

void Connection::send_segment(Context& ctx, Segment& s) {
  s.sent_us = micros(ctx.now);
  flight_->order.push_back(s);
  flight_->prr.sent += s.length;
  last_data_ = ticks(ctx.now);
  wire::OptionBuffer o;
  write_common_options(ctx, o, &s);
  wire::FrameOut out;
  out.flow = flow_;
  out.seq = s.seq;
  out.ack = rcv_nxt_;
  out.window = advertise(ctx, false);
  out.flags = static_cast<std::uint8_t>(ack_flags() | (s.sent_next == nullptr ? wire::kPsh : 0));
  out.payload_length = s.length;
  out.payload_sum = s.sum;
  if (fin_sent_ && s.end() + 1 == snd_nxt_) out.flags |= wire::kFin;  // the end is what is missing, all of it
  if (s.transmissions == 0) mark_new_data(out);
  if (s.transmissions != 0xff) ++s.transmissions;

  rte_mbuf* m = mbuf_of(s);
  if (RTE_MBUF_DIRECT(m) && rte_mbuf_refcnt_read(m) == 1 && s.payload_offset >= wire::kMaxHeaders) {
    rte_mbuf_refcnt_set(m, 2);  // one for the queue, one for whoever transmits
    m->next = nullptr;
    m->nb_segs = 1;
    m->data_len = s.length;
    m->pkt_len = s.length;
    return transmit(ctx, m, payload_of(s), out, o);
  }
  // The buffer is shared (a transmitter, a capture, a second subflow): headers go into a buffer of their own.
  rte_mbuf* head = rte_pktmbuf_alloc(ctx.buffers);
  rte_mbuf* body = rte_pktmbuf_alloc(ctx.buffers);
  if (head == nullptr || body == nullptr) {
    rte_pktmbuf_free(head);
    rte_pktmbuf_free(body);
    ctx.stats.drops.add(Drop::no_buffer);  // as if lost on the way: the time-out sends it again
    return;
  }
  rte_pktmbuf_attach(body, m);
  body->data_off = s.payload_offset;
  body->data_len = s.length;
  body->pkt_len = s.length;
  head->next = body;
  head->nb_segs = 2;
  head->data_len = 0;
  head->pkt_len = s.length;
  transmit(ctx, head, static_cast<std::byte*>(head->buf_addr) + head->data_off + wire::kMaxHeaders, out, o);
}

void Connection::transmit_bare(Context& ctx, SubSeq seq, std::uint8_t flags, wire::OptionBuffer& o) {
  rte_mbuf* m = rte_pktmbuf_alloc(ctx.buffers);
  if (m == nullptr) {
    ctx.stats.drops.add(Drop::no_buffer);
    return;
  }
  wire::FrameOut out;
  out.flow = flow_;
  out.seq = seq;
  out.flags = flags;
  if ((flags & wire::kAck) != 0) out.ack = rcv_nxt_;
  if ((flags & wire::kRst) == 0) out.window = advertise(ctx, (flags & wire::kSyn) != 0);
  transmit(ctx, m, static_cast<std::byte*>(m->buf_addr) + m->data_off + wire::kMaxHeaders, out, o);
}

void Connection::send_syn(Context& ctx) {
  syn_due_ = false;
  if (busy(ctx) == nullptr) return close(ctx, Failure::internal);
  const bool passive = state_ == State::syn_received;
  if (snd_nxt_ == iss_) {
    snd_nxt_ = iss_ + 1;
    flight_->rack_sent_us = micros(ctx.now);
    flight_->progress_ms = millis(ctx.now);
  } else {
    ctx.count(Counter::tcp_retransmitted_segments);
  }
  wire::OptionBuffer o;
  o.mss(offered_mss_);
  if (!passive || sack_on_) o.sack_permitted();
  if (!passive || ts_on_) o.timestamps(millis(ctx.now) + ts_offset_, passive ? ts_recent_ : 0);
  if (!passive || scale_on_) o.window_scale(rcv_scale_);
  write_syn_options(ctx, o);
  const unsigned flags = (passive ? wire::kSyn | wire::kAck : wire::kSyn) | ecn_of_syn();
  transmit_bare(ctx, iss_, static_cast<std::uint8_t>(flags), o);
  set_timer(ctx, SendTimer::retransmit, ctx.now + rtt_.rto(backoffs_));
}

void Connection::send_fin(Context& ctx) {
  fin_due_ = false;
  if (busy(ctx) == nullptr) return close(ctx, Failure::internal);
  if (!fin_sent_) {
    fin_sent_ = true;
    if (flight_->head == nullptr) flight_->progress_ms = millis(ctx.now);
    snd_nxt_ += 1;
    become(ctx, state_ == State::close_wait ? State::last_ack : State::fin_wait_1);
    if (flight_->timer != SendTimer::reorder) set_timer(ctx, SendTimer::none, kNever);
  } else {
    ctx.count(Counter::tcp_retransmitted_segments);
  }
  wire::OptionBuffer o;
  write_common_options(ctx, o, nullptr);
  transmit_bare(ctx, snd_nxt_ - 1, wire::kFin | wire::kAck, o);
}

void Connection::send_ack(Context& ctx) {
  // What rides on no other segment may be read only where ACK is the one flag (MP_FAIL and MP_FASTCLOSE by
  // Apple's clients).
  const std::uint8_t flags = bare_due_ ? std::uint8_t{wire::kAck} : ack_flags();
  if (bare_due_ && unacked_in() == 0 && signals_ < kMostSignals) ++signals_;
  bare_due_ = false;
  wire::OptionBuffer o;
  write_common_options(ctx, o, nullptr);
  ctx.count(Counter::tcp_acks_sent);
  transmit_bare(ctx, snd_nxt_, flags, o);
}

// An old sequence number draws an acknowledgement and with it the window (RFC 9293 3.8.4, 3.8.6.1).
void Connection::send_probe(Context& ctx) {
  probe_due_ = false;
  wire::OptionBuffer o;
  write_common_options(ctx, o, nullptr);
  transmit_bare(ctx, snd_una_ - 1, wire::kAck, o);
}

void Connection::send_reset(Context& ctx) {
  wire::OptionBuffer o;
  if (ts_on_) o.timestamps(millis(ctx.now) + ts_offset_, ts_recent_);  // RFC 7323 3.2
  write_reset_options(ctx, o);
  ctx.count(Counter::tcp_resets_sent);
  transmit_bare(ctx, snd_nxt_, static_cast<std::uint8_t>(wire::kRst | reset_flags()), o);
}

}  // namespace braid::tcp
