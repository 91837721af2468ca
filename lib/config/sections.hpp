// The schema: reading of each section of the file, and the checks across sections. Used by the loader only.
#pragma once

#include "config/config.hpp"
#include "config/tree.hpp"

namespace braid::config {

// Bounds of lists; those of ports, workers, subflows and servers are in base/limits.hpp.
inline constexpr std::size_t kMaxListeners = 256;
inline constexpr std::size_t kMaxUpstreams = 256;
inline constexpr std::size_t kMaxAddresses = 64;  // of one list of addresses

// Reads the whole tree into `out`. Every key is asked for here, once.
void read_root(Walk& walk, const Item& root, Config& out);

// One per file of sections.
void read_process(Walk& walk, Map& root, Config& out);   // dpdk, workers, timeouts, limits
void read_services(Walk& walk, Map& root, Config& out);  // metrics, control, log
void read_ports(Walk& walk, Map& root, Config& out);
void read_listeners(Walk& walk, Map& root, Config& out);
void read_upstreams(Walk& walk, Map& root, Config& out);

// What no single value shows: references, duplicates, families, budgets. Fills in the defaults that depend
// on other values.
void check_across(Walk& walk, Config& out);

// A name of ports, listeners and upstreams: letters, digits, '_' and '-', beginning with a letter or digit.
bool read_name(Walk& walk, const Item& item, std::string& out, std::size_t max);

}  // namespace braid::config
