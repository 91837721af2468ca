// Where a packet goes next: an immutable picture of the kernel's addresses, routes and neighbours on the
// mirror devices. Built by `mirror` from rtnetlink, published by pointer, read by workers.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/address.hpp"
#include "wire/ethernet.hpp"

namespace braid::wire {

// A port, by its number, or a VLAN on one.
using LinkId = std::uint16_t;

struct Link {
  std::uint8_t port = 0;
  bool known = false;
  bool up = false;
  std::uint16_t mtu = 0;
  Mac mac{};
  Vlan vlan{};
};

struct Hop {
  LinkId link = 0;
  std::uint8_t port = 0;
  bool resolved = false;     // `destination` is known
  std::uint16_t mtu = 1500;  // of the route or the link, whichever is lower
  Vlan vlan{};
  Mac source{};
  Mac destination{};
  Ip next;  // whose link address is wanted: the gateway, or the target itself
};

class RouteTable {
 public:
  struct Route {
    Prefix prefix;
    LinkId link = 0;
    Ip gateway;                // unset: the target is on the link
    Ip source;                 // preferred source address; unset: the link's first address of the family
    std::uint16_t mtu = 0;     // 0: the link's
    std::uint32_t metric = 0;  // lower wins among equal prefixes
  };

  void add_link(LinkId id, const Link& link);
  void add_address(LinkId link, const Prefix& address);  // the host part is the address
  void add_route(const Route& route);
  void add_neighbour(LinkId link, const Ip& ip, const Mac& mac);

  // Longest prefix match among routes of links that are up. Nothing: no route.
  [[nodiscard]] std::optional<Hop> resolve(const Ip& destination) const;
  // The address Braid uses as its own end toward `destination`.
  [[nodiscard]] std::optional<Ip> source_for(const Ip& destination) const;
  [[nodiscard]] bool is_local(const Ip& ip) const { return local_.contains(ip); }
  // Whether it is the address of a link that is up.
  [[nodiscard]] bool is_served(const Ip& ip) const;
  // nullptr: there is none of that number.
  [[nodiscard]] const Link* link(LinkId id) const {
    return id < links_.size() && links_[id].known ? &links_[id] : nullptr;
  }
  // Whether frames with these tags are for a link of that port.
  [[nodiscard]] bool has_vlan(std::uint8_t port, const Vlan& vlan) const {
    return vlans_.contains(vlan_key(port, vlan));
  }

  // Grows with every published table; workers look up again when it moved.
  std::uint32_t generation = 0;

 private:
  struct IpHash {
    std::size_t operator()(const Ip& ip) const {
      return std::hash<std::uint64_t>{}(ip.hi * 0x9e3779b97f4a7c15ULL ^ ip.lo);
    }
  };
  struct Neighbour {
    Ip ip;
    LinkId link;
    friend bool operator==(const Neighbour&, const Neighbour&) = default;
  };
  struct NeighbourHash {
    std::size_t operator()(const Neighbour& n) const { return IpHash{}(n.ip) * 31 + n.link; }
  };
  using ByPrefix = std::unordered_map<Ip, std::vector<Route>, IpHash>;

  static std::uint64_t vlan_key(std::uint8_t port, const Vlan& vlan) {
    return std::uint64_t{port} << 32 | vlan.ids();
  }
  [[nodiscard]] const Route* find(const Ip& destination) const;

  std::vector<Link> links_;                      // by number
  std::map<LinkId, std::vector<Ip>> addresses_;  // in order of preference
  std::unordered_multimap<Ip, LinkId, IpHash> local_;
  std::unordered_set<std::uint64_t> vlans_;
  std::map<unsigned, ByPrefix, std::greater<>> v4_;  // by prefix length, longest first
  std::map<unsigned, ByPrefix, std::greater<>> v6_;
  std::unordered_map<Neighbour, Mac, NeighbourHash> neighbours_;
};

}  // namespace braid::wire
