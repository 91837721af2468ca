// rtnetlink requests as bytes: what the mirror asks the kernel to do.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/address.hpp"

struct nlmsghdr;

namespace braid::mirror {

// One request under construction or ready to be sent; large enough for every request below.
class Request {
 public:
  Request() = default;
  [[nodiscard]] nlmsghdr* header() { return reinterpret_cast<nlmsghdr*>(bytes_.data()); }
  [[nodiscard]] const nlmsghdr* header() const { return reinterpret_cast<const nlmsghdr*>(bytes_.data()); }
  [[nodiscard]] void* data() { return bytes_.data(); }

 private:
  alignas(8) std::array<std::uint8_t, 512> bytes_{};
};

// Sets the link address and MTU of a device and takes it up.
Request set_link(int index, const Mac& mac, std::uint16_t mtu);
// Makes the VLAN device `name` on the device `parent` and takes it up. `type`: 0x8100 or 0x88a8.
Request add_vlan(int parent, const std::string& name, std::uint16_t type, std::uint16_t id);
// Adds an address. IPv6 duplicate address detection is left out, so that it serves at once.
Request add_address(int index, const Prefix& address);
// Adds a default route.
Request add_default_route(int index, const Ip& gateway, std::uint32_t metric);
// Tells the kernel that the neighbour is in use, so that it resolves or re-probes it (NTF_USE).
Request use_neighbour(int index, const Ip& ip);
// Asks for all links, addresses, routes or neighbours: `type` is RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE or
// RTM_GETNEIGH; `family` is AF_UNSPEC, AF_INET or AF_INET6.
Request dump(std::uint16_t type, std::uint8_t family);

}  // namespace braid::mirror
