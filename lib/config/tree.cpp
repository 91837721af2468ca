#include "config/tree.hpp"

#include <algorithm>
#include <cctype>
#include <tuple>

#include "base/address.hpp"

namespace braid::config {

namespace {

const char* kind_of(const YAML::Node& node) {
  if (node.IsMap()) return "a mapping";
  if (node.IsSequence()) return "a list";
  if (node.IsScalar()) return "a single value";
  return "empty";
}

// A plain (unquoted) scalar has the tag "?", a quoted one "!".
bool is_quoted(const YAML::Node& node) { return node.Tag() == "!"; }

bool is_scalar(Walk& walk, const Item& item, const std::string& right) {
  if (!item.present) return false;
  if (item.node.IsScalar()) return true;
  walk.mistake(item, std::string("is ") + kind_of(item.node) + "; must be " + right);
  return false;
}

}  // namespace

std::pair<unsigned, unsigned> line_and_column(const YAML::Mark& mark) {
  if (mark.is_null()) return {0, 0};
  return {static_cast<unsigned>(mark.line + 1), static_cast<unsigned>(mark.column + 1)};
}

Mistake Places::mistake(const std::string& path, std::string text) const {
  Mistake m{0, 0, path, std::move(text)};
  for (std::string p = path; !p.empty();) {
    if (const auto found = at_.find(p); found != at_.end()) {
      std::tie(m.line, m.column) = found->second;
      break;
    }
    const auto cut = p.find_last_of(".[");
    p.resize(cut == std::string::npos ? 0 : cut);
  }
  return m;
}

void Walk::mistake(const YAML::Mark& mark, const std::string& path, std::string text) {
  const auto [line, column] = line_and_column(mark);
  mistakes_.push_back({line, column, path, std::move(text)});
}

void Walk::mistake_at(const std::string& path, std::string text) {
  mistakes_.push_back(places_.mistake(path, std::move(text)));
}

void Walk::place(const Item& item) {
  const auto [line, column] = line_and_column(item.mark);
  if (line != 0) places_.add(item.path, line, column);
}

void Walk::asked(const std::string& path) {
  if (!record_) return;
  std::string generic;
  for (const char c : path)
    if (std::isdigit(static_cast<unsigned char>(c)) == 0 || generic.empty() || generic.back() != '[')
      generic += c;
  keys_.insert(generic);
}

std::vector<Mistake> Walk::take_mistakes() {
  std::stable_sort(mistakes_.begin(), mistakes_.end(), [](const Mistake& a, const Mistake& b) {
    return std::pair(a.line, a.column) < std::pair(b.line, b.column);
  });
  return std::move(mistakes_);
}

Map::Map(Walk& walk, const Item& item) : walk_(walk), item_(item) {
  if (!item.present) return;
  if (!item.node.IsMap()) {
    walk.mistake(item, std::string("is ") + kind_of(item.node) + "; must be a mapping (key: value)");
    return;
  }
  usable_ = true;
  for (const auto& pair : item.node) {
    const auto mark = pair.first.Mark();
    if (!pair.first.IsScalar()) {
      walk.mistake(mark, item.path, std::string("key is ") + kind_of(pair.first) + "; must be a word");
      continue;
    }
    const std::string& key = pair.first.Scalar();
    const std::string path = item.path.empty() ? key : item.path + "." + key;
    // A value's own mark is missing for some empty values: the key's stands in.
    const auto value_mark = pair.second.IsNull() || pair.second.Mark().is_null() ? mark : pair.second.Mark();
    const auto [at, fresh] = entries_.try_emplace(key, Item{pair.second, value_mark, path, true});
    if (!fresh) {
      walk.mistake(mark, path,
                   "key is given twice (first in line " + std::to_string(at->second.mark.line + 1) +
                       "); keep one of them");
      continue;
    }
    order_.emplace_back(key, mark);
  }
}

Map::~Map() {
  for (const auto& [key, mark] : order_) {
    if (std::find(asked_.begin(), asked_.end(), key) != asked_.end()) continue;
    const auto hint = nearest(key, asked_);
    std::string right;
    if (!hint.empty()) {
      right = "did you mean \"" + hint + "\"?";
    } else {
      right = "known here: ";
      for (std::size_t i = 0; i < asked_.size(); ++i) right += (i == 0 ? "" : ", ") + asked_[i];
    }
    const auto shown = quote(key);
    const auto bare = shown.substr(1, shown.size() - 2);
    walk_.mistake(mark, item_.path.empty() ? bare : item_.path + "." + bare, "unknown key; " + right);
  }
}

Item Map::get(const std::string& key) {
  asked_.push_back(key);
  const std::string path = item_.path.empty() ? key : item_.path + "." + key;
  walk_.asked(path);
  const auto found = entries_.find(key);
  if (found == entries_.end()) return Item{{}, item_.mark, path, false};
  Item item = found->second;
  walk_.place(item);
  if (item.node.IsNull()) {
    walk_.mistake(item, "has no value; give one or remove the key");
    item.present = false;
  }
  return item;
}

Item Map::need(const std::string& key, const std::string& example) {
  const bool there = entries_.count(key) != 0;
  Item item = get(key);
  if (!there && usable_) walk_.mistake(item_.mark, item.path, "is missing; add e.g. `" + example + "`");
  return item;
}

std::vector<std::pair<std::string, Item>> Map::rest() {
  std::vector<std::pair<std::string, Item>> out;
  for (const auto& [key, mark] : order_) {
    if (std::find(asked_.begin(), asked_.end(), key) == asked_.end()) out.emplace_back(key, get(key));
  }
  return out;
}

bool read(Walk& walk, const Item& item, unsigned& out, std::uint64_t min, std::uint64_t max) {
  const auto range = min == max ? std::to_string(min)
                                : "a whole number from " + std::to_string(min) + " to " + std::to_string(max);
  if (!is_scalar(walk, item, range)) return false;
  const auto& text = item.node.Scalar();
  const auto value = parse_unsigned(text);
  if (!value || is_quoted(item.node)) {
    std::string note;
    if (value)
      note = ", without quotes";
    else if (text.size() > 1 && text.front() == '0' &&
             parse_unsigned(text.substr(std::min(text.find_first_not_of('0'), text.size() - 1))))
      note = ", without leading zeros";
    walk.mistake(item, quote(text) + " is not a number; must be " + range + note);
    return false;
  }
  if (*value < min || *value > max) {
    walk.mistake(item, text + " is out of range; must be " + range);
    return false;
  }
  out = static_cast<unsigned>(*value);
  return true;
}

bool read_bool(Walk& walk, const Item& item, bool& out) {
  if (!is_scalar(walk, item, "true or false")) return false;
  const auto value = parse_bool(item.node.Scalar());
  if (!value || is_quoted(item.node)) {
    walk.mistake(item, quote(item.node.Scalar()) + " is neither true nor false; write true or false" +
                           (value ? " without quotes" : ""));
    return false;
  }
  out = *value;
  return true;
}

bool read_text(Walk& walk, const Item& item, std::string& out) {
  if (!is_scalar(walk, item, "a text")) return false;
  if (item.node.Scalar().empty()) {
    walk.mistake(item, "is empty; give a text or remove the key");
    return false;
  }
  out = item.node.Scalar();
  return true;
}

bool read_duration(Walk& walk, const Item& item, Duration& out, Duration min, Duration max, bool or_zero) {
  const auto range =
      "from " + print_duration(min) + " to " + print_duration(max) + (or_zero ? ", or 0s" : "");
  const auto right = "a number with us, ms, s, m or h, " + range;
  if (!is_scalar(walk, item, right)) return false;
  const auto value = parse_duration(item.node.Scalar());
  if (!value) {
    walk.mistake(item, quote(item.node.Scalar()) + " is not a duration; must be " + right);
    return false;
  }
  if ((*value < min || *value > max) && !(or_zero && *value == Duration::zero())) {
    walk.mistake(item, item.node.Scalar() + " is out of range; must be " + range);
    return false;
  }
  out = *value;
  return true;
}

bool read_size(Walk& walk, const Item& item, std::uint64_t& out, std::uint64_t min, std::uint64_t max) {
  const auto range = "from " + print_size(min) + " to " + print_size(max);
  if (!is_scalar(walk, item, "a size " + range)) return false;
  const auto value = parse_size(item.node.Scalar());
  if (!value) {
    walk.mistake(item, quote(item.node.Scalar()) +
                           " is not a size; must be a number of bytes or one with KiB, MiB or GiB, " + range);
    return false;
  }
  if (*value < min || *value > max) {
    walk.mistake(item, item.node.Scalar() + " is out of range; must be " + range);
    return false;
  }
  out = *value;
  return true;
}

namespace {
// "::ffff:192.0.2.1" would read as an IPv4 address, which is not what the file says.
bool is_mapped(const std::string& text, const Ip& ip) {
  return ip.is_v4() && text.find("::") != std::string::npos;
}
constexpr const char* kMapped = " is an IPv4-mapped IPv6 address; write the IPv4 address itself";
}  // namespace

bool read_ip(Walk& walk, const Item& item, Ip& out) {
  if (!is_scalar(walk, item, "an address (198.18.0.1 or 2001:db8::1)")) return false;
  const auto& text = item.node.Scalar();
  const auto ip = parse_ip(text);
  if (!ip) {
    const bool more = parse_prefix(text) || parse_endpoint(text);
    walk.mistake(item,
                 quote(text) + " is not an address; must be " +
                     (more ? "the address alone, without length or port" : "e.g. 198.18.0.1 or 2001:db8::1"));
    return false;
  }
  if (is_mapped(text, *ip)) {
    walk.mistake(item, quote(text) + kMapped);
    return false;
  }
  if (!ip->is_unicast()) {
    walk.mistake(item,
                 text + " is no host's address (group, broadcast or unspecified); must be a unicast address");
    return false;
  }
  out = *ip;
  return true;
}

bool read_prefix(Walk& walk, const Item& item, Prefix& out) {
  if (!is_scalar(walk, item, "an address with its prefix length (198.18.0.1/24)")) return false;
  const auto& text = item.node.Scalar();
  const auto prefix = parse_prefix(text);
  if (!prefix) {
    const auto bare = parse_ip(text);
    walk.mistake(
        item,
        quote(text) + (bare ? " has no prefix length; write e.g. " + text + (bare->is_v4() ? "/24" : "/64")
                            : " is not an address with a prefix length; must be e.g. 198.18.0.1/24 or "
                              "2001:db8::1/64"));
    return false;
  }
  if (is_mapped(text, prefix->ip)) {
    walk.mistake(item, quote(text) + kMapped);
    return false;
  }
  if (!prefix->ip.is_unicast() || prefix->length == 0) {
    walk.mistake(item, text + " is no host's address; must be a unicast address with its subnet's length");
    return false;
  }
  if (prefix->is_no_host(prefix->ip)) {
    walk.mistake(item, text + " is the subnet's " + ((prefix->ip.v4() & 1U) == 0 ? "network" : "broadcast") +
                           " address; must be one host's address in it");
    return false;
  }
  out = *prefix;
  return true;
}

bool read_endpoint(Walk& walk, const Item& item, Endpoint& out, bool wildcard) {
  if (!is_scalar(walk, item, "an address and port (198.18.0.1:80 or \"[2001:db8::1]:80\")")) return false;
  const auto& text = item.node.Scalar();
  const auto endpoint = parse_endpoint(text);
  if (!endpoint) {
    std::string right = " is not an address and port; must be e.g. 198.18.0.1:80 or \"[2001:db8::1]:80\"";
    if (const auto bare = parse_ip(text))
      right = bare->is_v4() ? " has no port; write e.g. " + text + ":80"
                            : " has no port, or no brackets; write e.g. \"[" + text + "]:80\"";
    walk.mistake(item, quote(text) + right);
    return false;
  }
  if (is_mapped(text, endpoint->ip)) {
    walk.mistake(item, quote(text) + kMapped);
    return false;
  }
  const bool any = endpoint->ip == Ip{} || endpoint->ip == Ip::v4(0);
  if (!endpoint->ip.is_unicast() && !(wildcard && any)) {
    walk.mistake(item, text + " names no single host; must be one unicast address and a port");
    return false;
  }
  if (endpoint->port == 0) {
    walk.mistake(item, text + " has port 0; must be a port from 1 to 65535");
    return false;
  }
  out = *endpoint;
  return true;
}

bool read_word(Walk& walk, const Item& item, std::string& out, const std::vector<std::string>& words) {
  std::string all;
  for (std::size_t i = 0; i < words.size(); ++i)
    all += (i == 0 ? "" : i + 1 == words.size() ? " or " : ", ") + words[i];
  if (!is_scalar(walk, item, all)) return false;
  const auto& text = item.node.Scalar();
  if (std::find(words.begin(), words.end(), text) != words.end()) {
    out = text;
    return true;
  }
  const auto hint = nearest(text, words);
  walk.mistake(item, quote(text) + " is not known here; must be " + all +
                         (hint.empty() || words.size() == 1 ? "" : " (did you mean " + hint + "?)"));
  return false;
}

std::vector<Item> elements(Walk& walk, const Item& item, std::size_t max, bool single) {
  std::vector<Item> out;
  if (!item.present) {
    if (walk.recording()) out.push_back(Item{{}, item.mark, item.path + "[0]", false});
    return out;
  }
  if (!item.node.IsSequence()) {
    if (single) {
      out.push_back(item);
    } else {
      walk.mistake(item, std::string("is ") + kind_of(item.node) + "; must be a list");
    }
    return out;
  }
  for (const auto& node : item.node) {
    const auto path = item.path + "[" + std::to_string(out.size()) + "]";
    const auto mark = node.Mark().is_null() ? item.mark : node.Mark();
    Item element{node, mark, path, true};
    if (out.size() == max) {
      walk.mistake(element, "list has " + std::to_string(item.node.size()) + " entries; at most " +
                                std::to_string(max) + " are allowed");
      break;
    }
    walk.place(element);
    if (node.IsNull()) {
      walk.mistake(element, "is empty; give a value or remove the entry");
      element.present = false;
    }
    out.push_back(std::move(element));
  }
  return out;
}

}  // namespace braid::config
