// Allocations of the gateway that fail: objects of its pools and packet buffers, counted together in the
// order in which they are asked for, so that every site can be made to fail in its turn.
#pragma once

#include <cstdint>

namespace braid::kit {

class Gateway;

// While the gateway acts, its allocations are counted, and the `k`th from now on fails (1: the next; 0:
// none).
class AllocationFault {
 public:
  AllocationFault(Gateway& gateway, std::uint64_t k);
  ~AllocationFault();
  AllocationFault(const AllocationFault&) = delete;
  AllocationFault& operator=(const AllocationFault&) = delete;
  [[nodiscard]] std::uint64_t asked() const;
  [[nodiscard]] bool failed() const;
};

// The one seam: whether the allocation asked for now fails.
bool refuse_allocation();

// Between construction and destruction allocations are the gateway's.
class GatewayActs {
 public:
  GatewayActs();
  ~GatewayActs();
  GatewayActs(const GatewayActs&) = delete;
  GatewayActs& operator=(const GatewayActs&) = delete;
};

}  // namespace braid::kit
