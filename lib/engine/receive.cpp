// From a frame to the connection it belongs to, or to whoever else it is for.
#include <rte_mbuf.h>

#include "engine/engine.hpp"
#include "wire/reset.hpp"

namespace braid::engine {

using stats::Counter;
using stats::Drop;
using wire::FrameKind;

// Parses the frame. False: it is not a TCP segment, and has been dealt with.
bool Engine::parse(Arrival& a) {
  rte_mbuf* m = a.frame;
  if (m->nb_segs > 1 && rte_pktmbuf_linearize(m) != 0) {
    ctx_.drop(m, Drop::no_buffer);
    return false;
  }
  constexpr std::uint64_t kGood = RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
  const auto trust = (m->ol_flags & kGood) == kGood ? wire::Trust::checksum_good : wire::Trust::verify;
  const ByteView bytes{rte_pktmbuf_mtod(m, const std::byte*), m->data_len};
  const auto drop = [&](Drop reason) {
    ctx_.drop(m, reason);
    return false;
  };
  switch (wire::parse_frame(bytes, trust, a.tcp)) {
    case FrameKind::tcp:
      a.hash = flow_hash(a.tcp.flow);
      flows_.prefetch(a.hash);
      return true;
    case FrameKind::other:
      if (!take_icmp(a, bytes)) punt(a.port, m);
      return false;
    case FrameKind::fragment:  // of TCP: the kernel would answer what it knows nothing of
      if (is_proxied(a.tcp.flow.local.ip)) return drop(Drop::ip_fragment);
      punt(a.port, m);
      return false;
    case FrameKind::short_frame:
      return drop(Drop::short_frame);
    case FrameKind::bad_ip_header:
      return drop(Drop::bad_ip_header);
    case FrameKind::bad_ip_checksum:
      return drop(Drop::bad_ip_checksum);
    case FrameKind::bad_extension:
      return drop(Drop::ipv6_extension);
    case FrameKind::bad_source:
      return drop(Drop::bad_source);
    case FrameKind::bad_tcp_header:
      return drop(Drop::bad_tcp_header);
    case FrameKind::bad_tcp_checksum:
      return drop(Drop::bad_tcp_checksum);
  }
  return drop(Drop::short_frame);
}

void Engine::dispatch(Arrival& a) {
  const std::uint32_t found = find_flow(a.hash, a.tcp.flow);
  if (found == HashIndex::kNone) return dispatch_unknown(a);
  if (static_cast<Kind>(found >> 30) == Kind::redirect) {
    const Redirect& r = *redirects_.at(found & 0x3fffffff);
    hand_over(a, r.owner, found & 0x3fffffff, r.serial);
    return;
  }
  tcp::Connection& c = *connection_of(found);
  if (a.tcp.has(wire::kSyn) && reopen(c, a)) return dispatch_unknown(a);
  c.receive(ctx_, a.tcp, a.frame);
}

// No entry: a new client, a join, a server's answer on the wrong worker, or somebody else's.
void Engine::dispatch_unknown(Arrival& a) {
  const wire::TcpFrame& f = a.tcp;
  const bool syn = f.has(wire::kSyn) && !f.has(wire::kAck) && !f.has(wire::kRst);
  const relay::Listener* ours = listener_at(f.flow.local);
  // A VLAN that the kernel knows no device for is not ours, whatever address the frame has.
  if (f.vlan.any() && !ctx_.routes->has_vlan(a.port, f.vlan)) return punt(a.port, a.frame);
  if ((ours != nullptr || joins_at(f.flow.local)) && send_home(a)) return;
  if (syn && f.options.mptcp.has(wire::kMpJoinSyn) &&
      (ours != nullptr || ctx_.routes->is_local(f.flow.local.ip)))
    return join(a);
  if (ours != nullptr) {
    if (syn) return accept(a, *ours);
    if (accept_cookie(a, *ours)) return;
    return refuse(a, f.has(wire::kRst) ? Drop::stray_reset : Drop::no_connection);
  }
  const std::uint16_t port = f.flow.local.port;
  if (port >= kFirstServerLegPort && port < kEndServerLegPort && ctx_.routes->is_local(f.flow.local.ip)) {
    const unsigned owner = port % settings_.workers;
    if (owner != settings_.worker && !a.handed) {
      hand_over(a, owner, kNoEntry, 0);
      return;
    }
    return refuse(a, f.has(wire::kRst) ? Drop::stray_reset : syn ? Drop::no_listener : Drop::no_connection);
  }
  punt(a.port, a.frame);  // the kernel's own traffic: SSH, BGP, forwarding
}

// On a port that may change a flow's queue in mid-life a hash names the worker that knows it, whatever queue
// brought the segment. True: it was handed over.
bool Engine::send_home(Arrival& a) {
  const bool unstable = ((settings_.unstable_ports >> a.port) & 1U) != 0;
  if (!unstable || a.handed || settings_.workers == 1) return false;
  const auto home = static_cast<unsigned>(siphash(settings_.secret, a.tcp.flow) >> 32) % settings_.workers;
  if (home == settings_.worker) return false;
  hand_over(a, home, kNoEntry, 0);
  return true;
}

bool Engine::hand_over(Arrival& a, unsigned owner, std::uint32_t entry, std::uint32_t serial) {
  Message m;
  m.frame = a.frame;
  m.port = a.port;
  m.from = static_cast<std::uint8_t>(settings_.worker);
  m.entry = entry;
  m.serial = serial;
  if (owner == settings_.worker || !handoff_.ring(settings_.worker, owner).push(m)) {
    ctx_.drop(a.frame, Drop::handoff_full);
    return false;
  }
  ctx_.count(Counter::handoffs);
  return true;
}

void Engine::punt(unsigned port, rte_mbuf* frame) {
  if (io_->punt(port, frame)) {
    ctx_.count(Counter::punted);
  } else {
    ctx_.drop(frame, Drop::mirror_full);
  }
}

// Drops a segment that no connection takes, and answers it by RST unless it is one (RFC 9293 3.10.7.1).
void Engine::refuse(const Arrival& a, Drop reason, std::optional<stats::RstReason> mptcp_reason) {
  const wire::TcpFrame& f = a.tcp;
  if (!f.has(wire::kRst)) {
    wire::OptionBuffer o;
    if (mptcp_reason) {
      o.mp_tcprst({.transient = false, .reason = static_cast<std::uint8_t>(*mptcp_reason)});
      stats_.resets_sent.add(*mptcp_reason);
    }
    wire::FrameOut out = wire::reset_for(f);
    if (const auto* listener = listener_at(f.flow.local)) out.ip = listener->ip;
    if (send_bare(out, o)) ctx_.count(Counter::tcp_resets_sent);
  }
  ctx_.drop(a.frame, reason);
}

// A segment without payload that no connection sends. False: no route or no buffer.
bool Engine::send_bare(wire::FrameOut out, wire::OptionBuffer& o) {
  const auto hop = ctx_.routes->resolve(out.flow.remote.ip);
  rte_mbuf* m = hop ? rte_pktmbuf_alloc(ctx_.buffers) : nullptr;
  if (m == nullptr) return false;
  out.source = hop->source;
  out.destination = hop->destination;
  out.vlan = hop->vlan;
  std::byte* payload = static_cast<std::byte*>(m->buf_addr) + m->data_off + wire::kMaxHeaders;
  const std::size_t n = wire::write_headers(payload, out, o.padded(), wire::ChecksumMode::full);
  m->data_off = static_cast<std::uint16_t>(payload - n - static_cast<std::byte*>(m->buf_addr));
  m->data_len = static_cast<std::uint16_t>(n);
  m->pkt_len = static_cast<std::uint32_t>(n);
  if (hop->resolved) {
    send(hop->port, m);
  } else {
    send_unresolved(*hop, m);
  }
  return true;
}

}  // namespace braid::engine
