#include "kit/link.hpp"

#include <algorithm>
#include <array>

#include "kit/icmp.hpp"

namespace braid::kit {

namespace {
constexpr std::size_t kCaptureMost = 20'000;  // packets kept per link
}

Link::Link(World& world, const LinkSpec& spec, End a, End b)
    : world_(world),
      spec_(spec),
      a_(a),
      b_(b),
      bottlenecks_{Bottleneck({spec.rate, spec.queue, spec.queue_packets, spec.trace}, world.start()),
                   Bottleneck({spec.rate_up > 0 ? spec.rate_up : spec.rate, spec.queue, spec.queue_packets,
                               spec.trace},
                              world.start())} {}

// Whether the radio gives nothing now: a matter of time alone, so that packets do not decide it.
bool Link::is_out() const {
  const Duration t = world_.elapsed();
  if (spec_.hole_every > Duration::zero() && t % spec_.hole_every >= spec_.hole_every - spec_.hole)
    return true;
  if (spec_.fade <= 0) return false;
  const SipKey key{world_.seed(), std::hash<std::string>{}(spec_.name)};
  const std::array<std::uint64_t, 1> span{static_cast<std::uint64_t>(t / spec_.fade_span)};
  return Rng(siphash(key, span)).unit() < spec_.fade;
}

bool Link::ends_at(const Device& device, unsigned port) const {
  return (a_.device == &device && a_.port == port) || (b_.device == &device && b_.port == port);
}

// The generator that decides this packet's fate.
Rng Link::fate_of(const Packet& packet, bool forward) {
  wire::TcpFrame f;
  std::uint64_t identity = 0;
  const SipKey key{world_.seed(), std::hash<std::string>{}(spec_.name) + (forward ? 1 : 0)};
  if (wire::parse_frame(packet, wire::Trust::verify, f) == wire::FrameKind::tcp) {
    const std::array<std::uint64_t, 4> words{siphash(key, f.flow),
                                             static_cast<std::uint64_t>(f.seq.raw) << 32 | f.ack.raw,
                                             static_cast<std::uint64_t>(f.payload_length) << 8 | f.flags, 0};
    identity = siphash(key, words);
  }
  const std::array<std::uint64_t, 2> words{identity, copies_[identity]++};
  return Rng(siphash(key, words));
}

void Link::send(const Device& from, unsigned port, Packet packet) {
  const bool forward = a_.device == &from && a_.port == port;
  if (world_.on_send) world_.on_send(from, packet);
  if (captured_.size() < kCaptureMost) captured_.push_back({world_.now(), packet, forward});
  const bool large =
      packet.size() >= wire::kEthernetHeader && packet.size() > spec_.mtu + wire::parse_ethernet(packet).size;
  if (large && tells_mtu_ && !cut_) inject(!forward, too_big(packet, spec_.mtu));
  if (large || cut_ || (forward ? cut_forward_ : cut_backward_)) {
    ++lost_;
    return;
  }
  if (middlebox_) {
    wire::TcpFrame f;
    if (wire::parse_frame(packet, wire::Trust::verify, f) == wire::FrameKind::tcp &&
        !middlebox_(packet, f, forward)) {
      ++lost_;
      return;
    }
  }
  carry(forward, std::move(packet));
}

void Link::carry(bool forward, Packet packet) {
  const bool certain = spec_.loss == 0 && spec_.duplicate == 0 && spec_.corrupt == 0 && spec_.reorder == 0 &&
                       spec_.jitter == Duration::zero();
  Rng fate = certain ? Rng(0) : fate_of(packet, forward);
  if (fate.unit() < spec_.loss || is_out()) {
    ++lost_;
    return;
  }
  if (fate.unit() < spec_.duplicate) pass(packet, forward, Rng(fate.next()));
  pass(std::move(packet), forward, Rng(fate.next()));
}

void Link::inject(bool forward, Packet packet) {
  if (captured_.size() < kCaptureMost) captured_.push_back({world_.now(), packet, forward});
  under_way_.emplace(world_.now() + spec_.delay, Due{forward, std::move(packet)});
}

void Link::pass(Packet packet, bool forward, Rng fate) {
  Bottleneck& bottleneck = bottlenecks_[forward ? 1 : 0];
  const auto leaves = bottleneck.pass(world_.now(), packet.size());
  if (!leaves) {
    ++lost_;
    return;
  }
  if (bottleneck.backlog() > spec_.mark_above && mark_congestion(packet)) ++marked_;
  if (fate.unit() < spec_.corrupt)
    packet[fate.below(static_cast<std::uint32_t>(packet.size()))] ^=
        static_cast<std::byte>(1 + fate.below(255));
  Instant arrives = *leaves + spec_.delay;
  if (spec_.jitter > Duration::zero()) {
    const double wanted = (2 * fate.unit() - 1) * static_cast<double>(spec_.jitter.count());
    Instant& last = last_arrival_[forward ? 1 : 0];
    arrives = last = std::max(last, arrives + Duration(static_cast<std::int64_t>(wanted)));
  }
  if (fate.unit() < spec_.reorder) {
    const auto most = static_cast<std::uint32_t>(spec_.displacement.count() / 1000);
    arrives += std::chrono::microseconds(fate.below(most + 1));
  }
  under_way_.emplace(arrives, Due{forward, std::move(packet)});
}

Instant Link::next_at() const { return under_way_.empty() ? kNever : under_way_.begin()->first; }

void Link::act(Instant now) {
  while (!under_way_.empty() && under_way_.begin()->first <= now) {
    Due due = std::move(under_way_.begin()->second);
    under_way_.erase(under_way_.begin());
    if (cut_) {
      ++lost_;
      continue;
    }
    ++delivered_[due.forward ? 1 : 0];
    delivered_bytes_[due.forward ? 1 : 0] += due.packet.size();
    const End& to = due.forward ? b_ : a_;
    to.device->take(now, to.port, std::move(due.packet));
  }
}

}  // namespace braid::kit
