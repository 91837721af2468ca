// How people see a session's id: "worker.number", the same in the log and in `braidctl sessions`.
#pragma once

#include <cstdint>
#include <string>

namespace braid::control {

// `id` has the worker in its top byte (engine::SessionInfo::id, relay::AccessRecord::id).
inline std::string print_session_id(std::uint64_t id) {
  return std::to_string(id >> 56) + "." + std::to_string(id & 0x00ff'ffff'ffff'ffffULL);
}

}  // namespace braid::control
