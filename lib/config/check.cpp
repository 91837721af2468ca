// Checks across values. Unset entries were reported where they were read and are passed over here.
#include <algorithm>
#include <map>
#include <utility>

#include "base/limits.hpp"
#include "config/sections.hpp"

namespace braid::config {

namespace {

std::string at(const std::string& list, std::size_t i) { return list + "[" + std::to_string(i) + "]"; }

// The path of element `i` of a list that the file may also give as one single value.
std::string at(const std::string& owner, const std::string& list, std::size_t i) {
  return owner + "." + at(list, i);
}

const char* family(const Ip& ip) { return ip.is_v4() ? "IPv4" : "IPv6"; }

// Reports each later use of a key that an earlier entry has.
template <class Key>
class Unique {
 public:
  Unique(Walk& walk, std::string what, std::string right)
      : walk_(walk), what_(std::move(what)), right_(std::move(right)) {}
  void add(const Key& key, const std::string& path) {
    const auto [first, fresh] = seen_.emplace(key, path);
    if (!fresh) walk_.mistake_at(path, what_ + " is already used at " + first->second + "; " + right_);
  }

 private:
  Walk& walk_;
  std::string what_;
  std::string right_;
  std::map<Key, std::string> seen_;
};

// An address that could not be read may be of either family, so it counts for both.
bool has_family(const std::vector<Prefix>& prefixes, const Ip& ip) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const Prefix& p) { return p.ip.is_unset() || p.ip.is_v4() == ip.is_v4(); });
}

// Port or Vlan; `what` is its name to a person.
template <class Network>
void check_gateways(Walk& walk, const Network& network, const std::string& path, const std::string& what) {
  bool seen[2] = {false, false};
  for (std::size_t i = 0; i < network.gateways.size(); ++i) {
    const Ip& gateway = network.gateways[i];
    if (gateway.is_unset()) continue;
    const auto here = at(path, "gateways", i);
    if (std::exchange(seen[gateway.is_v4() ? 1 : 0], true))
      walk.mistake_at(here,
                      "is the " + what + "'s second " + family(gateway) + " gateway; keep one per family");
    const auto own = std::any_of(network.addresses.begin(), network.addresses.end(),
                                 [&](const Prefix& p) { return p.ip == gateway; });
    const auto on_link = gateway.is_link_local() ||
                         std::any_of(network.addresses.begin(), network.addresses.end(),
                                     [&](const Prefix& p) { return p.ip.is_unset() || p.contains(gateway); });
    const auto no_host = std::any_of(network.addresses.begin(), network.addresses.end(),
                                     [&](const Prefix& p) { return p.is_no_host(gateway); });
    if (own) {
      walk.mistake_at(here, to_string(gateway) + " is the " + what + "'s own address; must be the router's");
    } else if (no_host) {
      walk.mistake_at(
          here, to_string(gateway) +
                    " is the first or last address of its subnet, which names no host; must be the router's");
    } else if (!has_family(network.addresses, gateway)) {
      std::string text = std::string("is an ") + family(gateway) + " gateway, but the ";
      text.append(what).append(" has no ").append(family(gateway)).append(" address; add one to ");
      walk.mistake_at(here, text.append(path).append(".addresses"));
    } else if (!on_link) {
      walk.mistake_at(here, to_string(gateway) + " is in none of the " + what +
                                "'s subnets; must be a neighbour's address");
    }
  }
}

// What a port takes for itself: an interface can be opened by one driver only, a ring is named by its driver.
std::string_view resource_of(const Port& port) {
  return port.driver() == "net_ring" ? std::string_view(port.device) : port.target();
}

// What a port and each VLAN on it must observe. `path`: of the port or VLAN, `port`: of the port.
template <class Network>
void check_network(Walk& walk, const Network& network, const Port& port, const std::string& path,
                   const std::string& port_path, const std::string& what, Unique<Ip>& addresses) {
  bool has_v6 = false;
  for (std::size_t k = 0; k < network.addresses.size(); ++k) {
    const Ip& ip = network.addresses[k].ip;
    if (ip.is_unset()) continue;
    has_v6 |= !ip.is_v4();
    addresses.add(ip, at(path, "addresses", k));
  }
  constexpr unsigned kMinMtuV6 = 1280;  // RFC 8200 5
  if (has_v6 && port.mtu < kMinMtuV6)
    walk.mistake_at(port_path + ".mtu",
                    std::to_string(port.mtu) + " is too small for IPv6; must be at least 1280");
  check_gateways(walk, network, path, what);
}

void check_vlans(Walk& walk, const Port& port, const std::string& path, Unique<Ip>& addresses) {
  Unique<std::vector<unsigned>> ids(walk, "VLAN", "give every VLAN of a port once");
  for (std::size_t i = 0; i < port.vlans.size(); ++i) {
    const Vlan& vlan = port.vlans[i];
    const auto here = at(path, "vlans", i);
    check_network(walk, vlan, port, here, path, "VLAN", addresses);
    if (std::find(vlan.id.begin(), vlan.id.end(), 0U) != vlan.id.end()) continue;
    ids.add(vlan.id, here + ".id");
    constexpr std::size_t kMaxDeviceName = 15;
    if (const std::string device = device_name(port, vlan); device.size() > kMaxDeviceName)
      walk.mistake_at(here + ".id", "its device would be called " + device + ", which is longer than " +
                                        std::to_string(kMaxDeviceName) +
                                        " characters; give the port a shorter name");
  }
}

