// The workers' tasks of the real daemon: one engine each, joined by hand-off rings.
#pragma once

#include "appliance.hpp"

namespace braid::daemon {

Tasks make_engine_tasks(const TaskContext& context);

}  // namespace braid::daemon
