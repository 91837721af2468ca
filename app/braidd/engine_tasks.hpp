// The workers' tasks of the real daemon: one engine each, joined by hand-off rings.
#pragma once

#include "appliance.hpp"
#include "relay/settings.hpp"

namespace braid::daemon {

// What the engines' relay is told by the configuration.
relay::Settings relay_settings(const config::Config& config);

Tasks make_engine_tasks(const TaskContext& context);

}  // namespace braid::daemon
