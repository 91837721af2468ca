#include "relay/access_record.hpp"

namespace braid::relay {

const char* to_string(Who who) {
  switch (who) {
    case Who::client:
      return "client";
    case Who::server:
      return "server";
    case Who::proxy:
      return "proxy";
    case Who::limit:
      return "limit";
    case Who::timeout:
      return "timeout";
    case Who::admin:
      return "admin";
    case Who::internal:
      return "internal";
  }
  return "?";
}

const char* to_string(Phase phase) {
  switch (phase) {
    case Phase::handshake:
      return "handshake";
    case Phase::connect:
      return "connect";
    case Phase::data:
      return "data";
    case Phase::drain:
      return "drain";
    case Phase::done:
      return "done";
  }
  return "?";
}

const char* to_string(Kind kind) {
  switch (kind) {
    case Kind::mptcp:
      return "mptcp";
    case Kind::fallback:
      return "fallback";
    case Kind::tcp:
      return "tcp";
  }
  return "?";
}

}  // namespace braid::relay
