// Frames that wait until the kernel has resolved their next hop. Bounded per neighbour, in all, and in time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "base/address.hpp"
#include "base/time.hpp"
#include "wire/routes.hpp"

struct rte_mbuf;

namespace braid::mirror {

class NeighbourQueue {
 public:
  static constexpr std::size_t kPerNeighbour = 64;
  static constexpr std::size_t kTotal = 1024;
  static constexpr Duration kLimit =
      std::chrono::seconds(3);  // longer than the kernel's three probes at 1 s take

  struct Held {
    rte_mbuf* frame = nullptr;
    std::uint8_t worker = 0;  // whose frame it is
    std::uint8_t port = 0;    // where it goes out
    Instant since;
  };
  using Neighbour = std::pair<wire::LinkId, Ip>;

  // Keeps a frame. False: a bound is reached; the frame stays with the caller.
  bool hold(const Neighbour& neighbour, const Held& held);
  // The frames that waited for `neighbour`, in order; the caller owns them.
  std::vector<Held> release(const Neighbour& neighbour);
  // The frames that have waited longer than kLimit; the caller owns them.
  std::vector<Held> expire(Instant now);
  // All that is left, at the end.
  std::vector<Held> clear();

  [[nodiscard]] bool waits(const Neighbour& neighbour) const { return waiting_.contains(neighbour); }
  [[nodiscard]] std::size_t size() const { return total_; }
  // When the oldest frame must go; kNever when none waits.
  [[nodiscard]] Instant next_due() const;

 private:
  std::map<Neighbour, std::vector<Held>> waiting_;
  std::size_t total_ = 0;
};

}  // namespace braid::mirror
