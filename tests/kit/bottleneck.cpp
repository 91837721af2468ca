#include "kit/bottleneck.hpp"

#include <algorithm>

#include "base/random.hpp"

namespace braid::kit {

Trace Trace::mobile(double mean, std::uint64_t seed) {
  constexpr std::uint32_t kLength = 60'000;  // ms
  constexpr std::uint32_t kStep = 100;       // ms between changes of the rate
  Rng rng(seed);
  Trace t;
  double rate = mean;
  double due = 0;  // opportunities not yet given
  for (std::uint32_t ms = 1; ms <= kLength; ++ms) {
    if (ms % kStep == 0)
      rate = std::clamp(rate * (0.7 + 0.6 * rng.unit()) * 0.9 + mean * 0.1, mean / 10, mean * 2);
    due += rate / 8 / 1000 / kOpportunity;
    const auto whole = static_cast<std::size_t>(due);
    t.at_ms.insert(t.at_ms.end(), whole, ms);
    due -= static_cast<double>(whole);
  }
  if (t.at_ms.empty() || t.at_ms.back() != kLength) t.at_ms.push_back(kLength);
  return t;
}

Instant Bottleneck::opportunity(std::uint64_t n) const {
  const auto& at = spec_.trace->at_ms;
  const std::uint64_t ms = n / at.size() * at.back() + at[n % at.size()];
  return start_ + std::chrono::milliseconds(ms);
}

Instant Bottleneck::leave_by_trace(Instant now, std::size_t size) {
  const auto& at = spec_.trace->at_ms;
  if (opportunity(next_) < now) {  // it was idle: what passed unused is gone
    room_ = 0;
    const auto since = static_cast<std::uint64_t>((now - start_) / std::chrono::milliseconds(1));
    next_ = std::max(next_, since / at.back() * at.size());
    while (opportunity(next_) < now) ++next_;
  }
  while (room_ < size) {
    room_ += Trace::kOpportunity;
    busy_ = opportunity(next_++);
  }
  room_ -= size;
  return busy_;
}

std::optional<Instant> Bottleneck::pass(Instant now, std::size_t size) {
  if (spec_.rate <= 0 && !spec_.trace) return now;
  for (; !waiting_.empty() && waiting_.front().leaves <= now; waiting_.pop_front())
    waiting_bytes_ -= waiting_.front().size;
  if (waiting_bytes_ + size > spec_.queue_bytes || waiting_.size() >= spec_.queue_packets) return {};
  Instant leaves;
  if (spec_.trace) {
    leaves = leave_by_trace(now, size);
  } else {
    const Duration wire(static_cast<std::int64_t>(static_cast<double>(size) * 8e9 / spec_.rate));
    leaves = busy_ = std::max(busy_, now) + wire;
  }
  waiting_.push_back({leaves, size});
  waiting_bytes_ += size;
  return leaves;
}

}  // namespace braid::kit
