#include "cores.hpp"

#include <sched.h>

#include <algorithm>
#include <stdexcept>

namespace braid::daemon {

namespace {

void require_allowed(unsigned core, const std::vector<unsigned>& allowed, const std::string& place) {
  if (std::find(allowed.begin(), allowed.end(), core) != allowed.end()) return;
  std::string list;
  for (const unsigned c : allowed) list += (list.empty() ? "" : ",") + std::to_string(c);
  throw std::runtime_error(place + ": core " + std::to_string(core) +
                           " is not among the cores this process may use (" + list + ")");
}

}  // namespace

std::vector<unsigned> allowed_cores() {
  std::vector<unsigned> out;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return out;
  for (unsigned c = 0; c < CPU_SETSIZE; ++c) {
    if (CPU_ISSET(c, &set)) out.push_back(c);
  }
  return out;
}

Cores choose_cores(const config::Config& config, const std::vector<unsigned>& allowed) {
  Cores out{config.dpdk.main_core.value_or(allowed.empty() ? 0 : allowed.front()), config.workers.cores};
  require_allowed(out.main, allowed, config.file + ": dpdk.main_core");
  for (const unsigned c : out.workers) require_allowed(c, allowed, config.file + ": workers.cores");
  if (!out.workers.empty()) return out;
  std::vector<unsigned> order;
  for (const unsigned c : allowed) {
    if (c != out.main) order.push_back(c);
  }
  order.push_back(out.main);
  for (unsigned w = 0; w < config.workers.count; ++w) out.workers.push_back(order[w % order.size()]);
  return out;
}

void pin_to(unsigned core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  sched_setaffinity(0, sizeof set, &set);
}

}  // namespace braid::daemon
