// What one engine is built from. The relay settings are shared by all engines and outlive them.
#pragma once

#include <cstdint>

#include "relay/settings.hpp"
#include "tcp/context.hpp"

struct rte_mempool;

namespace braid::engine {

// Local ports of server legs lie below Linux's default ephemeral range (32768-60999), which the kernel may
// use for its own connections on the same addresses; `port mod workers` names the owner.
inline constexpr std::uint16_t kFirstServerLegPort = 10240;
inline constexpr std::uint16_t kEndServerLegPort = 32768;

struct Settings {
  const relay::Settings* relay = nullptr;
  unsigned worker = 0;
  unsigned workers = 1;
  unsigned first_slice = 0;          // of this node in the token space
  unsigned slices = 1;               // nodes x workers
  rte_mempool* buffers = nullptr;    // private area of at least tcp::kSegmentPrivSize
  std::uint32_t buffer_count = 0;    // in that pool
  std::uint32_t connections = 1024;  // relayed client connections at most
  std::uint32_t handshakes = 256;    // clients in handshake at most
  tcp::Timeouts timeouts;
  SipKey secret;                     // the same for all workers of a process
  std::uint64_t seed = 1;            // of this worker's generator
  std::uint32_t unstable_ports = 0;  // bit p: port p may change a flow's queue, so a hash decides the worker
  std::uint32_t checksum_offload_ports = 0;  // bit p: port p writes checksums itself
};

}  // namespace braid::engine
