// Outgoing packets in the one form that scripts are written in: packetdrill compares options byte by byte and
// with them what RFC 9293 3.1 leaves to the sender, their order and the padding between them.
#pragma once

#include "kit/packet.hpp"

namespace braid::drill {

// The IP packet of a TCP frame: options in the kernel's order and padding, data sequence numbers of four
// bytes, no PSH (scripts/packetdrill makes the scripts the same). Without `stamps` a SYN offers no
// timestamps. Anything that is no good TCP segment stays as it is.
kit::Packet canonical(const kit::Packet& frame, bool stamps);

}  // namespace braid::drill
