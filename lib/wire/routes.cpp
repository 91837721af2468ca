#include "wire/routes.hpp"

#include <algorithm>

namespace braid::wire {

namespace {

// `ip` with its host part zeroed; `length` counts in the address's own family.
Ip masked(Ip ip, unsigned length) {
  const unsigned bits = ip.is_v4() ? length + 96 : length;
  const auto mask = [](unsigned n) { return n == 0 ? 0 : n >= 64 ? ~0ULL : ~0ULL << (64 - n); };
  return {ip.hi & mask(bits), ip.lo & mask(bits > 64 ? bits - 64 : 0)};
}

}  // namespace

void RouteTable::add_port(std::uint8_t port, const Mac& mac, std::uint16_t mtu, bool up) {
  Port& p = ports_[port];
  p.mac = mac;
  p.mtu = mtu;
  p.up = up;
}

void RouteTable::add_address(std::uint8_t port, const Prefix& address) {
  ports_[port].addresses.push_back(address.ip);
}

void RouteTable::add_route(const Route& route) {
  auto& family = route.prefix.ip.is_v4() ? v4_ : v6_;
  auto& equal = family[route.prefix.length][Key{masked(route.prefix.ip, route.prefix.length), 0}];
  const auto at = std::upper_bound(equal.begin(), equal.end(), route.metric,
                                   [](std::uint32_t metric, const Route& r) { return metric < r.metric; });
  equal.insert(at, route);
}

void RouteTable::add_neighbour(std::uint8_t port, const Ip& ip, const Mac& mac) {
  neighbours_.insert_or_assign(Key{ip, port}, mac);
}

const RouteTable::Route* RouteTable::find(const Ip& destination) const {
  for (const auto& [length, by_prefix] : destination.is_v4() ? v4_ : v6_) {
    const auto it = by_prefix.find(Key{masked(destination, length), 0});
    if (it == by_prefix.end()) continue;
    for (const Route& route : it->second) {
      const auto port = ports_.find(route.port);
      if (port != ports_.end() && port->second.up) return &route;
    }
  }
  return nullptr;
}

std::optional<Hop> RouteTable::resolve(const Ip& destination) const {
  const Route* route = find(destination);
  if (route == nullptr) return {};
  const Port& port = ports_.at(route->port);
  Hop hop;
  hop.port = route->port;
  hop.mtu = route->mtu == 0 ? port.mtu : std::min(route->mtu, port.mtu);
  hop.source = port.mac;
  hop.next = route->gateway.is_unset() ? destination : route->gateway;
  if (const auto it = neighbours_.find(Key{hop.next, hop.port}); it != neighbours_.end()) {
    hop.resolved = true;
    hop.destination = it->second;
  }
  return hop;
}

std::optional<Ip> RouteTable::source_for(const Ip& destination) const {
  const Route* route = find(destination);
  if (route == nullptr) return {};
  if (!route->source.is_unset()) return route->source;
  // A link-local address reaches no further than the link, so it serves only a target there (RFC 6724 5, rule
  // 2).
  std::optional<Ip> fallback;
  for (const Ip& ip : ports_.at(route->port).addresses) {
    if (ip.is_v4() != destination.is_v4()) continue;
    if (ip.is_link_local() == destination.is_link_local()) return ip;
    if (!fallback) fallback = ip;
  }
  return fallback;
}

bool RouteTable::is_local(const Ip& ip) const {
  return std::any_of(ports_.begin(), ports_.end(), [&ip](const auto& entry) {
    const auto& addresses = entry.second.addresses;
    return std::find(addresses.begin(), addresses.end(), ip) != addresses.end();
  });
}

}  // namespace braid::wire
