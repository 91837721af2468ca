// The middleboxes that Braid is held against, by name: one list for the simulator's matrix, the emulator and
// the lab.
#pragma once

#include <string_view>
#include <vector>

#include "kit/middlebox.hpp"

namespace braid::kit::box {

// Where a box is put.
struct Site {
  World& world;
  Link& link;
  Ip outside;  // the client's address behind a translator
};

struct Named {
  const char* name;
  std::function<Box(const Site&)> make;
};

const std::vector<Named>& list();
// nullptr: there is no such box.
const Named* find(std::string_view name);

// What the boxes that change payload do.
inline constexpr std::byte kOld{0x7e};  // becomes kNew
inline constexpr std::byte kNew{0x21};
inline constexpr std::uint32_t kResizeAt = 9000;  // byte of the stream
inline constexpr int kResizeBy = 7;

}  // namespace braid::kit::box
