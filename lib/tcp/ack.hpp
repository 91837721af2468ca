// What one acknowledgement has said.
#pragma once

#include "tcp/connection.hpp"

namespace braid::tcp {

struct Connection::Ack {
  std::uint32_t flight_before = 0;
  std::uint32_t delivered = 0;    // bytes newly acknowledged or SACKed
  std::uint32_t newly_acked = 0;  // by the cumulative number alone
  std::uint32_t rtt_us = 0;       // of the latest transmission among them; 0: none usable
  SubSeq highest;                 // end of the highest newly SACKed, if `sacked`
  bool sacked = false;
  bool timed_out = false;  // it ends a silence for which a time-out has passed
  bool repeated = false;   // something among them was sent again by a time-out
  bool duplicate = false;  // one more duplicate ACK of a peer without SACK
};

// Its first block is a D-SACK (RFC 2883 4): it is acknowledged already, or lies within the second.
bool is_duplicate_report(const wire::TcpFrame& f);

}  // namespace braid::tcp
