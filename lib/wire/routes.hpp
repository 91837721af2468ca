// Where a packet goes next: an immutable picture of the kernel's addresses, routes and neighbours on the
// mirror devices. Built by `mirror` from rtnetlink, published by pointer, read by workers.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/address.hpp"

namespace braid::wire {

struct Hop {
  std::uint8_t port = 0;
  bool resolved = false;     // `destination` is known
  std::uint16_t mtu = 1500;  // of the route or the port, whichever is lower
  Mac source;
  Mac destination;
  Ip next;  // whose link address is wanted: the gateway, or the target itself
};

class RouteTable {
 public:
  struct Route {
    Prefix prefix;
    std::uint8_t port = 0;
    Ip gateway;                // unset: the target is on the link
    Ip source;                 // preferred source address; unset: the port's first address of the family
    std::uint16_t mtu = 0;     // 0: the port's
    std::uint32_t metric = 0;  // lower wins among equal prefixes
  };

  void add_port(std::uint8_t port, const Mac& mac, std::uint16_t mtu, bool up);
  void add_address(std::uint8_t port, const Prefix& address);  // the host part is the address
  void add_route(const Route& route);
  void add_neighbour(std::uint8_t port, const Ip& ip, const Mac& mac);

  // Longest prefix match among routes of ports that are up. Nothing: no route.
  [[nodiscard]] std::optional<Hop> resolve(const Ip& destination) const;
  // The address Braid uses as its own end toward `destination`.
  [[nodiscard]] std::optional<Ip> source_for(const Ip& destination) const;
  [[nodiscard]] bool is_local(const Ip& ip) const;

  // Grows with every published table; workers look up again when it moved.
  std::uint32_t generation = 0;

 private:
  struct Port {
    Mac mac;
    std::uint16_t mtu = 0;
    bool up = false;
    std::vector<Ip> addresses;
  };
  struct Key {
    Ip ip;
    std::uint8_t port;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& k) const {
      return std::hash<std::uint64_t>{}(k.ip.hi * 0x9e3779b97f4a7c15ULL ^ k.ip.lo) * 31 + k.port;
    }
  };
  using ByPrefix = std::unordered_map<Key, std::vector<Route>, KeyHash>;  // Key.port unused (0)

  [[nodiscard]] const Route* find(const Ip& destination) const;

  std::map<std::uint8_t, Port> ports_;
  std::map<unsigned, ByPrefix, std::greater<>> v4_;  // by prefix length, longest first
  std::map<unsigned, ByPrefix, std::greater<>> v6_;
  std::unordered_map<Key, Mac, KeyHash> neighbours_;
};

}  // namespace braid::wire
