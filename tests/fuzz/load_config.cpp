// libFuzzer target: any bytes as a configuration file. Each mistake says something and names a place inside
// the file, or the file as a whole.
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "config/load.hpp"

namespace {

// Whether the text has that line and column; the place right behind the end counts.
bool is_inside(std::string_view text, unsigned line, unsigned column) {
  if (line == 0) return true;
  for (; line > 1; --line) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) return false;
    text.remove_prefix(end + 1);
  }
  return column >= 1 && column - 1 <= text.substr(0, text.find('\n')).size();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace braid;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto& mistake : config::load_text(text, "fuzz.yaml").mistakes) {
    if (!mistake.text.empty() && is_inside(text, mistake.line, mistake.column)) continue;
    std::fprintf(stderr, "%s\n", config::to_string(mistake, "fuzz.yaml").c_str());
    std::abort();
  }
  return 0;
}
