// Histogram with fixed upper bounds, one writer, readable by any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace braid::stats {

template <std::size_t N>
class Histogram {
 public:
  // `bounds`: ascending inclusive upper bounds; a last bucket takes the rest.
  constexpr explicit Histogram(const std::array<std::uint64_t, N>& bounds) : bounds_(bounds) {}

  void observe(std::uint64_t value) {
    std::size_t i = 0;
    while (i < N && value > bounds_[i]) ++i;
    bump(buckets_[i], 1);
    bump(sum_, value);
  }
  [[nodiscard]] std::uint64_t bucket(std::size_t i) const { return read(buckets_[i]); }  // i in [0, N]
  [[nodiscard]] std::uint64_t bound(std::size_t i) const { return bounds_[i]; }          // i in [0, N)
  [[nodiscard]] std::uint64_t sum() const { return read(sum_); }
  static constexpr std::size_t size() { return N; }

 private:
  static void bump(std::uint64_t& slot, std::uint64_t n) {
    std::atomic_ref(slot).store(slot + n, std::memory_order_relaxed);
  }
  static std::uint64_t read(const std::uint64_t& slot) {
    return std::atomic_ref(const_cast<std::uint64_t&>(slot)).load(std::memory_order_relaxed);
  }
  std::array<std::uint64_t, N> bounds_;
  std::array<std::uint64_t, N + 1> buckets_{};
  std::uint64_t sum_ = 0;
};

}  // namespace braid::stats
