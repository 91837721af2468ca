// ICMP's word that a segment was larger than the path takes (RFC 1191, RFC 8201).
#pragma once

#include <cstdint>
#include <optional>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/seq.hpp"

namespace braid::wire {

struct TooBig {
  Flow flow;              // of the segment; local: the end that sent it
  SubSeq seq;             // of the segment
  std::uint16_t mtu = 0;  // bytes of IP packet that would pass; 0: not said (RFC 1191 3, old routers)
};

// What a whole frame says, with its checksums verified; nothing when it is anything else or malformed.
std::optional<TooBig> parse_too_big(ByteView frame);

}  // namespace braid::wire
