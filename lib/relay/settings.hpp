// What the relay is told by the configuration: an immutable value, shared by all workers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mptcp/session.hpp"
#include "tcp/congestion.hpp"
#include "wire/frame.hpp"

namespace braid::relay {

struct Upstream {
  std::string name;
  std::vector<Endpoint> servers;  // tried round robin, the next one when one refuses
  std::vector<Ip> sources;        // own addresses toward the servers; empty: the route's
  Duration connect_timeout = std::chrono::seconds(3);
  tcp::CongestionKind congestion = tcp::CongestionKind::cubic;
  wire::IpFields ip;  // of what is sent to them
  bool ecn = false;   // ask for it (RFC 3168)
};

struct Listener {
  std::string name;
  std::vector<Endpoint> binds;
  std::uint16_t upstream = 0;  // index into Settings::upstreams
  bool mptcp = true;
  tcp::CongestionKind congestion = tcp::CongestionKind::cubic;
  wire::IpFields ip;              // of what is sent to its clients
  mptcp::SessionProfile profile;  // `announce` points into `announce_addresses`
  std::vector<Endpoint> announce_addresses;
  std::vector<Ip> join_addresses;  // destinations of joins besides the binds, at the bound port
};

struct Settings {
  std::vector<Listener> listeners;
  std::vector<Upstream> upstreams;
  Duration idle = std::chrono::hours(1);            // no byte in either direction
  Duration half_closed = std::chrono::seconds(60);  // one direction ended, no byte in the other
  std::uint32_t buffer = 4U << 20;                  // bytes per connection and direction
};

}  // namespace braid::relay
