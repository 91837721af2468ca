// A rate limit on packets: `rate` per second, with bursts of at most a tenth of a second's worth (and never
// less than one burst of frames).
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/limits.hpp"
#include "base/time.hpp"

namespace braid::dpdk {

class TokenBucket {
 public:
  // `rate`: packets per second; 0: none pass.
  explicit TokenBucket(std::uint32_t rate)
      : rate_(rate),
        depth_(rate == 0 ? 0 : std::max<std::int64_t>(rate / 10, limits::kBurst) * kToken),
        fill_(depth_) {}

  bool take(Instant now) {
    if (now > last_) {
      // More than a second away is worth a full bucket in any case, so the product stays small.
      const std::int64_t ns = std::min<std::int64_t>((now - last_).count(), kToken);
      fill_ = std::min(depth_, fill_ + ns * rate_);
      last_ = now;
    }
    if (fill_ < kToken) return false;
    fill_ -= kToken;
    return true;
  }

 private:
  static constexpr std::int64_t kToken = 1'000'000'000;  // one packet, in packet-nanoseconds per second
  std::int64_t rate_;
  std::int64_t depth_;
  std::int64_t fill_;
  Instant last_{};
};

}  // namespace braid::dpdk
