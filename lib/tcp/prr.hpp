// Proportional rate reduction (RFC 6937): how much each acknowledgement of a recovery lets out, so that the
// window comes down to its threshold evenly, neither in one silence nor in a burst.
#pragma once

#include <algorithm>
#include <cstdint>

namespace braid::tcp {

struct Prr {
  std::uint32_t flight = 1;     // bytes on the way when the recovery began
  std::uint32_t delivered = 0;  // since then
  std::uint32_t sent = 0;       // since then

  // Bytes that may go out after an acknowledgement of `newly` bytes that leaves `pipe` on the way. `safe`: it
  // moved the left edge and showed no further loss.
  std::uint32_t allowance(std::uint32_t newly, std::uint32_t pipe, std::uint32_t ssthresh, bool safe,
                          std::uint32_t mss) {
    delivered += newly;
    std::int64_t out = 0;
    if (pipe > ssthresh) {
      out = static_cast<std::int64_t>((std::uint64_t{delivered} * ssthresh + flight - 1) / flight) - sent;
    } else {
      out = std::max<std::int64_t>(std::int64_t{delivered} - sent, newly) + (safe ? mss : 0U);
      out = std::min<std::int64_t>(out, ssthresh - pipe);
    }
    if (sent == 0) out = std::max<std::int64_t>(out, mss);  // the fast retransmission itself
    return static_cast<std::uint32_t>(std::max<std::int64_t>(out, 0));
  }
};

}  // namespace braid::tcp
