// EAL's own words, on the command line, for what Braid has keys for.
#pragma once

#include <string>
#include <vector>

#include "config/load.hpp"

namespace braid::daemon {

// Takes -l, -c, --lcores, --main-lcore, -m and --file-prefix out of `arguments` (EAL arguments of the command
// line) and puts them where the configuration has them: of the cores named the main one (EAL: the first) is
// dpdk.main_core, the others are workers.cores in turn. --socket-mem counts as dpdk.memory and stays. Returns
// what is wrong, such as a key that the file gives as well; else an empty text.
std::string take_eal_words(std::vector<std::string>& arguments, config::Loaded& loaded);

}  // namespace braid::daemon
