#include "relay/pair.hpp"

#include <algorithm>
#include <atomic>

namespace braid::relay {

using stats::Counter;
using tcp::Failure;
using tcp::StreamState;

Pair::Pair(PairHost& host, const Listener& listener, Stream& client, const Flow& flow, Instant now)
    : host_(host), listener_(listener), client_(&client), flow_(flow), began_(now), active_(now) {
  kind = static_cast<std::uint8_t>(tcp::AlarmKind::pair);
  client.user = this;
  client.set_budget(std::min(host.settings().buffer, RightSizing::kInitial));
}

Who Pair::blame(Failure failure, Who side) {
  switch (failure) {
    case Failure::refused:
    case Failure::reset:
      return side;
    case Failure::timed_out:
      return Who::timeout;
    case Failure::unreachable:
    case Failure::aborted:
      return Who::proxy;
    case Failure::internal:
      return Who::internal;
    case Failure::none:
      break;
  }
  return side;
}

void Pair::run(Context& ctx) {
  if (ended_) return;
  if (client_->state() == StreamState::failed)
    return end(ctx, blame(client_->failure(), Who::client), phase_);
  if (phase_ == Phase::handshake) {
    if (client_->state() == StreamState::opening) return;
    start_connect(ctx);
  }
  if (phase_ == Phase::connect) run_connecting(ctx);
  if (phase_ == Phase::data && !ended_) run_data(ctx);
}

void Pair::start_connect(Context& ctx) {
  phase_ = Phase::connect;
  connect_us_ = micros(ctx.now);
  server_index_ = static_cast<std::uint8_t>(host_.pair_opened(ctx, *this, upstream()));
}

// Tries servers in turn until one answers, each at most once.
void Pair::run_connecting(Context& ctx) {
  const Upstream& target = upstream();
  if (server_ != nullptr && server_->state() == StreamState::opening) return;
  if (server_ != nullptr && server_->state() == StreamState::failed) {
    ctx.count(Counter::upstream_failed);
    server_->release(ctx);
    server_ = nullptr;
  }
  if (server_ != nullptr) {
    phase_ = Phase::data;
    connect_due_ = {};
    connect_us_ = micros(ctx.now) - connect_us_;
    active_ = ctx.now;
    ctx.count(Counter::upstream_connected);
    ctx.stats.connect_us.observe(connect_us_);
    return arm(ctx);
  }
  while (attempts_ < target.servers.size()) {
    if (attempts_++ != 0)
      server_index_ = static_cast<std::uint8_t>((server_index_ + 1U) % target.servers.size());
    server_ = host_.connect(ctx, *this, target, server_address(), client_->segment_room());
    if (server_ != nullptr) {
      server_->user = this;
      server_->set_budget(std::min(host_.settings().buffer, RightSizing::kInitial));
      connect_due_ = {ctx.now + target.connect_timeout, ctx.now};
      return arm(ctx);
    }
    ctx.count(Counter::upstream_failed);
  }
  end(ctx, Who::server, Phase::connect);
}

// Bytes that one side's peer has sent and the other's has not acknowledged.
void Pair::count_buffered(Context& ctx, std::int64_t bytes) {
  auto& gauge = ctx.stats.gauges.buffered_bytes;
  std::atomic_ref(gauge).store(gauge + static_cast<std::uint64_t>(bytes), std::memory_order_relaxed);
}

// What has arrived by another path and cannot be freed yet is no part of what the reader needs. A peer that
// was never measured (its SYN/ACK was repeated or a cookie, and it has heard nothing from us since) may be
// far away.
void Pair::size_buffer(Context& ctx, Stream& from, Stream& to, RightSizing& sizing, std::uint32_t freed) {
  const std::uint32_t most = host_.settings().buffer;
  const std::uint32_t there = from.round_trip();
  const std::uint32_t here = to.round_trip();
  if (there == 0 || here == 0) return from.set_budget(most);
  sizing.passed(ctx.now, freed, there + here, from.several_paths() || to.several_paths());
  from.set_budget(std::min(most, sizing.limit() + to.kept()));
}

bool Pair::move(Context& ctx, Stream& from, Stream& to, bool up) {
  RightSizing& sizing = up ? up_ : down_;
  const std::uint32_t freed = to.take_freed();
  if (freed != 0 || to.kept() != 0) {
    size_buffer(ctx, from, to, sizing, freed);
    from.consume(ctx, freed);
    count_buffered(ctx, -std::int64_t{freed});
  }
  if (freed != 0) active_ = ctx.now;  // slow as it may be, it moves
  tcp::SegmentQueue& queue = from.inbox();
  const bool moved = !queue.empty();
  if (moved) write(ctx, queue, to, up);
  if (moved || freed != 0) note_room(ctx, to, up);
  return moved;
}

void Pair::write(Context& ctx, tcp::SegmentQueue& queue, Stream& to, bool up) {
  std::uint32_t bytes = 0;
  for (const tcp::Segment* s = queue.front(); s != nullptr; s = s->next) bytes += s->length;
  to.write(ctx, queue);
  count_buffered(ctx, bytes);
  (up ? bytes_up_ : bytes_down_) += bytes;
  ctx.count(up ? Counter::relay_bytes_up : Counter::relay_bytes_down, bytes);
}

// Whether the direction is held back by its buffer: it was full, and half of that has not gone yet.
void Pair::note_room(Context& ctx, Stream& to, bool up) {
  const std::uint32_t buffer = std::min(host_.settings().buffer, (up ? up_ : down_).limit());
  bool& paused = up ? paused_up_ : paused_down_;
  const bool full = to.unfreed() - to.kept() >= (paused ? buffer / 2 : buffer - buffer / 8);
  if (full != paused) to.hold_back(full);
  if (full && !paused) ctx.count(up ? Counter::relay_paused_up : Counter::relay_paused_down);
  paused = full;
}

void Pair::run_data(Context& ctx) {
  if (server_->state() == StreamState::failed)
    return end(ctx, blame(server_->failure(), Who::server), Phase::data);
  const bool up = move(ctx, *client_, *server_, true);
  const bool down = move(ctx, *server_, *client_, false);
  if (up || down) active_ = ctx.now;
  check_ends(ctx);
}

void Pair::check_ends(Context& ctx) {
  const auto pass = [&ctx](Stream& from, Stream& to, bool& done) {
    if (done || !from.peer_finished() || !from.inbox().empty()) return false;
    done = true;
    to.shutdown(ctx);
    return true;
  };
  const bool first = pass(*client_, *server_, client_done_);
  const bool second = pass(*server_, *client_, server_done_);
  if (first || second) {
    active_ = ctx.now;
    arm(ctx);
  }
  if (client_done_ && server_done_ && client_->our_end_acknowledged() && server_->our_end_acknowledged())
    end(ctx, Who::client, Phase::done);
}

Endpoint Pair::server_address() const {
  return attempts_ == 0 ? Endpoint{} : upstream().servers[server_index_];
}

// How long no byte may move.
Duration Pair::patience() const {
  const Settings& s = host_.settings();
  return client_done_ || server_done_ ? s.half_closed : s.idle;
}

bool Pair::half_closed() const { return client_done_ != server_done_; }

void Pair::arm(Context& ctx) {
  Instant due = connect_due_.at(ctx.now);
  if (phase_ == Phase::data) due = active_ + patience();
  if (due != kNever) ctx.wheel.arm_sooner(*this, due);
}

void Pair::on_alarm(Context& ctx) {
  if (ended_) return;
  if (phase_ == Phase::connect && connect_due_.reached(ctx.now)) {
    connect_due_ = {};
    if (server_ != nullptr && server_->state() == StreamState::opening) {
      ctx.count(Counter::upstream_failed);
      server_->abort(ctx);
      server_->release(ctx);
      server_ = nullptr;
    }
    run_connecting(ctx);
    return;
  }
  if (phase_ == Phase::data) {
    if (ctx.now - active_ >= patience())
      return end(ctx, Who::timeout, half_closed() ? Phase::drain : Phase::data);
  }
  arm(ctx);
}

void Pair::end(Context& ctx, Who who, Phase phase) {
  if (ended_) return;
  ended_ = true;
  Alarm::unlink();
  AccessRecord r;
  r.ended_ns = ctx.now.time_since_epoch().count();
  r.duration_ns = (ctx.now - began_).count();
  r.connect_ns = phase_ != Phase::data ? -1 : connect_us_ * std::int64_t{1000};
  r.client = flow_.remote;
  r.bind = flow_.local;
  r.server = server_address();
  r.bytes_up = bytes_up_;
  r.bytes_down = bytes_down_;
  r.who = who;
  r.phase = phase;
  host_.pair_ended(ctx, *this, r);
  for (Stream* s : {client_, server_})
    if (s != nullptr) count_buffered(ctx, -std::int64_t{s->take_freed()} - s->unfreed());
  // A side that did not come to a clean end hears of it: a broken stream never looks complete (threats N2).
  const bool clean = phase == Phase::done;
  if (!clean) client_->abort(ctx);
  client_->release(ctx);
  if (server_ == nullptr) return;
  if (!clean) server_->abort(ctx);
  server_->release(ctx);
}

}  // namespace braid::relay
