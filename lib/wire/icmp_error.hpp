// What ICMP says about a segment: it was larger than the path takes (RFC 1191, RFC 8201), or nobody is there
// (RFC 792, RFC 4443 3.1).
#pragma once

#include <cstdint>
#include <optional>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/seq.hpp"

namespace braid::wire {

struct IcmpError {
  enum class Kind : std::uint8_t { too_big, unreachable };
  Kind kind = Kind::too_big;
  Flow flow;   // of the segment; local: the end that sent it
  SubSeq seq;  // of the segment
  std::uint16_t mtu =
      0;  // too_big: bytes of IP packet that would pass; 0: not said (RFC 1191 3, old routers)
};

// What a whole frame says, with its checksums verified; nothing when it is anything else or malformed.
std::optional<IcmpError> parse_icmp_error(ByteView frame);

}  // namespace braid::wire
