#include "mirror/kernel_view.hpp"

#include <algorithm>

namespace braid::mirror {

KernelView::KernelView(const std::vector<Device>& devices) {
  for (const Device& d : devices) links_[d.index].port = d.port;
}

void KernelView::forget_all() {
  for (auto& [index, link] : links_) {
    link.addresses.clear();
    link.known = link.up = false;
  }
  routes_.clear();
  neighbours_.clear();
}

bool KernelView::apply(const Event& event) {
  return std::visit([this](const auto& e) { return take(e); }, event);
}

bool KernelView::take(const LinkEvent& e) {
  const auto it = links_.find(e.index);
  if (it == links_.end()) return false;
  Link& link = it->second;
  const bool up = e.up && !e.gone;
  if (link.known && link.up == up && link.mac == e.mac && link.mtu == e.mtu) return false;
  if (link.known && link.up != up) routes_doubtful_ = true;
  link.known = true;
  link.up = up;
  link.mac = e.mac;
  link.mtu = e.mtu;
  return true;
}

bool KernelView::take(const AddressEvent& e) {
  const auto it = links_.find(e.index);
  if (it == links_.end()) return false;
  auto& addresses = it->second.addresses;
  const auto at = std::find(addresses.begin(), addresses.end(), e.address);
  if (e.gone) {
    if (at == addresses.end()) return false;
    addresses.erase(at);
    routes_doubtful_ = true;
    return true;
  }
  if (at != addresses.end()) return false;
  addresses.push_back(e.address);
  return true;
}

bool KernelView::take(const RouteEvent& e) {
  const RouteKey key{e.prefix, e.metric};
  const auto ours = [this](const RouteEvent::NextHop& h) { return links_.contains(h.index); };
  const bool usable = std::any_of(e.hops.begin(), e.hops.end(), ours);
  auto [first, last] = routes_.equal_range(key);
  if (e.gone) {
    const auto at = std::find_if(first, last, [&](const auto& r) { return r.second.hops == e.hops; });
    if (at == last) return false;
    routes_.erase(at);
    return true;
  }
  bool changed = false;
  for (auto it = first; it != last;) {
    if (e.replaces || it->second.hops == e.hops) {
      it = routes_.erase(it);
      changed = true;
    } else {
      ++it;
    }
  }
  if (!usable) return changed;
  routes_.emplace(key, e);
  return true;
}

bool KernelView::take(const NeighbourEvent& e) {
  const auto link = links_.find(e.index);
  if (link == links_.end()) return false;
  const Neighbour key{link->second.port, e.ip};
  const auto it = neighbours_.find(key);
  const bool known = e.reach == Reach::confirmed || e.reach == Reach::stale;
  if (e.reach == Reach::failed) settled_.push_back({key, std::nullopt});
  if (!known) {
    if (it == neighbours_.end()) return false;
    neighbours_.erase(it);
    return true;
  }
  if (it != neighbours_.end() && it->second.mac == e.mac) {
    it->second.reach = e.reach;  // confirmed and stale serve alike: workers need no new picture
    return false;
  }
  neighbours_[key] = {e.mac, e.reach, std::nullopt};
  settled_.push_back({key, e.mac});
  return true;
}

wire::RouteTable KernelView::table() const {
  wire::RouteTable out;
  for (const auto& [index, link] : links_) {
    if (!link.known) continue;
    out.add_port(link.port, link.mac, link.mtu, link.up);
    // The first address of a family is the default source: a link-local one only if there is no other.
    for (const bool link_local : {false, true}) {
      for (const Prefix& a : link.addresses) {
        if (a.ip.is_link_local() == link_local) out.add_address(link.port, a);
      }
    }
  }
  for (const auto& [key, route] : routes_) {
    const auto hop = std::find_if(route.hops.begin(), route.hops.end(),
                                  [this](const RouteEvent::NextHop& h) { return links_.contains(h.index); });
    if (hop == route.hops.end()) continue;
    out.add_route(
        {route.prefix, links_.at(hop->index).port, hop->gateway, route.source, route.mtu, route.metric});
  }
  for (const auto& [key, entry] : neighbours_) out.add_neighbour(key.first, key.second, entry.mac);
  return out;
}

std::optional<Mac> KernelView::mac_of(const Neighbour& neighbour) const {
  const auto it = neighbours_.find(neighbour);
  if (it == neighbours_.end()) return std::nullopt;
  return it->second.mac;
}

std::vector<KernelView::Neighbour> KernelView::stale_to_probe(Instant now, Duration pause, std::size_t max) {
  std::vector<Neighbour> out;
  for (auto& [key, entry] : neighbours_) {
    if (out.size() == max) break;
    if (entry.reach != Reach::stale || (entry.probed && now - *entry.probed < pause)) continue;
    entry.probed = now;
    out.push_back(key);
  }
  return out;
}

std::optional<int> KernelView::index_of(std::uint8_t port) const {
  for (const auto& [index, link] : links_) {
    if (link.port == port) return index;
  }
  return std::nullopt;
}

}  // namespace braid::mirror
