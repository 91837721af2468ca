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

void RouteTable::add_link(LinkId id, const Link& link) {
  if (links_.size() <= id) links_.resize(id + 1U);
  links_[id] = link;
  links_[id].known = true;
  if (link.vlan.any()) vlans_.insert(vlan_key(link.port, link.vlan));
}

void RouteTable::add_address(LinkId link, const Prefix& address) {
  addresses_[link].push_back(address.ip);
  local_.emplace(address.ip, link);
}

bool RouteTable::is_served(const Ip& ip) const {
  const auto [first, last] = local_.equal_range(ip);
  return std::any_of(first, last, [this](const auto& at) {
    const Link* l = link(at.second);
    return l != nullptr && l->up;
  });
}

void RouteTable::add_route(const Route& route) {
  auto& family = route.prefix.ip.is_v4() ? v4_ : v6_;
  auto& equal = family[route.prefix.length][masked(route.prefix.ip, route.prefix.length)];
  const auto at = std::upper_bound(equal.begin(), equal.end(), route.metric,
                                   [](std::uint32_t metric, const Route& r) { return metric < r.metric; });
  equal.insert(at, route);
}

void RouteTable::add_neighbour(LinkId link, const Ip& ip, const Mac& mac) {
  neighbours_.insert_or_assign(Neighbour{ip, link}, mac);
}

const RouteTable::Route* RouteTable::find(const Ip& destination) const {
  for (const auto& [length, by_prefix] : destination.is_v4() ? v4_ : v6_) {
    const auto it = by_prefix.find(masked(destination, length));
    if (it == by_prefix.end()) continue;
    for (const Route& route : it->second) {
      const Link* l = link(route.link);
      if (l != nullptr && l->up) return &route;
    }
  }
  return nullptr;
}

std::optional<Hop> RouteTable::resolve(const Ip& destination) const {
  const Route* route = find(destination);
  if (route == nullptr) return {};
  const Link& out = links_[route->link];
  Hop hop;
  hop.link = route->link;
  hop.port = out.port;
  hop.mtu = route->mtu == 0 ? out.mtu : std::min(route->mtu, out.mtu);
  hop.vlan = out.vlan;
  hop.source = out.mac;
  hop.next = route->gateway.is_unset() ? destination : route->gateway;
  if (const auto it = neighbours_.find(Neighbour{hop.next, hop.link}); it != neighbours_.end()) {
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
  const auto own = addresses_.find(route->link);
  if (own == addresses_.end()) return {};
  for (const Ip& ip : own->second) {
    if (ip.is_v4() != destination.is_v4()) continue;
    if (ip.is_link_local() == destination.is_link_local()) return ip;
    if (!fallback) fallback = ip;
  }
  return fallback;
}

}  // namespace braid::wire
