#include "tcp/connection.hpp"

#include <algorithm>

namespace braid::tcp {

const char* to_string(State s) {
  switch (s) {
    case State::closed:
      return "CLOSED";
    case State::syn_sent:
      return "SYN-SENT";
    case State::syn_received:
      return "SYN-RECEIVED";
    case State::established:
      return "ESTABLISHED";
    case State::fin_wait_1:
      return "FIN-WAIT-1";
    case State::fin_wait_2:
      return "FIN-WAIT-2";
    case State::close_wait:
      return "CLOSE-WAIT";
    case State::closing:
      return "CLOSING";
    case State::last_ack:
      return "LAST-ACK";
    case State::time_wait:
      return "TIME-WAIT";
  }
  return "?";
}

namespace {
// RFC 6528: a keyed hash of the flow plus a clock of 4 us.
SubSeq initial_sequence(const Context& ctx, const Flow& flow) {
  const auto clock = static_cast<std::uint32_t>(ctx.now.time_since_epoch().count() / 4000);
  return SubSeq(static_cast<std::uint32_t>(siphash(ctx.secret, flow)) + clock);
}
}  // namespace

std::uint32_t timestamp_offset(const Context& ctx, const Flow& flow) {
  return static_cast<std::uint32_t>(siphash(ctx.secret, flow) >> 32);
}

std::uint8_t scale_for(std::uint32_t budget) {
  std::uint8_t shift = 0;
  while (shift < 14 && (0xffffU << shift) < budget) ++shift;
  return shift;
}

Connection::Connection(const Flow& flow, CongestionKind congestion) : flow_(flow), congestion_(congestion) {
  kind = static_cast<std::uint8_t>(AlarmKind::connection);
}

Connection::~Connection() {
  Alarm::unlink();
  TouchHook::unlink();
  // Only with the engine itself does a connection go that still has something on the way.
  if (flight_ == &Flight::none()) return;
  while (flight_->head != nullptr) {
    Segment* s = flight_->head;
    flight_->head = s->sent_next;
    s->clear(Segment::kInSent);
    if (!s->is(Segment::kInData)) free_segment(*s);
  }
  flight_->early.clear();
  flight_->kept.free_all();
}

// The flight to write to. There are as many as connections, so nullptr means a broken invariant.
Flight* Connection::busy(Context& ctx) {
  if (flight_ != &Flight::none()) return flight_;
  Flight* f = ctx.flights.get();
  if (f == nullptr) {
    ctx.count(stats::Counter::invariant);
    return nullptr;
  }
  f->high_sacked = f->rack_end = f->ecn_point = snd_una_;
  flight_ = f;
  return f;
}

// Gives the flight back when nothing is on the way.
void Connection::settle(Context& ctx) {
  if (flight_ == &Flight::none() || flight_->head != nullptr || !flight_->early.empty() ||
      !flight_->kept.empty() || snd_una_ != snd_nxt_)
    return;
  ctx.flights.put(flight_);
  flight_ = &Flight::none();
}

// The peer can no longer acknowledge, or has acknowledged all.
void Connection::empty_queues(Context& ctx) {
  if (flight_ == &Flight::none()) return;
  Segment* s = flight_->head;
  flight_->early.clear();
  flight_->kept.free_all();
  ctx.flights.put(flight_);
  flight_ = &Flight::none();
  while (s != nullptr) {
    Segment* next = s->sent_next;
    s->clear(Segment::kInSent);
    on_unqueued(ctx, *s);
    s = next;
  }
}

// The options of every data segment have changed (fallback): the payload that fits does too.
void Connection::recompute_mss(std::uint16_t overhead_before) {
  mss_ = static_cast<std::uint16_t>(mss_ + overhead_before - option_overhead());
}

void Connection::accept(Context& ctx, const wire::TcpFrame& syn, std::uint32_t budget) {
  budget_ = budget;
  iss_ = initial_sequence(ctx, flow_);
  snd_una_ = snd_nxt_ = iss_;
  find_path(ctx);
  rcv_scale_ = scale_for(budget);
  take_peer_options(ctx, syn);
  syn_due_ = true;
  become(ctx, State::syn_received);
  touch(ctx);
}

void Connection::resume(Context& ctx, const wire::TcpFrame& syn, SubSeq ours, std::uint32_t budget) {
  budget_ = budget;
  iss_ = snd_una_ = ours;
  snd_nxt_ = ours + 1;
  find_path(ctx);
  rcv_scale_ = scale_for(budget);
  take_peer_options(ctx, syn);
  rcv_edge_ = rcv_nxt_ + std::min(budget, 0xffffU);  // what the SYN/ACK said
  backoffs_ = 1;  // when it was sent is not known: no measurement (RFC 6298 3)
  become(ctx, State::syn_received);
}

bool Connection::connect(Context& ctx, std::uint16_t max_segment, std::uint32_t budget) {
  budget_ = budget;
  iss_ = initial_sequence(ctx, flow_);
  snd_una_ = snd_nxt_ = iss_;
  if (!find_path(ctx)) return false;
  rcv_scale_ = scale_for(budget);
  // Our offer counts the timestamps that both ends will most likely use (RFC 6691: MSS excludes options).
  if (max_segment != 0) offered_mss_ = std::min<std::uint16_t>(offered_mss_, max_segment + 12);
  ts_offset_ = timestamp_offset(ctx, flow_);
  syn_due_ = true;
  become(ctx, State::syn_sent);
  touch(ctx);
  return true;
}

bool Connection::find_path(Context& ctx) {
  if (path_.generation == ctx.routes->generation && path_.generation != 0) return true;
  const auto hop = ctx.routes->resolve(flow_.remote.ip);
  if (!hop) return path_.generation != 0;  // keep what worked until the kernel offers another way
  path_ = {ctx.routes->generation, hop->mtu, hop->link, hop->resolved, hop->destination};
  if (offered_mss_ == 0) {
    const auto headers = (flow_.local.ip.is_v4() ? wire::kIpv4Header : wire::kIpv6Header) + wire::kTcpHeader;
    offered_mss_ = static_cast<std::uint16_t>(hop->mtu - headers);
  }
  return true;
}

// A window that nothing has confirmed for long says little about the path now: it halves with every time-out
// that has passed, and slow start leads back (RFC 5681 4.1, RFC 2861 2).
void Connection::restart_after_idle(const Context& ctx) {
  const Duration idle = kTick * static_cast<std::uint16_t>(ticks(ctx.now) - last_data_);
  const Duration rto = rtt_.rto();
  const std::uint32_t least = initial_window(mss_);
  if (idle < rto || cc_.cwnd <= least) return;
  cc_.ssthresh = std::max(cc_.ssthresh, cc_.cwnd / 4 * 3);
  const auto times = static_cast<unsigned>(std::min<std::int64_t>(idle / rto, 31));
  cc_.cwnd = std::max(cc_.cwnd >> times, least);
}

bool Connection::push(Context& ctx, Segment& s) {
  if (flight_ == &Flight::none() && synchronised()) restart_after_idle(ctx);
  Flight* f = busy(ctx);
  if (f == nullptr) {
    on_unqueued(ctx, s);
    close(ctx, Failure::internal);
    return false;
  }
  s.set(Segment::kInSent);
  s.clear(Segment::kSacked);
  s.clear(Segment::kLost);
  s.clear(Segment::kRetransmitted);
  s.transmissions = 0;
  s.sent_next = nullptr;
  (f->head == nullptr ? f->head : f->tail->sent_next) = &s;
  f->tail = &s;
  if (f->unsent == nullptr) f->unsent = &s;
  f->unsent_bytes += s.length;
  touch(ctx);
  return true;
}

bool Connection::append(Segment& s) {
  const std::uint32_t bytes = s.length;
  if (!has_unsent() || !append_small(*flight_->tail, s, mss_)) return false;
  flight_->unsent_bytes += bytes;
  return true;
}

void Connection::finish(Context& ctx) {
  if (fin_wanted_) return;
  fin_wanted_ = true;
  touch(ctx);
}

void Connection::reset(Context& ctx, Failure why) {
  if (state_ == State::closed) return;
  const bool unknown = state_ == State::syn_sent && snd_una_ == iss_;
  if (!unknown && state_ != State::time_wait) send_reset(ctx);
  close(ctx, why);
}

void Connection::vanish(Context& ctx, Failure why) {
  if (state_ != State::closed) close(ctx, why);
}

std::uint32_t Connection::send_room() const {
  if (flight_->sent_segments >= most_segments()) return 0;
  const std::uint32_t pipe = bytes_ahead();
  const std::uint32_t most = cc_.cwnd + limited_transmit();
  const std::uint32_t by_cwnd = most > pipe ? most - pipe : 0;
  const std::uint32_t used = static_cast<std::uint32_t>(snd_nxt_ - snd_una_) + flight_->unsent_bytes;
  return std::min(by_cwnd, snd_wnd_ > used ? snd_wnd_ - used : 0);
}

void Connection::become(Context& ctx, State next) {
  state_ = next;
  switch (next) {
    case State::syn_sent:  // how long to try is the user's choice, within the user time-out
      life_due_ = {ctx.now + ctx.timeouts.user, ctx.now};
      break;
    case State::syn_received:
      life_due_ = {ctx.now + ctx.timeouts.handshake, ctx.now};
      break;
    case State::established:
      life_due_ = {ctx.timeouts.keepalive.count() > 0 ? ctx.now + ctx.timeouts.keepalive : kNever, ctx.now};
      break;
    case State::time_wait:
      empty_queues(ctx);
      set_timer(ctx, SendTimer::none, kNever);
      life_due_ = {ctx.now + ctx.timeouts.time_wait, ctx.now};
      touch(ctx);
      break;
    case State::closed:
    case State::fin_wait_1:
    case State::fin_wait_2:
    case State::close_wait:
    case State::closing:
    case State::last_ack:
      break;
  }
  if (next != State::closed) file_alarm(ctx);
  if (next == State::time_wait) on_time_wait(ctx);
}

void Connection::close(Context& ctx, Failure why) {
  state_ = State::closed;
  Alarm::unlink();
  TouchHook::unlink();
  empty_queues(ctx);
  ctx.dead.push_back(*this);
  on_closed(ctx, why);
}

}  // namespace braid::tcp
