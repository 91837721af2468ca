// ICMP errors about segments that connections of ours have sent.
#include <rte_mbuf.h>

#include "engine/engine.hpp"
#include "wire/icmp_error.hpp"

namespace braid::engine {

using stats::Drop;

// False: it is the kernel's.
bool Engine::take_icmp(Arrival& a, ByteView bytes) {
  const auto error = wire::parse_icmp_error(bytes);
  if (!error) return false;
  const std::uint32_t found = find_flow(flow_hash(error->flow), error->flow);
  if (found == HashIndex::kNone) return find_owner(a, error->flow);
  if (static_cast<Kind>(found >> 30) == Kind::redirect) {
    hand_over(a, redirects_.at(found & 0x3fffffff)->owner, kNoEntry, 0);
    return true;
  }
  tcp::Connection& c = *connection_of(found);
  if (error->kind == wire::IcmpError::Kind::too_big) {
    c.packet_too_big(ctx_, error->seq, error->mtu);
  } else {
    c.unreachable(ctx_, error->seq);
  }
  rte_pktmbuf_free(a.frame);
  return true;
}

// A router's answer comes on any queue: the worker that has the connection must be found.
bool Engine::find_owner(Arrival& a, const Flow& flow) {
  const bool client = takes_clients(flow.local);
  const std::uint16_t port = flow.local.port;
  const bool server =
      port >= kFirstServerLegPort && port < kEndServerLegPort && ctx_.routes->is_local(flow.local.ip);
  if (!client && !server) return false;
  if (a.handed || settings_.workers == 1) {
    ctx_.drop(a.frame, Drop::icmp_stray);
  } else if (server) {
    const unsigned owner = port % settings_.workers;
    if (owner == settings_.worker) {
      ctx_.drop(a.frame, Drop::icmp_stray);
    } else {
      hand_over(a, owner, kNoEntry, 0);
    }
  } else {
    show_others(a);
  }
  return true;
}

// Only the flow says whose a client's connection is, and that flow is not in the packet's own header.
void Engine::show_others(Arrival& a) {
  if (shown_ >= kMostShown) return ctx_.drop(a.frame, Drop::icmp_limit);
  ++shown_;
  for (unsigned w = 0; w < settings_.workers; ++w) {
    if (w == settings_.worker) continue;
    Arrival copy = a;
    copy.frame = rte_pktmbuf_copy(a.frame, ctx_.buffers, 0, UINT32_MAX);
    if (copy.frame == nullptr) {
      stats_.drops.add(Drop::no_buffer);
      break;
    }
    hand_over(copy, w, kNoEntry, 0);
  }
  rte_pktmbuf_free(a.frame);
}

}  // namespace braid::engine