void check_ports(Walk& walk, Config& c) {
  Unique<std::string> names(walk, "name", "give every port its own name");
  Unique<std::string_view> devices(walk, "device", "a device can be one port only");
  Unique<Ip> addresses(walk, "address", "give every address once");
  for (std::size_t i = 0; i < c.ports.size(); ++i) {
    Port& port = c.ports[i];
    const auto path = at("ports", i);
    if (!port.name.empty()) names.add(port.name, path + ".name");
    if (!port.device.empty()) devices.add(resource_of(port), path + ".device");
    if (port.queues == 0) port.queues = c.workers.count;
    if (port.queues > c.workers.count)
      walk.mistake_at(path + ".queues", std::to_string(port.queues) + " queues for " +
                                            std::to_string(c.workers.count) +
                                            " workers; must be at most workers.count");
    check_network(walk, port, port, path, path, "port", addresses);
    check_vlans(walk, port, path, addresses);
  }
}

// Whether some port can carry traffic of the family of `ip`. Addresses may also come from elsewhere (ip(8),
// a routing daemon), so a file that sets none says nothing.
bool port_family_missing(const Config& c, const Ip& ip) {
  bool any = false;
  const auto serves = [&](const auto& network) {
    any |= !network.addresses.empty();
    return has_family(network.addresses, ip);
  };
  for (const Port& port : c.ports)
    if (serves(port) || std::any_of(port.vlans.begin(), port.vlans.end(), serves)) return false;
  return any;
}

void check_listeners(Walk& walk, Config& c) {
  std::vector<std::string> upstreams;
  for (const auto& u : c.upstreams) upstreams.push_back(u.name);
  Unique<std::string> names(walk, "name", "give every listener its own name");
  Unique<Endpoint> binds(walk, "address and port", "one listener only can have them");
  for (std::size_t i = 0; i < c.listeners.size(); ++i) {
    Listener& listener = c.listeners[i];
    const auto path = at("listeners", i);
    if (!listener.name.empty()) names.add(listener.name, path + ".name");
    for (std::size_t k = 0; k < listener.bind.size(); ++k) {
      const Endpoint& bind = listener.bind[k];
      if (bind.ip.is_unset()) continue;
      const auto here = at(path, "bind", k);
      binds.add(bind, here);
      if (port_family_missing(c, bind.ip))
        walk.mistake_at(here, std::string("is an ") + family(bind.ip) +
                                  " address, but no port has one; add an " + family(bind.ip) +
                                  " address to a port");
    }
    if (listener.upstream.empty()) continue;
    const auto found = std::find(upstreams.begin(), upstreams.end(), listener.upstream);
    if (found == upstreams.end()) {
      const auto hint = nearest(listener.upstream, upstreams);
      walk.mistake_at(path + ".upstream",
                      "no upstream is named " + quote(listener.upstream) + "; " +
                          (hint.empty() ? "add one to upstreams" : "did you mean \"" + hint + "\"?"));
    } else {
      listener.upstream_index = static_cast<std::uint16_t>(found - upstreams.begin());
    }
  }
}

// Workers take what comes to a listener, so nothing else on the machine can be reached there.
void check_metrics(Walk& walk, const Config& c) {
  if (!c.metrics.enabled) return;
  for (const auto& l : c.listeners)
    for (const auto& bind : l.bind)
      if (bind == c.metrics.listen)
        walk.mistake_at("metrics.listen", to_string(bind) + " is where listener " + quote(l.name) +
                                              " waits; choose another address or port");
}

void check_servers(Walk& walk, const Config& c, const Upstream& upstream, const std::string& path) {
  std::map<Endpoint, std::string> binds;
  for (const auto& l : c.listeners)
    for (const auto& bind : l.bind) binds.emplace(bind, l.name);
  Unique<Endpoint> addresses(walk, "server", "give every server once");
  for (std::size_t k = 0; k < upstream.servers.size(); ++k) {
    const Endpoint& server = upstream.servers[k].address;
    if (server.ip.is_unset()) continue;
    const auto here = at(path, "servers", k) + ".address";
    addresses.add(server, here);
    if (const auto own = binds.find(server); own != binds.end())
      walk.mistake_at(here, to_string(server) + " is where listener " + quote(own->second) +
                                " waits, so Braid would connect to itself; must be a server's address");
    const auto same = [&](const Ip& ip) { return ip.is_unset() || ip.is_v4() == server.ip.is_v4(); };
    if (!upstream.source.empty() && std::none_of(upstream.source.begin(), upstream.source.end(), same)) {
      walk.mistake_at(here, std::string("is an ") + family(server.ip) + " server, but source has no " +
                                family(server.ip) + " address; add one to " + path + ".source");
    } else if (upstream.source.empty() && port_family_missing(c, server.ip)) {
      walk.mistake_at(here, std::string("is an ") + family(server.ip) + " server, but no port has an " +
                                family(server.ip) + " address; add one to a port");
    }
  }
}

void check_upstreams(Walk& walk, Config& c) {
  Unique<std::string> names(walk, "name", "give every upstream its own name");
  for (std::size_t i = 0; i < c.upstreams.size(); ++i) {
    const auto path = at("upstreams", i);
    if (!c.upstreams[i].name.empty()) names.add(c.upstreams[i].name, path + ".name");
    check_servers(walk, c, c.upstreams[i], path);
  }
}

}  // namespace

void check_across(Walk& walk, Config& c) {
  check_ports(walk, c);
  check_listeners(walk, c);
  check_metrics(walk, c);
  check_upstreams(walk, c);
}

}  // namespace braid::config
