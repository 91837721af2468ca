// Bounded queue between exactly one writing and one reading thread. No locked instruction: each side owns
// one index and reads the other's (Lamport 1977; cached indices as in rte_ring and folly's queue).
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>

namespace braid {

template <class T>
class SpscRing {
 public:
  // `capacity` is rounded up to a power of two.
  explicit SpscRing(std::size_t capacity)
      : mask_(std::bit_ceil(capacity) - 1), slots_(std::make_unique<T[]>(mask_ + 1)) {}

  // Writer's side. False when full; the value is then untouched.
  bool push(const T& value) {
    const std::size_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_seen_ > mask_) {
      head_seen_ = head_.load(std::memory_order_acquire);
      if (tail - head_seen_ > mask_) return false;
    }
    slots_[tail & mask_] = value;
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }

  // Reader's side. Takes up to out.size() values in order and returns how many.
  std::size_t pop(std::span<T> out) {
    const std::size_t head = head_.load(std::memory_order_relaxed);
    if (tail_seen_ == head) tail_seen_ = tail_.load(std::memory_order_acquire);
    std::size_t n = tail_seen_ - head;
    if (n > out.size()) n = out.size();
    for (std::size_t i = 0; i < n; ++i) out[i] = slots_[(head + i) & mask_];
    if (n != 0) head_.store(head + n, std::memory_order_release);
    return n;
  }

  [[nodiscard]] std::size_t capacity() const { return mask_ + 1; }
  // A snapshot; exact only for the two owners between their own calls.
  [[nodiscard]] std::size_t size() const {
    return tail_.load(std::memory_order_acquire) - head_.load(std::memory_order_acquire);
  }

 private:
  std::size_t mask_;
  std::unique_ptr<T[]> slots_;
  alignas(64) std::atomic<std::size_t> tail_{0};  // writer's line
  std::size_t head_seen_ = 0;
  alignas(64) std::atomic<std::size_t> head_{0};  // reader's line
  std::size_t tail_seen_ = 0;
};

}  // namespace braid
