// The reset that answers a segment which no connection takes (RFC 9293 3.10.7.1).
#pragma once

#include "wire/frame.hpp"

namespace braid::wire {

// Without link addresses. `f` is no RST: those are never answered.
inline FrameOut reset_for(const TcpFrame& f) {
  FrameOut out;
  out.flow = f.flow;
  out.flags = kRst;
  if (f.has(kAck)) {
    out.seq = f.ack;
  } else {
    out.flags = kRst | kAck;
    out.ack = f.seq + f.seq_length();
  }
  return out;
}

}  // namespace braid::wire
