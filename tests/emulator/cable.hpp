// One emulated link between two network devices.
#pragma once

#include <string>

#include "raw_port.hpp"

namespace braid::emulator {

class Cable {
 public:
  // NAME=PROFILE,DEVICE,DEVICE[,BOX[,ADDRESS]]: the user's device and the network's; a middlebox, and the
  // address that it shows when it translates. Throws std::invalid_argument that says what would be right.
  Cable(kit::World& world, const std::string& word);

  RawPort& user() { return user_; }
  RawPort& network() { return network_; }
  [[nodiscard]] const kit::Link& link() const { return link_; }

 private:
  struct Words {
    kit::LinkSpec spec;
    std::string user, network, box, outside;
  };
  static Words read(const std::string& word);
  Cable(kit::World& world, const Words& words);

  RawPort user_, network_;
  kit::Link& link_;
};

}  // namespace braid::emulator
