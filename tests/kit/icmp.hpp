// What a router says about a packet that it could not forward.
#pragma once

#include <cstdint>

#include "kit/world.hpp"

namespace braid::kit {

// ICMP "fragmentation needed" (RFC 1191) or ICMPv6 "packet too big" (RFC 4443 3.2) about `dropped`, on its
// way back to the sender. It quotes as much as the RFCs ask at least: 8 bytes behind the IPv4 header, what
// fits for IPv6.
Packet too_big(const Packet& dropped, std::uint16_t mtu);
// ICMP "host unreachable", or ICMPv6's, likewise.
Packet unreachable(const Packet& dropped);

}  // namespace braid::kit
