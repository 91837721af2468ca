// How late the emulator was: its own error, told with every result.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/time.hpp"

namespace braid::emulator {

// Counts by whole 10 us, up to 100 ms.
class Lateness {
 public:
  void note(Duration late) {
    const auto us = std::max<std::int64_t>(0, late.count() / 1000);
    ++counts_[std::min(static_cast<std::size_t>(us) / kStep, counts_.size() - 1)];
    ++total_;
    worst_ = std::max(worst_, us);
  }
  // Upper end of the step that this part (0..1) of all are within, in us.
  [[nodiscard]] std::int64_t quantile(double part) const {
    const auto wanted = static_cast<std::uint64_t>(part * static_cast<double>(total_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > wanted || seen == total_)
        return std::min<std::int64_t>(static_cast<std::int64_t>((i + 1) * kStep), worst_);
    }
    return worst_;
  }
  [[nodiscard]] std::int64_t worst() const { return worst_; }  // us
  [[nodiscard]] std::uint64_t total() const { return total_; }

 private:
  static constexpr std::size_t kStep = 10;  // us
  std::array<std::uint64_t, 10'000> counts_{};
  std::uint64_t total_ = 0;
  std::int64_t worst_ = 0;
};

}  // namespace braid::emulator
