// Whether the configuration and the port profiles fit together: what neither shows alone. Pure: needs no
// device.
#pragma once

#include <cstdint>
#include <vector>

#include "config/load.hpp"
#include "dpdk/profile.hpp"

namespace braid::daemon {

// How limits.packet_buffers are laid out: one pool per worker, one of the mirror.
struct BufferPlan {
  std::uint32_t per_worker = 0;
  std::uint32_t least_per_worker = 0;  // what the ports' queues hold, and spare ones
  std::uint32_t mirror = 0;
  std::uint16_t room = 0;    // bytes of a buffer, headroom included
  std::uint64_t memory = 0;  // bytes of EAL's memory that start-up takes
};
BufferPlan plan_buffers(const config::Config& config, const std::vector<dpdk::Profile>& profiles);

// Every reason why `loaded` with these profiles (one per port) could not be started on any machine.
std::vector<config::Mistake> check_fit(const config::Loaded& loaded,
                                       const std::vector<dpdk::Profile>& profiles);

}  // namespace braid::daemon
