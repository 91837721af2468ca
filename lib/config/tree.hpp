// A walk over the YAML tree that collects mistakes instead of stopping at one.
#pragma once

#include <yaml-cpp/yaml.h>

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/load.hpp"
#include "config/scalars.hpp"

namespace braid::config {

// As people count: from 1; 0 where there is none.
std::pair<unsigned, unsigned> line_and_column(const YAML::Mark& mark);

// One place in the tree: a node and how to name it to a person.
struct Item {
  YAML::Node node;
  YAML::Mark mark;
  std::string path;
  bool present = false;
};

// Shared by one walk: the mistakes found, the place of every value read, and every key asked for.
class Walk {
 public:
  // With `record_keys` absent maps and lists are visited as if they held one empty element, so that every
  // key is asked for.
  explicit Walk(bool record_keys = false) : record_(record_keys) {}

  void mistake(const YAML::Mark& mark, const std::string& path, std::string text);
  void mistake(const Item& item, std::string text) { mistake(item.mark, item.path, std::move(text)); }
  // For checks across values: `path` as read; where that has no place of its own, its parent's is taken.
  void mistake_at(const std::string& path, std::string text);

  void place(const Item& item);
  [[nodiscard]] const Places& places() const { return places_; }
  void asked(const std::string& path);
  [[nodiscard]] bool recording() const { return record_; }
  [[nodiscard]] const std::set<std::string>& keys() const { return keys_; }
  std::vector<Mistake> take_mistakes();  // sorted by place

 private:
  bool record_;
  std::vector<Mistake> mistakes_;
  Places places_;
  std::set<std::string> keys_;
};

// A mapping whose keys are asked for one by one; the destructor reports the keys nobody asked for.
class Map {
 public:
  Map(Walk& walk, const Item& item);
  ~Map();
  Map(const Map&) = delete;
  Map& operator=(const Map&) = delete;

  // The value of `key`; `present` is false when the file has none, or an empty one (reported).
  Item get(const std::string& key);
  // The same, and a mistake when the file has none. `example`: what would be right.
  Item need(const std::string& key, const std::string& example);
  // All values that were not asked for yet, with their keys: for mappings whose keys are free.
  std::vector<std::pair<std::string, Item>> rest();
  [[nodiscard]] const Item& item() const { return item_; }
  [[nodiscard]] bool usable() const { return usable_; }

 private:
  Walk& walk_;
  Item item_;
  bool usable_ = false;
  std::map<std::string, Item> entries_;
  std::vector<std::pair<std::string, YAML::Mark>> order_;
  std::vector<std::string> asked_;
};

// Readers of one value. Each leaves `out` alone and returns false when the item is absent or wrong
// (reported).
bool read(Walk& walk, const Item& item, unsigned& out, std::uint64_t min, std::uint64_t max);
bool read_bool(Walk& walk, const Item& item, bool& out);
bool read_text(Walk& walk, const Item& item, std::string& out);
// `or_zero`: zero is taken besides min..max.
bool read_duration(Walk& walk, const Item& item, Duration& out, Duration min, Duration max, bool or_zero);
bool read_size(Walk& walk, const Item& item, std::uint64_t& out, std::uint64_t min, std::uint64_t max);
bool read_ip(Walk& walk, const Item& item, Ip& out);
bool read_prefix(Walk& walk, const Item& item, Prefix& out);
// `wildcard`: 0.0.0.0 and [::] are taken too.
bool read_endpoint(Walk& walk, const Item& item, Endpoint& out, bool wildcard = false);

// Any of a closed set of words; `word_of` prints a value as the file writes it.
bool read_word(Walk& walk, const Item& item, std::string& out, const std::vector<std::string>& words);

template <class E>
bool read_choice(Walk& walk, const Item& item, E& out, std::initializer_list<E> values) {
  std::vector<std::string> words;
  for (const E v : values) words.emplace_back(to_string(v));
  std::string word;
  if (!read_word(walk, item, word, words)) return false;
  for (const E v : values)
    if (word == to_string(v)) out = v;
  return true;
}

// The elements of a sequence, at most `max` (more are reported). `single`: one value stands for a list of
// one.
std::vector<Item> elements(Walk& walk, const Item& item, std::size_t max, bool single);

}  // namespace braid::config
