// How many worlds the tests of the simulator try: BRAID_SEEDS, of which each kind takes its part.
#pragma once

#include <cstdint>
#include <cstdlib>

namespace braid::kit {

inline std::uint64_t seeds_wanted() {
  const char* wanted = std::getenv("BRAID_SEEDS");
  return wanted == nullptr ? 300 : std::strtoull(wanted, nullptr, 10);
}

}  // namespace braid::kit
