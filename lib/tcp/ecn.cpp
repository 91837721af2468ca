// Explicit congestion notification (RFC 3168): a router marks what it would else drop, the receiver echoes
// the mark until it is answered, the sender answers by a smaller window.
#include "tcp/connection.hpp"

namespace braid::tcp {

using stats::Counter;
using wire::TcpFrame;

namespace {
constexpr std::uint8_t kEct0 = 2;  // "this transport understands marks"
constexpr std::uint8_t kMarked = 3;
constexpr std::uint8_t kBoth = wire::kEce | wire::kCwr;
}  // namespace

// Flags of our SYN or SYN/ACK. A SYN that was lost may have met a box that takes offence at them (6.1.1.1).
std::uint8_t Connection::ecn_of_syn() const {
  if (!ecn_on_) return 0;
  if (state_ == State::syn_received) return wire::kEce;
  return backoffs_ == 0 ? kBoth : 0;
}

// `f`: the peer's SYN or SYN/ACK. A SYN repeated without the flags takes the offer back.
void Connection::agree_on_ecn(const TcpFrame& f) {
  const auto flags = static_cast<std::uint8_t>(f.flags & kBoth);
  ecn_on_ = f.has(wire::kAck) ? ecn_on_ && backoffs_ == 0 && flags == wire::kEce : flags == kBoth;
}

// The peer's answer to our echo comes first: a mark on the same segment is a new one (6.1.3).
void Connection::note_congestion_mark(Context& ctx, const TcpFrame& f) {
  if (!ecn_on_) return;
  if (f.has(wire::kCwr)) ecn_echo_ = false;
  if (f.ecn != kMarked) return;
  ctx.count(Counter::tcp_ecn_marks);
  if (!ecn_echo_) ack_now_ = true;
  ecn_echo_ = true;
}

// Once per window: what was sent before the last answer says nothing new (6.1.2).
void Connection::hear_congestion_echo(Context& ctx, const TcpFrame& f) {
  if (!ecn_on_ || !f.has(wire::kEce) || flight_ == &Flight::none()) return;
  flight_->resumed.on_mark();
  if (flight_->recovery != Recovery::open || !after(f.ack, flight_->ecn_point)) return;
  const CongestionView view{ctx.now, mss_, rtt_.srtt(), static_cast<std::uint32_t>(snd_nxt_ - snd_una_),
                            true};
  congestion_control(congestion_).on_loss(cc_, flight_->growth, view);
  flight_->ecn_point = snd_nxt_;
  flight_->undo.possible = false;  // the mark stands, whatever comes of a loss before it
  cwr_due_ = true;
  ctx.count(Counter::tcp_ecn_reductions);
}

// Neither retransmissions nor segments without payload may be marked (6.1.4, 6.1.5).
void Connection::mark_new_data(wire::FrameOut& out) {
  if (!ecn_on_) return;
  out.ecn = kEct0;
  if (cwr_due_) out.flags |= wire::kCwr;
  cwr_due_ = false;
}

}  // namespace braid::tcp
