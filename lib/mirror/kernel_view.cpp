#include "mirror/kernel_view.hpp"

#include <algorithm>

#include "base/limits.hpp"

namespace braid::mirror {

namespace {
constexpr std::size_t kMaxLinks = 8192;  // ports and VLANs
}  // namespace

KernelView::KernelView(const std::vector<Device>& devices) : indices_(limits::kMaxPorts, 0) {
  for (const Device& d : devices) {
    Link& link = links_[d.index];
    link.id = link.is.port = d.port;
    indices_[d.port] = d.index;
  }
}

void KernelView::forget_all() {
  for (auto it = links_.begin(); it != links_.end();) {
    const auto link = it++;
    if (link->second.is.vlan.any()) {
      forget(link);
      continue;
    }
    link->second.addresses.clear();
    link->second.is.known = link->second.is.up = false;
  }
  routes_.clear();
  neighbours_.clear();
}

bool KernelView::apply(const Event& event) {
  return std::visit([this](const auto& e) { return take(e); }, event);
}

// The link of a device of ours; a VLAN device on one of them becomes one. nullptr: somebody else's.
KernelView::Link* KernelView::find_or_make(const LinkEvent& e) {
  if (const auto it = links_.find(e.index); it != links_.end()) return &it->second;
  const auto parent = links_.find(e.parent);
  if (e.gone || e.vlan_id == 0 || parent == links_.end()) return nullptr;
  Link link;
  link.is.port = parent->second.is.port;
  link.is.vlan = parent->second.is.vlan;
  if (!link.is.vlan.push(e.vlan_type, e.vlan_id)) return nullptr;  // a third tag
  const auto free = std::find(indices_.begin() + limits::kMaxPorts, indices_.end(), 0);
  const auto id = static_cast<std::size_t>(free - indices_.begin());
  if (id == kMaxLinks) return nullptr;
  if (free == indices_.end()) {
    indices_.push_back(e.index);
  } else {
    *free = e.index;
  }
  link.id = static_cast<wire::LinkId>(id);
  return &links_.emplace(e.index, std::move(link)).first->second;
}

// A VLAN device has gone; neighbours and routes go with it.
bool KernelView::forget(std::map<int, Link>::iterator link) {
  const wire::LinkId id = link->second.id;
  indices_[id] = 0;
  std::erase_if(neighbours_, [id](const auto& n) { return n.first.first == id; });
  links_.erase(link);
  return routes_doubtful_ = true;
}

bool KernelView::take(const LinkEvent& e) {
  Link* link = find_or_make(e);
  if (link == nullptr) return false;
  wire::Link& is = link->is;
  if (e.gone && is.vlan.any()) return forget(links_.find(e.index));
  const bool up = e.up && !e.gone;
  if (is.known && is.up == up && is.mac == e.mac && is.mtu == e.mtu) return false;
  if (is.known && is.up != up) routes_doubtful_ = true;
  is.known = true;
  is.up = up;
  is.mac = e.mac;
  is.mtu = e.mtu;
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
  const Neighbour key{link->second.id, e.ip};
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
    if (!link.is.known) continue;
    out.add_link(link.id, link.is);
    // The first address of a family is the default source: a link-local one only if there is no other.
    for (const bool link_local : {false, true}) {
      for (const Prefix& a : link.addresses) {
        if (a.ip.is_link_local() == link_local) out.add_address(link.id, a);
      }
    }
  }
  for (const auto& [key, route] : routes_) {
    const auto hop = std::find_if(route.hops.begin(), route.hops.end(),
                                  [this](const RouteEvent::NextHop& h) { return links_.contains(h.index); });
    if (hop == route.hops.end()) continue;
    out.add_route(
        {route.prefix, links_.at(hop->index).id, hop->gateway, route.source, route.mtu, route.metric});
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

std::optional<int> KernelView::index_of(wire::LinkId link) const {
  if (link >= indices_.size() || indices_[link] == 0) return std::nullopt;
  return indices_[link];
}

}  // namespace braid::mirror
