// Which cores the threads run on.
#pragma once

#include <string>
#include <vector>

#include "config/config.hpp"

namespace braid::daemon {

// Cores this process may run on (its CPU affinity), ascending.
std::vector<unsigned> allowed_cores();

// One core per worker: those the config names, else allowed ones, the main core last; cores are shared when
// there are too few. Throws std::runtime_error when the config names a core that is not allowed.
std::vector<unsigned> worker_cores(const config::Config& config, const std::vector<unsigned>& allowed);

// Keeps the calling thread, and the threads it makes, on one core.
void pin_to(unsigned core);

}  // namespace braid::daemon
