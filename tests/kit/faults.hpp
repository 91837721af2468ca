// Allocations of the gateway that fail: objects of its pools and packet buffers, counted together in the
// order in which they are asked for, so that every site can be made to fail in its turn.
#pragma once

#include <cstdint>

namespace braid::kit {

// The one seam: whether the allocation asked for now fails.
bool refuse_allocation();

// While the gateway acts, its allocations are counted, and the `k`th from now on fails (1: the next; 0:
// none).
class AllocationFault {
 public:
  // A template, so that who has no gateway need not link one.
  template <class Gateway>
  AllocationFault(Gateway& gateway, std::uint64_t k) {
    count_until(k);
    watch(gateway);
  }
  ~AllocationFault();
  AllocationFault(const AllocationFault&) = delete;
  AllocationFault& operator=(const AllocationFault&) = delete;
  [[nodiscard]] std::uint64_t asked() const;
  [[nodiscard]] bool failed() const;

 protected:
  AllocationFault() = default;
  template <class Gateway>
  static void watch(Gateway& gateway) {
    for (unsigned w = 0; w < gateway.workers(); ++w) gateway.engine(w).refuse_when(refuse_allocation);
  }

 private:
  static void count_until(std::uint64_t k);
};

// The same, but every `k`th fails, as long as this lives.
class AllocationFaults : public AllocationFault {
 public:
  template <class Gateway>
  AllocationFaults(Gateway& gateway, std::uint64_t k) {
    count_each(k);
    watch(gateway);
  }

 private:
  static void count_each(std::uint64_t k);
};

// Between construction and destruction allocations are the gateway's.
class GatewayActs {
 public:
  GatewayActs();
  ~GatewayActs();
  GatewayActs(const GatewayActs&) = delete;
  GatewayActs& operator=(const GatewayActs&) = delete;
};

}  // namespace braid::kit
