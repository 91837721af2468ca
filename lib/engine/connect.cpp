// Connections to servers: their source, their port.
#include <algorithm>

#include "engine/engine.hpp"

namespace braid::engine {

using stats::Drop;

tcp::Stream* Engine::connect(tcp::Context&, relay::Pair&, const relay::Upstream& upstream,
                             const Endpoint& server, std::uint16_t max_segment) {
  make_room();
  const auto open = [&](const Ip& source) -> tcp::Stream* {
    tcp::PlainStream* s = new_server_leg(source, server, upstream.congestion);
    if (s == nullptr) return nullptr;
    s->set_ip_fields(upstream.ip);
    if (upstream.ecn) s->ask_for_ecn();
    if (s->connect(ctx_, max_segment, settings_.relay->buffer)) return s;
    flows_.erase(flow_hash(s->flow()), handle(Kind::stream, streams_.index_of(s)));
    streams_.put(s);
    return nullptr;
  };
  bool any = false;
  const std::size_t count = upstream.sources.size();
  const std::size_t start = count != 0 ? rng_.below(static_cast<std::uint32_t>(count)) : 0;
  for (std::size_t i = 0; i < count; ++i) {  // each has ports of its own toward a server
    const Ip& source = upstream.sources[(start + i) % count];
    if (source.is_v4() != server.ip.is_v4()) continue;
    any = true;
    if (tcp::Stream* s = open(source)) return s;
  }
  if (!any) {
    const auto source = ctx_.routes->source_for(server.ip);
    if (source) {
      any = true;
      if (tcp::Stream* s = open(*source)) return s;
    }
  }
  stats_.drops.add(any && ctx_.routes->resolve(server.ip) ? Drop::connection_limit : Drop::no_route);
  return nullptr;
}

// A connection from a port toward `server` that is free, or whose last connection may be replaced. nullptr:
// there is none, or no memory.
tcp::PlainStream* Engine::new_server_leg(const Ip& source, const Endpoint& server,
                                         tcp::CongestionKind congestion) {
  // `port mod workers` brings the server's answers back to this worker (architecture 4).
  constexpr unsigned kRange = kEndServerLegPort - kFirstServerLegPort;
  constexpr unsigned kTries = 128;
  const unsigned steps = kRange / settings_.workers;
  const unsigned start = rng_.below(steps);
  Flow flow{{source, 0}, server};
  for (unsigned i = 0; i < std::min(steps, kTries); ++i) {
    const unsigned base = kFirstServerLegPort / settings_.workers + 1 + (start + i) % (steps - 1);
    flow.local.port = static_cast<std::uint16_t>(base * settings_.workers + settings_.worker);
    if (flow.local.port >= kEndServerLegPort) continue;
    // What comes to a listener's address on another worker is taken for a client's.
    if (takes_clients(flow.local)) continue;
    const std::uint32_t hash = flow_hash(flow);
    const std::uint32_t found = find_flow(hash, flow);
    if (found != HashIndex::kNone && !give_way(found)) continue;
    tcp::PlainStream* s = streams_.get(flow, congestion);
    if (s == nullptr) return nullptr;
    if (flows_.insert(hash, handle(Kind::stream, streams_.index_of(s)))) return s;
    streams_.put(s);
    return nullptr;
  }
  return nullptr;
}

// Whether the flow's last connection, in TIME-WAIT, is gone now.
bool Engine::give_way(std::uint32_t found) {
  if (static_cast<Kind>(found >> 30) == Kind::redirect) return false;
  tcp::Connection& c = *connection_of(found);
  return c.may_replace(ctx_) && recycle(c);
}

}  // namespace braid::engine
