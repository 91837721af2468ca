// What is left of a client connection when it has ended: one fixed-size record, pushed by the worker and
// written as one log line by the control core.
#pragma once

#include <cstdint>

#include "base/address.hpp"

namespace braid::relay {

// Cause = who ended it + in which phase (HAProxy's two letters, as words).
enum class Who : std::uint8_t { client, server, proxy, limit, timeout, admin, internal };
enum class Phase : std::uint8_t { handshake, connect, data, drain, done };
enum class Kind : std::uint8_t { mptcp, fallback, tcp };

const char* to_string(Who);
const char* to_string(Phase);
const char* to_string(Kind);

struct AccessRecord {
  std::uint64_t id = 0;
  std::int64_t ended_ns = 0;  // engine time
  std::int64_t duration_ns = 0;
  std::int64_t connect_ns = 0;  // upstream connect time; -1: never connected
  Endpoint client;
  Endpoint bind;
  Endpoint server;
  std::uint64_t bytes_up = 0;
  std::uint64_t bytes_down = 0;
  std::uint64_t bytes_joined = 0;   // of both directions, on joined subflows
  std::uint32_t retransmitted = 0;  // segments, all legs
  std::uint32_t reinjected = 0;
  std::uint16_t listener = 0;
  std::uint8_t subflows_max = 0;
  Kind kind = Kind::tcp;
  Who who = Who::client;
  Phase phase = Phase::done;
};

}  // namespace braid::relay
