// The narrowest place of a path in one direction: when a packet leaves it, and which finds no room.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "base/time.hpp"

namespace braid::kit {

// Delivery opportunities as mahimahi records them: at each of these milliseconds up to 1,500 bytes leave; the
// last one is also the period after which all begins again.
struct Trace {
  static constexpr std::size_t kOpportunity = 1500;  // bytes
  std::vector<std::uint32_t> at_ms;                  // ascending, the last above 0

  // What a mobile network's scheduler gives one user: the rate wanders about `mean` (bit/s), from a tenth to
  // the double of it. Of 60 s; equal seeds give equal traces.
  static Trace mobile(double mean, std::uint64_t seed);
};

class Bottleneck {
 public:
  struct Spec {
    double rate = 0;                     // bit/s; 0: unlimited
    std::size_t queue_bytes = 1U << 30;  // that may wait
    std::size_t queue_packets = 1U << 20;
    std::shared_ptr<const Trace> trace{};  // instead of the rate
  };

  Bottleneck(Spec spec, Instant start) : spec_(std::move(spec)), start_(start), busy_(start) {}

  // When a packet of `size` bytes that comes at `now` has left; nothing: the queue is full. Calls come in
  // order of time.
  std::optional<Instant> pass(Instant now, std::size_t size);
  // Bytes that wait, the last one passed included.
  [[nodiscard]] std::size_t backlog() const { return waiting_bytes_; }

 private:
  struct Waiting {
    Instant leaves;
    std::size_t size;
  };
  [[nodiscard]] Instant opportunity(std::uint64_t n) const;
  Instant leave_by_trace(Instant now, std::size_t size);

  Spec spec_;
  Instant start_;
  Instant busy_;
  std::uint64_t next_ = 0;  // opportunity, over all periods
  std::size_t room_ = 0;    // bytes left of the one before
  std::deque<Waiting> waiting_;
  std::size_t waiting_bytes_ = 0;
};

}  // namespace braid::kit
