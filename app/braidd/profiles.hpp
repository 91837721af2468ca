// Port profiles from drivers-config/<name>.yaml.
#pragma once

#include <stdexcept>
#include <string>

#include "config/config.hpp"
#include "dpdk/profile.hpp"

namespace braid::daemon {

// A profile that is missing or wrong: "file:line:column: what is wrong; what would be right".
struct ProfileError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The directory to read profiles from: `given`, else beside the program (build tree, installed tree), else
// /usr/share/braid/drivers-config. Throws ProfileError when there is none.
std::string profile_directory(const std::string& given);

// The profile of a port: the one its config names, else that of its driver. Throws ProfileError.
dpdk::Profile load_profile(const std::string& directory, const config::Port& port);

}  // namespace braid::daemon
