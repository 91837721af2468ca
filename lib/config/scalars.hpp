// Strict readers of single values. yaml-cpp's own conversions take too much: `010` as 8, `0x10`, `1e3`,
// blanks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"

namespace braid::config {

// Decimal digits only, no sign, no leading zero; nothing on overflow.
std::optional<std::uint64_t> parse_unsigned(std::string_view text);

// A whole number with one of the units us, ms, s, m, h ("50us", "10s"); "0" needs none. Nothing above 10
// years.
std::optional<Duration> parse_duration(std::string_view text);

// A whole number of bytes, alone or with KiB, MiB, GiB. Nothing above 2^60.
std::optional<std::uint64_t> parse_size(std::string_view text);

// `true` or `false`.
std::optional<bool> parse_bool(std::string_view text);

// "1,2" or "2-5,7": the cores in the order written, at most 1024 of them, each below 1024.
std::optional<std::vector<unsigned>> parse_cores(std::string_view text);

// The shortest of the forms that the parsers above read back.
std::string print_duration(Duration value);
std::string print_size(std::uint64_t bytes);

// Operator's text in a message: quoted, shortened to 60 bytes, control characters as \xNN.
std::string quote(std::string_view text);

// The nearest of `candidates`, if it is near enough to be what was meant; else empty.
std::string nearest(std::string_view text, const std::vector<std::string>& candidates);

}  // namespace braid::config
