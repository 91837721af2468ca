// A packet on its way through a test's world: a copy of the frame's bytes, owned by whoever has it.
#pragma once

#include <cstddef>
#include <vector>

#include "base/bytes.hpp"

struct rte_mbuf;

namespace braid::kit {

using Packet = std::vector<std::byte>;

// The bytes of a frame, all segments of the buffer chain joined. The buffer stays the caller's.
Packet packet_of(const rte_mbuf* frame);
// A new buffer with these bytes; nullptr when the pool is empty.
rte_mbuf* frame_of(const Packet& packet);

}  // namespace braid::kit
