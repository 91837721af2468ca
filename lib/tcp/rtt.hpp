// Round-trip time and retransmission time-out (RFC 6298), in microseconds.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.hpp"

namespace braid::tcp {

class Rtt {
 public:
  // RFC 6298 2.4 asks for 1 s; every deployed stack takes 200 ms, and so do the clients Braid meets.
  static constexpr std::uint32_t kMinRto = 200'000;
  static constexpr std::uint32_t kMaxRto = 60'000'000;
  static constexpr std::uint32_t kInitialRto = 1'000'000;  // RFC 6298 2.1

  void sample(std::uint32_t us) {
    us = std::max(us, 1U);
    min_ = std::min(min_, us);
    if (srtt_ == 0) {  // 2.2
      srtt_ = us;
      var_ = us / 2;
      return;
    }
    const std::uint32_t err = us > srtt_ ? us - srtt_ : srtt_ - us;  // 2.3
    var_ = var_ - var_ / 4 + err / 4;
    srtt_ = srtt_ - srtt_ / 8 + us / 8;
  }

  [[nodiscard]] bool known() const { return srtt_ != 0; }
  [[nodiscard]] std::uint32_t srtt() const { return srtt_; }  // 0: no sample yet
  [[nodiscard]] std::uint32_t var() const { return var_; }
  [[nodiscard]] std::uint32_t min() const { return min_; }  // 2^32-1: no sample yet
  // Whether they show that something queues on the path. The least one may be rarer than a wandering delay
  // lets seem, so what they vary by does not count.
  [[nodiscard]] bool shows_queue() const {
    return known() && srtt_ >= min_ + std::max(min_ / 4, 2000U) + 2 * var_;
  }

  // Time-out before the `backoffs`-th doubling (5.5).
  [[nodiscard]] Duration rto(unsigned backoffs = 0) const {
    std::uint64_t us = srtt_ == 0 ? kInitialRto : srtt_ + std::max(4ULL * var_, 1000ULL);
    us = std::max<std::uint64_t>(us, kMinRto) << std::min(backoffs, 10U);
    return from_micros(static_cast<std::uint32_t>(std::min<std::uint64_t>(us, kMaxRto)));
  }

 private:
  std::uint32_t srtt_ = 0;
  std::uint32_t var_ = 0;
  std::uint32_t min_ = 0xffffffff;
};

}  // namespace braid::tcp
