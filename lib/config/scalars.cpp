#include "config/scalars.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <utility>

namespace braid::config {

namespace {
struct Unit {
  std::string_view name;
  std::uint64_t scale;
};
constexpr std::array kTimeUnits{Unit{"us", 1'000}, Unit{"ms", 1'000'000}, Unit{"s", 1'000'000'000},
                                Unit{"m", 60'000'000'000}, Unit{"h", 3'600'000'000'000}};
constexpr std::array kSizeUnits{Unit{"KiB", 1ULL << 10}, Unit{"MiB", 1ULL << 20}, Unit{"GiB", 1ULL << 30}};
constexpr std::uint64_t kLongest = 10ULL * 365 * 24 * 3'600'000'000'000;  // fits 63 bits of nanoseconds
constexpr std::uint64_t kLargest = 1ULL << 60;
constexpr unsigned kMaxCore = 1023;

// Splits "50us" into 50 and "us".
std::optional<std::pair<std::uint64_t, std::string_view>> number_and_unit(std::string_view text) {
  const auto end = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = parse_unsigned(text.substr(0, end));
  if (!number) return {};
  return std::pair{*number, text.substr(end)};
}

template <std::size_t N>
std::optional<std::uint64_t> scaled(std::string_view text, const std::array<Unit, N>& units,
                                    std::uint64_t max) {
  const auto split = number_and_unit(text);
  if (!split) return {};
  for (const Unit& u : units)
    if (u.name == split->second) {
      if (split->first > max / u.scale) return {};
      return split->first * u.scale;
    }
  return {};
}
}  // namespace

std::optional<std::uint64_t> parse_unsigned(std::string_view text) {
  if (text.empty() || (text.size() > 1 && text.front() == '0')) return {};
  std::uint64_t v = 0;
  const auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), v);
  if (err != std::errc{} || end != text.data() + text.size()) return {};
  return v;
}

std::optional<Duration> parse_duration(std::string_view text) {
  if (text == "0") return Duration::zero();
  const auto ns = scaled(text, kTimeUnits, kLongest);
  if (!ns) return {};
  return Duration(static_cast<std::int64_t>(*ns));
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  if (const auto plain = parse_unsigned(text)) return *plain <= kLargest ? plain : std::nullopt;
  return scaled(text, kSizeUnits, kLargest);
}

std::optional<bool> parse_bool(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return {};
}

std::optional<std::vector<unsigned>> parse_cores(std::string_view text) {
  std::vector<unsigned> cores;
  while (true) {
    const auto comma = std::min(text.find(','), text.size());
    const auto part = text.substr(0, comma);
    const auto dash = std::min(part.find('-'), part.size());
    const auto first = parse_unsigned(part.substr(0, dash));
    const auto last = dash == part.size() ? first : parse_unsigned(part.substr(dash + 1));
    if (!first || !last || *last > kMaxCore || *first > *last) return {};
    for (auto c = *first; c <= *last; ++c) cores.push_back(static_cast<unsigned>(c));
    if (cores.size() > kMaxCore + 1) return {};
    if (comma == text.size()) return cores;
    text.remove_prefix(comma + 1);
  }
}

std::string print_duration(Duration value) {
  const auto ns = static_cast<std::uint64_t>(value.count());
  if (ns == 0) return "0s";
  for (auto u = kTimeUnits.rbegin(); u != kTimeUnits.rend(); ++u)
    if (ns % u->scale == 0) return std::to_string(ns / u->scale) + std::string(u->name);
  return std::to_string(ns) + "ns";
}

std::string print_size(std::uint64_t bytes) {
  for (auto u = kSizeUnits.rbegin(); u != kSizeUnits.rend(); ++u)
    if (bytes != 0 && bytes % u->scale == 0) return std::to_string(bytes / u->scale) + std::string(u->name);
  return std::to_string(bytes);
}

std::string quote(std::string_view text) {
  constexpr std::size_t kMax = 60;
  std::string out = "\"";
  for (const char c : text.substr(0, kMax)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      char buf[8];
      std::snprintf(buf, sizeof buf, "\\x%02x", byte);
      out += buf;
    } else {
      out += c;
    }
  }
  out += text.size() > kMax ? "…\"" : "\"";
  return out;
}

std::string nearest(std::string_view text, const std::vector<std::string>& candidates) {
  constexpr std::size_t kMax = 40;
  if (text.size() > kMax) return {};
  std::string best;
  std::size_t best_distance = 1 + std::max<std::size_t>(1, text.size() / 3);
  for (const auto& c : candidates) {
    // Levenshtein's distance by rows.
    std::vector<std::size_t> row(c.size() + 1);
    for (std::size_t j = 0; j <= c.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= text.size(); ++i) {
      std::size_t diagonal = std::exchange(row[0], i);
      for (std::size_t j = 1; j <= c.size(); ++j) {
        const auto changed = diagonal + (text[i - 1] == c[j - 1] ? 0 : 1);
        diagonal = row[j];
        row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
      }
    }
    if (row.back() < best_distance) {
      best_distance = row.back();
      best = c;
    }
  }
  return best;
}

}  // namespace braid::config
