// Pictures of sessions for the control core. A worker copies a bounded batch per turn on request, so a
// listing of any size never stalls it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>

#include "base/address.hpp"
#include "base/limits.hpp"

namespace braid::engine {

enum class Mode : std::uint8_t { mptcp, fallback, tcp };  // fallback: asked for MPTCP, served without

struct SubflowInfo {
  Flow flow;               // local: Braid's end
  const char* state = "";  // TCP state in the RFC's words, e.g. "ESTABLISHED"
  bool backup = false;
  bool stale = false;
  std::uint8_t local_id = 0;
  std::uint8_t remote_id = 0;
  std::uint16_t mss = 0;  // payload bytes a segment can carry
  std::uint32_t srtt_us = 0;
  std::uint32_t rttvar_us = 0;
  std::uint32_t rto_us = 0;
  std::uint32_t cwnd_bytes = 0;
  std::uint32_t in_flight_bytes = 0;
  std::uint64_t bytes_sent = 0;  // payload, retransmissions excluded
  std::uint64_t bytes_received = 0;
  std::uint32_t retransmitted_segments = 0;
  std::uint32_t reinjected_segments = 0;  // sent here after having been sent elsewhere
};

struct SessionInfo {
  std::uint64_t id = 0;        // unique in the process: worker in the top byte
  std::uint16_t listener = 0;  // index into the config's listeners
  std::uint16_t upstream_server = 0;
  Mode mode = Mode::tcp;
  std::uint8_t subflow_count = 0;
  std::uint32_t token = 0;  // 0 in mode tcp
  const char* state = "";   // of the client stream
  Endpoint client;          // peer of the first subflow
  Endpoint bind;            // address the client connected to
  SubflowInfo server;       // the server leg
  std::uint64_t age_ms = 0;
  std::uint64_t idle_ms = 0;
  std::uint64_t bytes_up = 0;  // client to server
  std::uint64_t bytes_down = 0;
  std::uint64_t buffered_up = 0;  // payload bytes held
  std::uint64_t buffered_down = 0;
  std::array<SubflowInfo, limits::kMaxSubflows> subflows;
};

// One request. The asker owns it, leaves it alone until `done`, and then reads `filled` entries of `out`.
struct ListRequest {
  std::uint32_t cursor = 0;  // 0 to begin; then the last answer's `next`
  std::span<SessionInfo> out;
  std::uint32_t filled = 0;
  std::uint32_t next = 0;  // 0: the listing is complete
  std::atomic<bool> done{false};
};

}  // namespace braid::engine
