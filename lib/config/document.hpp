// From bytes to a YAML tree, for every file that Braid reads.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/load.hpp"
#include "config/tree.hpp"

namespace braid::config {

struct Document {
  Item root;                      // present when there are no mistakes
  std::vector<Mistake> mistakes;  // why there is no tree
  [[nodiscard]] bool ok() const { return mistakes.empty(); }
};

// One YAML document of at most kMaxFileBytes. `example`: a file of this kind, for the message about an empty
// one. Never throws for bad text.
Document parse_document(std::string_view text, const std::string& example);

// The same for a file.
Document read_document(const std::string& file, const std::string& example);

}  // namespace braid::config
