// What rtnetlink says about the mirror devices, as values. Parsing and building need no socket, so both are
// tested on recorded bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/address.hpp"

struct nlmsghdr;

namespace braid::mirror {

struct LinkEvent {
  bool gone = false;
  int index = 0;
  std::string name;
  Mac mac;
  std::uint16_t mtu = 0;
  bool up = false;  // administratively up and with carrier
  int parent = 0;   // of a VLAN device: the device it is on
  std::uint16_t vlan_type = 0;
  std::uint16_t vlan_id = 0;  // 0: no VLAN device
};

struct AddressEvent {
  bool gone = false;  // removed, or not usable yet (IPv6 duplicate address detection, RFC 4862 5.4)
  int index = 0;
  Prefix address;  // the host part is the address
};

struct RouteEvent {
  bool gone = false;
  bool replaces = false;  // takes the place of a route of the same prefix and metric
  Prefix prefix;
  std::uint32_t metric = 0;
  std::uint16_t mtu = 0;  // 0: the device's
  Ip source;              // preferred source; unset: none
  struct NextHop {
    int index = 0;
    Ip gateway;  // unset: on the link
    friend bool operator==(const NextHop&, const NextHop&) = default;
  };
  std::vector<NextHop> hops;  // at least one
};

enum class Reach : std::uint8_t { unknown, confirmed, stale, failed };

struct NeighbourEvent {
  int index = 0;
  Ip ip;
  Reach reach = Reach::unknown;  // confirmed, stale: `mac` holds
  Mac mac;
};

using Event = std::variant<LinkEvent, AddressEvent, RouteEvent, NeighbourEvent>;

// One rtnetlink message. Nothing for messages that say nothing of interest: other families, other tables than
// main, route types without a next hop, truncated attributes.
std::optional<Event> parse_event(const nlmsghdr* message);

}  // namespace braid::mirror
