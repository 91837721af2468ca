#include "config/survey.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>
#include <sstream>
#include <string>

#include "config/tree.hpp"

namespace braid::config {

namespace {

struct Character {
  std::size_t bytes = 0;  // 0: no UTF-8
  std::uint32_t code = 0;
};

// The character at the start of `text`, which is not empty (RFC 3629 4).
Character first_character(std::string_view text) {
  const auto byte = [text](std::size_t i) -> std::uint32_t { return static_cast<unsigned char>(text[i]); };
  if (byte(0) < 0x80) return {1, byte(0)};
  constexpr std::uint32_t kLeast[] = {0x80, 0x800, 0x10000};  // a longer form of less is none
  const std::size_t more = byte(0) >= 0xf0 ? 3 : byte(0) >= 0xe0 ? 2 : 1;
  if (byte(0) < 0xc0 || byte(0) >= 0xf8 || text.size() <= more) return {};
  std::uint32_t code = byte(0) & (0x3fU >> more);
  for (std::size_t i = 1; i <= more; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3f);
  }
  if (code < kLeast[more - 1] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return {};
  return {more + 1, code};
}

bool is_control(std::uint32_t code) {
  const bool wanted = code == '\n' || code == '\r' || code == '\t';
  return (code < 0x20 && !wanted) || (code >= 0x7f && code < 0xa0);
}

// Control characters break YAML readers and terminals alike: yaml-cpp takes the byte 4 for the end of the
// file. It would also guess at UTF-16 and UTF-32.
std::optional<Mistake> find_bad_byte(std::string_view text) {
  Mistake at{1, 1, {}, {}};
  while (!text.empty()) {
    const Character c = first_character(text);
    if (c.bytes == 0 || is_control(c.code)) {
      char shown[8];
      const auto byte = static_cast<unsigned char>(text[std::max<std::size_t>(c.bytes, 1) - 1]);
      std::snprintf(shown, sizeof shown, "\\x%02x", byte);
      at.text = std::string("byte \"") + shown +
                (c.bytes == 0 ? "\" is no UTF-8" : "\" is a control character") +
                "; must be plain UTF-8 text";
      return at;
    }
    at.column += static_cast<unsigned>(c.bytes);
    if (c.code == '\n') {
      ++at.line;
      at.column = 1;
    }
    text.remove_prefix(c.bytes);
  }
  return {};
}

struct Refused {
  Mistake mistake;
};

// Follows the parser without building anything, and stops it where a tree would not end. yaml-cpp's LoadAll
// makes empty documents for ever of a token that can begin none, as "," outside of brackets.
class Census final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override {
    if (!start_) {
      start_ = mark;
    } else if (start_->pos == mark.pos) {
      refuse(mark, "is no YAML: no value can begin here; correct the syntax, then the values are checked");
    } else {
      refuse(mark,
             "is a second YAML document; must be one document (remove the line ---, or what stands behind "
             "the end of the first)");
    }
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { leaf(mark, anchor); }
  void OnScalar(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t anchor,
                const std::string& /*value*/) override {
    leaf(mark, anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = sizes_.find(anchor);
    if (found == sizes_.end())
      refuse(mark, "is an alias inside of what it stands for; write the value itself");
    add(mark, found->second);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    open(mark, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    open(mark, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    YAML::anchor_t anchor;  // 0: none
    std::size_t before;     // values before it
  };

  [[noreturn]] static void refuse(const YAML::Mark& mark, std::string text) {
    const auto [line, column] = line_and_column(mark);
    throw Refused{{line, column, {}, std::move(text)}};
  }
  void add(const YAML::Mark& mark, std::size_t values) {
    values_ += values;
    if (values_ > kMaxValues)
      refuse(mark,
             "goes beyond " + std::to_string(kMaxValues) +
                 " values, an alias counted as all that it stands for; a configuration has a few hundred");
  }
  void open(const YAML::Mark& mark, YAML::anchor_t anchor) {
    open_.push_back({anchor, values_});
    add(mark, 1);
  }
  void close() {
    if (open_.back().anchor != 0) sizes_[open_.back().anchor] = values_ - open_.back().before;
    open_.pop_back();
  }
  void leaf(const YAML::Mark& mark, YAML::anchor_t anchor) {
    open(mark, anchor);
    close();
  }

  std::optional<YAML::Mark> start_;
  std::size_t values_ = 0;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, std::size_t> sizes_;  // of what is complete
};

}  // namespace

bool survey(std::string_view text, std::vector<Mistake>& mistakes) {
  if (auto bad = find_bad_byte(text)) {
    mistakes.push_back(std::move(*bad));
    return false;
  }
  try {
    std::istringstream in{std::string(text)};
    YAML::Parser parser(in);
    Census census;
    while (parser.HandleNextDocument(census)) {
    }
    return true;
  } catch (Refused& refused) {
    mistakes.push_back(std::move(refused.mistake));
    return false;
  }
}

}  // namespace braid::config
