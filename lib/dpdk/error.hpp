// Why EAL, a port or a worker cannot be set up, said to an operator: what failed and what to do.
#pragma once

#include <stdexcept>
#include <string>

namespace braid::dpdk {

struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace braid::dpdk
