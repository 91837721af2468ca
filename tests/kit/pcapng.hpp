// Writes packet captures that Wireshark opens (draft-ietf-opsawg-pcapng): one section, one Ethernet interface
// with nanosecond time stamps, enhanced packets.
#pragma once

#include <string>
#include <vector>

#include "base/time.hpp"
#include "kit/packet.hpp"

namespace braid::kit {

struct Captured {
  Instant at;
  Packet packet;
  bool inbound = false;  // toward the link's second end
};

// False: the file cannot be written.
bool write_pcapng(const std::string& path, const std::string& interface,
                  const std::vector<Captured>& packets);

}  // namespace braid::kit
