#include "config/load.hpp"

#include "config/document.hpp"
#include "config/sections.hpp"

namespace braid::config {

namespace {

constexpr const char* kExample = "config/minimal.yaml";

Loaded load(const Document& document, const std::string& name) {
  Loaded loaded;
  loaded.config.file = name;
  loaded.mistakes = document.mistakes;
  if (!document.ok()) return loaded;
  Walk walk;
  read_root(walk, document.root, loaded.config);
  check_across(walk, loaded.config);
  loaded.mistakes = walk.take_mistakes();
  loaded.places = walk.places();
  return loaded;
}

}  // namespace

Loaded load_text(std::string_view yaml, const std::string& name) {
  return load(parse_document(yaml, kExample), name);
}

Loaded load_file(const std::string& file) { return load(read_document(file, kExample), file); }

std::string to_string(const Mistake& m, const std::string& file) {
  std::string out = file + ":";
  if (m.line != 0) out += std::to_string(m.line) + ":" + std::to_string(m.column) + ":";
  out += " ";
  if (!m.path.empty()) out += m.path + ": ";
  return out + m.text;
}

std::vector<std::string> known_keys() {
  Walk walk(true);
  Config config;
  read_root(walk, Item{}, config);
  return {walk.keys().begin(), walk.keys().end()};
}

}  // namespace braid::config
