// What a connection needs only while bytes are on the way: its send queue, the SACK scoreboard, loss
// detection, and what arrived out of order. An idle connection has none, which is most of what makes it
// small.
#pragma once

#include <cstdint>

#include "base/seq.hpp"
#include "tcp/reassembly.hpp"
#include "tcp/segment.hpp"

namespace braid::tcp {

enum class Recovery : std::uint8_t { open, fast, timeout };

struct Flight {
  explicit Flight(Space space = Space::subflow) : early(space) {}

  // Send queue in sequence order: sent and unacknowledged, then unsent.
  Segment* head = nullptr;
  Segment* tail = nullptr;
  Segment* unsent = nullptr;
  Segment* lost_hint = nullptr;  // no segment before it waits for retransmission; nullptr: begin at head
  std::uint32_t sacked_bytes = 0;
  std::uint32_t lost_bytes = 0;
  std::uint32_t unsent_bytes = 0;

  // RACK (RFC 8985) and recovery.
  SubSeq high_sacked;  // end of the highest SACKed segment
  SubSeq rack_end;
  SubSeq recovery_point;
  std::uint32_t rack_sent_us = 0;
  std::uint32_t rack_rtt_us = 0;  // 0: nothing was delivered yet
  Recovery recovery = Recovery::open;
  std::uint8_t duplicate_acks = 0;
  bool probing = false;  // a tail loss probe is out

  Reassembly early;  // received ahead of its turn

  // What idle connections look at; never written.
  static Flight& none() {
    static Flight idle;
    return idle;
  }
};

}  // namespace braid::tcp
