// DPDK's environment for tests: no privilege, no hugepages, started once per process on first use.
#pragma once

#include <cstdint>

struct rte_mempool;

namespace braid::kit {

// Buffers of the one pool, enough for a few megabytes in flight.
inline constexpr std::uint32_t kBuffers = 24'000;

// The pool every test shares: private area tcp::kSegmentPrivSize, data room 2,176 bytes. Starts EAL when
// needed; ends the process when EAL refuses, since nothing can be tested then.
rte_mempool* pool();

// Buffers that are out of the pool now.
std::uint32_t buffers_in_use();

// Of those, what a Shortage holds.
std::uint32_t buffers_withheld();

// Takes buffers out of the pool until `left` remain, and puts them back on destruction.
class Shortage {
 public:
  explicit Shortage(std::uint32_t left);
  ~Shortage();
  Shortage(const Shortage&) = delete;
  Shortage& operator=(const Shortage&) = delete;

 private:
  void* taken_;  // chain of buffers
};

}  // namespace braid::kit
