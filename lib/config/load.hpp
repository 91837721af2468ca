// From YAML to Config. Every mistake is found in one go.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"

namespace braid::config {

inline constexpr std::size_t kMaxFileBytes = 1 << 20;  // a larger file is refused unread

struct Mistake {
  unsigned line = 0;  // 1-based; 0: the file as a whole
  unsigned column = 0;
  std::string path;  // "listeners[0].bind"; empty: the file as a whole
  std::string text;  // "what is wrong; what would be right"
};

// Where the values of a file stand.
class Places {
 public:
  void add(const std::string& path, unsigned line, unsigned column) { at_.try_emplace(path, line, column); }
  // Whether the file itself gives `path`.
  [[nodiscard]] bool has(const std::string& path) const { return at_.contains(path); }
  // A mistake at `path`; where that has no place of its own, its parent's is taken.
  [[nodiscard]] Mistake mistake(const std::string& path, std::string text) const;

 private:
  std::map<std::string, std::pair<unsigned, unsigned>> at_;  // line and column by path
};

struct Loaded {
  Config config;                  // of use only when there are no mistakes
  std::vector<Mistake> mistakes;  // in the order of the file
  Places places;                  // for mistakes that only show beside something else than the file
  [[nodiscard]] bool ok() const { return mistakes.empty(); }
};

// Reads and checks `file`. Neither needs nor touches any device. Never throws for a bad file.
Loaded load_file(const std::string& file);

// The same for text in memory; `name` stands for the file in messages.
Loaded load_text(std::string_view yaml, const std::string& name);

// "file:line:column: path: text", one line without its end.
std::string to_string(const Mistake& mistake, const std::string& file);

// Every key the loader knows, as a dotted path with [] for list elements, sorted ("ports[].mtu").
std::vector<std::string> known_keys();

}  // namespace braid::config
