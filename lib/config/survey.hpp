// What is checked of a text before a tree is made of it. Used by the loader only.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "config/load.hpp"

namespace braid::config {

// Values a text may hold, keys too, each alias counted as all that it stands for. A configuration that uses
// every list to its bound has about half of that.
inline constexpr std::size_t kMaxValues = 250'000;

// Whether the text is UTF-8 without control characters and one YAML document of up to kMaxValues values; if
// not, why is in `mistakes`. Throws YAML::Exception where the syntax is wrong.
bool survey(std::string_view text, std::vector<Mistake>& mistakes);

}  // namespace braid::config
