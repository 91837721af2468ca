// Congestion control as a policy: it sees a picture of the connection and sets window and threshold; it
// cannot touch sequence numbers. Chosen by name per listener and upstream. All sizes in bytes.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/time.hpp"

namespace braid::tcp {

// What outlives an idle time.
struct CongestionState {
  std::uint32_t cwnd = 0;
  std::uint32_t ssthresh = 0xffffffff;
};

// What only a connection with data on the way needs; begins anew after an idle time, as CUBIC's epoch does
// (RFC 9438 4.2). The last four belong to CUBIC.
struct Growth {
  std::uint32_t acked = 0;     // bytes toward the next linear step
  std::uint32_t epoch_us = 0;  // begin of the growth epoch, micros(); 0: none
  float w_max = 0;             // window before the last reduction, segments
  float k = 0;                 // seconds until the curve is back at w_max
  float w_est = 0;             // what Reno would have, segments
};

struct CongestionView {
  Instant now;
  std::uint32_t mss = 1;
  std::uint32_t srtt_us = 0;
  std::uint32_t in_flight = 0;  // before the event
  bool cwnd_limited = true;     // the window, not the application, held the sender back
};

class CongestionControl {
 public:
  virtual ~CongestionControl() = default;
  virtual void on_ack(CongestionState& s, Growth& g, const CongestionView& v, std::uint32_t acked) const = 0;
  // Start of a recovery (fast retransmit or ECN); sets ssthresh and cwnd.
  virtual void on_loss(CongestionState& s, Growth& g, const CongestionView& v) const = 0;
  // Retransmission time-out: the window restarts at one segment (RFC 5681 3.1).
  virtual void on_timeout(CongestionState& s, Growth& g, const CongestionView& v) const = 0;
};

enum class CongestionKind : std::uint8_t { cubic, newreno };
const CongestionControl& congestion_control(CongestionKind kind);

// RFC 6928: ten segments, at most 14,600 bytes unless two segments are more.
std::uint32_t initial_window(std::uint32_t mss);

}  // namespace braid::tcp
