// Answers as text for people. Pure functions from JSON to text; a key that is missing shows as "-", so a
// newer or older daemon is no error.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace braidctl {

// "0 B", "1.5 KiB", "12.0 GiB".
std::string print_bytes(std::uint64_t bytes);
// Microseconds as "820us", "12.3ms", "1.20s".
std::string print_micros(std::uint64_t us);
// Milliseconds as an age: "250ms", "12.3s", "5m02s", "3h04m", "2d03h".
std::string print_age(std::uint64_t ms);

std::string format_info(const nlohmann::json& info);

// One line for the session, one per subflow, one for the server leg.
std::string format_session(const nlohmann::json& session);
std::string sessions_header();

// Counters with their meaning, grouped; zeros only with `all`.
std::string format_stats(const nlohmann::json& stats, bool all);
std::string format_drops(const nlohmann::json& drops, bool all);

}  // namespace braidctl
