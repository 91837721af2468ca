// Port profiles from drivers-config/<name>.yaml.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "config/load.hpp"
#include "dpdk/profile.hpp"

namespace braid::daemon {

// There is no directory to read profiles from.
struct NoProfiles : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The directory to read profiles from: `given`, else beside the program (build tree, installed tree), else
// /usr/share/braid/drivers-config. Throws NoProfiles.
std::string profile_directory(const std::string& given);

struct Profiles {
  std::vector<dpdk::Profile> by_port;
  std::vector<std::string>
      mistakes;  // lines as config::to_string makes them, of the configuration and of profiles
};

// The profile of every port: the one its configuration names, else that of its driver.
Profiles load_profiles(const std::string& directory, const config::Loaded& loaded);

}  // namespace braid::daemon
