// Rings between workers: a packet that arrived on a worker that does not own its flow goes to the one that
// does, in order. One ring per ordered pair, so each has one writer and one reader.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/spsc_ring.hpp"

struct rte_mbuf;

namespace braid::engine {

struct Message {
  enum class Kind : std::uint8_t {
    frame,    // `frame`, which arrived on `port`
    release,  // the redirect entry `entry` is no longer needed
  };
  rte_mbuf* frame = nullptr;
  std::uint32_t entry = 0;
  std::uint32_t serial = 0;  // of the entry
  Kind kind = Kind::frame;
  std::uint8_t port = 0;
  std::uint8_t from = 0;  // worker
};

class HandoffMatrix {
 public:
  explicit HandoffMatrix(unsigned workers, std::size_t capacity = 1024) : workers_(workers) {
    for (unsigned i = 0; i < workers * workers; ++i)
      rings_.push_back(std::make_unique<SpscRing<Message>>(capacity));
  }
  [[nodiscard]] SpscRing<Message>& ring(unsigned from, unsigned to) { return *rings_[from * workers_ + to]; }
  [[nodiscard]] unsigned workers() const { return workers_; }

 private:
  unsigned workers_;
  std::vector<std::unique_ptr<SpscRing<Message>>> rings_;
};

}  // namespace braid::engine
