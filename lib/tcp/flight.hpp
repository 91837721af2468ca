// What a connection needs only while bytes are on the way: its send queue, the SACK scoreboard, loss
// detection, and what arrived out of order. An idle connection has none, which is most of what makes it
// small.
#pragma once

#include <cstdint>

#include "base/seq.hpp"
#include "base/time.hpp"
#include "tcp/congestion.hpp"
#include "tcp/delivery_rate.hpp"
#include "tcp/hystart.hpp"
#include "tcp/pacer.hpp"
#include "tcp/prr.hpp"
#include "tcp/reassembly.hpp"
#include "tcp/resumed_start.hpp"
#include "tcp/segment.hpp"
#include "tcp/sent_order.hpp"

namespace braid::tcp {

enum class Recovery : std::uint8_t { open, fast, timeout };

// What the send timer waits for.
enum class SendTimer : std::uint8_t { none, retransmit, probe, reorder, persist };

// What a reduction of the window has to be taken back to, if the loss turns out to be none.
struct Undo {
  std::uint32_t cwnd = 0;
  std::uint32_t ssthresh = 0;
  Growth growth;
  std::uint32_t stamp = 0;          // our timestamp on the first retransmission
  std::uint16_t retransmitted = 0;  // segments sent again that were not reported to have come twice
  bool possible = false;
};

struct Flight {
  explicit Flight(Space space = Space::subflow) : early(space) {}

  // Send queue in sequence order: sent and unacknowledged, then unsent.
  Segment* head = nullptr;
  Segment* tail = nullptr;
  Segment* unsent = nullptr;
  Segment* last_sent = nullptr;  // the one before `unsent`; nullptr: none is on the way
  Segment* sack_hint = nullptr;  // where the last SACK block ended; nullptr: begin at head
  Segment* lost_hint = nullptr;  // no segment before it waits for retransmission; nullptr: begin at head
  std::uint32_t sacked_bytes = 0;
  std::uint32_t lost_bytes = 0;
  std::uint32_t unsent_bytes = 0;
  std::uint32_t sent_segments = 0;  // on the way, whatever their size

  // RACK (RFC 8985) and recovery.
  SentOrder order;
  Growth growth;
  HyStart hystart;
  ResumedStart resumed;
  DeliveryRate delivery;
  Undo undo;
  Prr prr;
  Pacer pacer;
  SubSeq high_sacked;  // end of the highest SACKed segment
  SubSeq rack_end;
  SubSeq recovery_point;
  SubSeq ecn_point;  // what was sent before the last answer to a congestion echo ends here
  SubSeq probe_end;  // of the segment that the last tail loss probe repeated
  std::uint32_t rack_sent_us = 0;
  std::uint32_t rack_rtt_us = 0;  // 0: nothing was delivered yet
  Instant send_due = kNever;      // of `timer`
  Instant pace_due = kNever;      // the pacer holds back what could go
  std::uint32_t progress_ms = 0;  // last time the peer acknowledged something new
  SendTimer timer = SendTimer::none;
  Recovery recovery = Recovery::open;
  std::uint8_t duplicate_acks = 0;
  bool probing = false;  // a tail loss probe is out
  std::uint8_t reorder_quarters =
      1;                          // of the least RTT: how much reordering is waited for (RFC 8985 6.2 step 4)
  SubSeq twice_begin, twice_end;  // received twice, to be reported by D-SACK (RFC 2883); equal: nothing

  Reassembly early;  // received ahead of its turn

  // Received in order and kept back by the connection's owner: a mapping whose checksum is not complete yet.
  SegmentQueue kept;
  std::uint32_t kept_bytes = 0;
  std::uint16_t kept_sum = 0;  // folded one's-complement sum of these bytes

  // What idle connections look at; never written.
  static Flight& none() {
    static Flight idle;
    return idle;
  }
};

}  // namespace braid::tcp
