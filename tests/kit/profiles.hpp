// Access links by name, as home and mobile networks have them. One copy for the simulator, the emulator and
// the lab.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kit/link.hpp"

namespace braid::kit {

// Nothing: there is no such profile. The link's name is the profile's.
std::optional<LinkSpec> profile(std::string_view name);
// In the order in which people should read them.
std::vector<std::string> profile_names();

}  // namespace braid::kit
