// Packets taken apart and put together again, for those who change what passes by.
#pragma once

#include <functional>

#include "kit/packet.hpp"
#include "wire/frame.hpp"

namespace braid::kit {

// The TCP options' bytes and the payload of a packet that parsed as `f`.
ByteView options_of(const Packet& packet, const wire::TcpFrame& f);
ByteView payload_of(const Packet& packet, const wire::TcpFrame& f);
// Its headers, to be changed and assembled again.
wire::FrameOut header_of(const Packet& packet, const wire::TcpFrame& f);
// A packet of its parts; payload length, checksums and the options' padding are made right.
Packet assemble(wire::FrameOut header, ByteView options, ByteView payload);
// The same segment with other options or payload.
Packet rewrite(const Packet& packet, ByteView options, ByteView payload);
// Calls `what` with each option but end and NOP.
void for_each_option(ByteSpan options, const std::function<void(unsigned kind, ByteSpan option)>& what);
// Options with each one of `kind` replaced by NOPs.
Packet without_option(ByteView options, unsigned kind);
// What a router does instead of dropping (RFC 3168 5): false for a packet that does not ask for it.
bool mark_congestion(Packet& packet);
// The same segment with every MPTCP option replaced by NOPs.
Packet strip_mptcp(const Packet& packet, const wire::TcpFrame& f);

}  // namespace braid::kit
