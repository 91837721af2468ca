// What the path takes: RFC 1191 and RFC 8201 with the protections of RFC 5927, and RFC 8899's black holes.
#include <algorithm>

#include "tcp/connection.hpp"

namespace braid::tcp {

using stats::Counter;

namespace {
constexpr std::uint16_t kLeastV4 =
    552;  // what attackers could otherwise make of a connection (CVE-2005-1065)
constexpr std::uint16_t kLeastV6 = 1280;  // RFC 8200 5
constexpr std::uint16_t kSafe = 1280;     // passes tunnels and PPPoE, and any IPv6 link
}  // namespace

// Payload of a segment that makes an IP packet of `mtu` bytes.
std::uint16_t Connection::payload_for(std::uint16_t mtu) const {
  const auto ip = flow_.local.ip.is_v4() ? wire::kIpv4Header : wire::kIpv6Header;
  const auto headers =
      static_cast<std::uint16_t>(ip + wire::kTcpHeader + (ts_on_ ? 12U : 0U) + option_overhead());
  return static_cast<std::uint16_t>(mtu - headers);
}

// Whether a segment is one that a black hole might swallow.
bool Connection::is_large(const Segment& s) const { return s.length > payload_for(kSafe); }

void Connection::packet_too_big(Context& ctx, SubSeq seq, std::uint16_t mtu) {
  // RFC 5927 7.2: it must be about something on the way. An attacker off the path does not know what is.
  if (!synchronised() || before(seq, snd_una_) || !before(seq, snd_nxt_)) {
    ctx.count(Counter::icmp_ignored);
    return;
  }
  const std::uint16_t least = flow_.local.ip.is_v4() ? kLeastV4 : kLeastV6;
  lower_mtu(ctx, std::max(mtu == 0 ? kSafe : mtu, least));
}

// A router says that the peer cannot be reached. That ends the attempt to connect, as on Linux: another
// server may answer. An established connection sits it out (RFC 5927 6, RFC 9293 3.9.2.2).
void Connection::unreachable(Context& ctx, SubSeq seq) {
  if (state_ == State::syn_sent && seq == iss_) return close(ctx, Failure::unreachable);
  ctx.count(Counter::icmp_ignored);
}

void Connection::lower_mtu(Context& ctx, std::uint16_t mtu) {
  const std::uint16_t payload = payload_for(mtu);
  if (payload >= mss_) return;
  mss_ = payload;
  ctx.count(Counter::tcp_mtu_lowered);
  // What is on the way and larger cannot arrive. That is no congestion: the window stays (RFC 1191 6.5).
  for (Segment* s = flight_->head; s != flight_->unsent; s = s->sent_next)
    if (s->length > mss_ && !s->is(Segment::kSacked) && !s->is(Segment::kLost)) mark_lost(*s);
  touch(ctx);
}

// After time-outs in a row: perhaps routers drop large packets and say nothing. A small piece is tried first.
// When it arrives and a large one times out once more, the path takes no more; when it does not, the path is
// down and its MTU no matter.
void Connection::suspect_black_hole(Context& ctx) {
  const unsigned timeouts = small_tried_ ? 1 : 2;
  Segment* s = flight_->head;
  if (s == flight_->unsent || !is_large(*s) || backoffs_ < timeouts) return;
  if (small_tried_) {
    lower_mtu(ctx, kSafe);
  } else {
    small_tried_ = cut(ctx, *s, payload_for(kSafe));
  }
}

// Cuts a queued segment after `n` bytes; the rest stands behind it, as sent, lost or waiting as the whole
// was.
bool Connection::cut(Context& ctx, Segment& s, std::uint16_t n) {
  Segment* rest = split_segment(ctx.buffers, s, n);
  if (rest == nullptr) return false;
  constexpr auto kKept = Segment::kInSent | Segment::kSacked | Segment::kLost | Segment::kRetransmitted;
  rest->flags = static_cast<std::uint8_t>(s.flags & kKept);
  rest->transmissions = s.transmissions;
  rest->sent_us = s.sent_us;
  const bool on_the_way = s.transmissions != 0 && !s.is(Segment::kSacked) && !s.is(Segment::kLost);
  if (on_the_way) flight_->order.insert_after(&s, *rest);
  if (flight_->last_sent == &s) flight_->last_sent = rest;
  on_split(s, *rest);
  rest->sent_next = s.sent_next;
  s.sent_next = rest;
  if (flight_->tail == &s) flight_->tail = rest;
  if (s.transmissions != 0) ++flight_->sent_segments;
  return true;
}

}  // namespace braid::tcp
