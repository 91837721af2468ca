#include "kit/faults.hpp"

namespace braid::kit {

namespace {
struct Counted {
  bool on = false;      // there is a fault
  bool acting = false;  // it is the gateway that asks
  std::uint64_t asked = 0;
  std::uint64_t fail_at = 0;
  bool again = false;  // and so many further on
};
Counted counted;
}  // namespace

bool refuse_allocation() {
  Counted& c = counted;
  if (!c.on || !c.acting) return false;
  ++c.asked;
  return c.again ? c.asked % c.fail_at == 0 : c.asked == c.fail_at;
}

GatewayActs::GatewayActs() { counted.acting = true; }
GatewayActs::~GatewayActs() { counted.acting = false; }

void AllocationFault::count_until(std::uint64_t k) { counted = {.on = true, .fail_at = k}; }

void AllocationFaults::count_each(std::uint64_t k) { counted = {.on = true, .fail_at = k, .again = true}; }

AllocationFault::~AllocationFault() { counted.on = false; }

std::uint64_t AllocationFault::asked() const { return counted.asked; }

bool AllocationFault::failed() const { return counted.fail_at != 0 && counted.asked >= counted.fail_at; }

}  // namespace braid::kit
