// The answers of the operator's socket as JSON values. Their keys are a contract: keys may be added, none
// changes its meaning.
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

#include "control/sources.hpp"

namespace braid::control {

inline constexpr int kApiVersion = 1;

// `uptime` of the process.
nlohmann::json info_json(const Sources& sources, std::chrono::seconds uptime);

// A list of {group, name, text, value, workers: [value per worker]}.
nlohmann::json stats_json(const Sources& sources);

// A list of {name, text, value, workers}, in the order of the drop table.
nlohmann::json drops_json(const Sources& sources);

nlohmann::json session_json(const engine::SessionInfo& session, const config::Config* config);

// One line without its end; bytes that are no UTF-8 are replaced.
std::string print_json(const nlohmann::json& value);

}  // namespace braid::control
