// What a path delivers: bytes acknowledged in a round trip, over the time that it took.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/seq.hpp"
#include "base/time.hpp"

namespace braid::tcp {

class DeliveryRate {
 public:
  // `delivered` bytes are acknowledged; `una`, `nxt`: what is on the way after that. True where a round trip
  // ends with it. What comes in a burst has not come faster than the window that was sent in a round trip.
  bool on_ack(Instant now, std::uint32_t delivered, std::uint32_t srtt_us, SubSeq una, SubSeq nxt) {
    bytes_ += delivered;
    if (begun_ && before(una, round_end_)) return false;
    const bool whole = begun_;
    const std::uint64_t took = std::max({micros(now) - began_us_, srtt_us, 1U});
    if (whole) latest_ = static_cast<std::uint32_t>(std::uint64_t{bytes_} * 1000 / took);
    begun_ = true;
    round_end_ = nxt;
    began_us_ = micros(now);
    bytes_ = 0;
    return whole;
  }
  // The next acknowledgement begins a round trip.
  void restart() { begun_ = false; }
  // Of the last whole round trip, in bytes per millisecond; 0: there was none.
  [[nodiscard]] std::uint32_t latest() const { return latest_; }

 private:
  SubSeq round_end_;
  std::uint32_t began_us_ = 0;
  std::uint32_t bytes_ = 0;
  std::uint32_t latest_ = 0;
  bool begun_ = false;
};

}  // namespace braid::tcp
