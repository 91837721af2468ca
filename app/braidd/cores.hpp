// Which cores the threads run on.
#pragma once

#include <string>
#include <vector>

#include "config/config.hpp"

namespace braid::daemon {

// Cores this process may run on (its CPU affinity), ascending.
std::vector<unsigned> allowed_cores();

struct Cores {
  unsigned main = 0;              // of the control threads
  std::vector<unsigned> workers;  // one per worker
};

// Those the config names, else allowed ones: the first for control, the others for workers, which share, with
// control last, when there are too few. Throws std::runtime_error when the config names one that is not
// allowed.
Cores choose_cores(const config::Config& config, const std::vector<unsigned>& allowed);

// Keeps the calling thread, and the threads it makes, on one core.
void pin_to(unsigned core);

}  // namespace braid::daemon
