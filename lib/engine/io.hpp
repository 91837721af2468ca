// What one worker needs from the outside. `dpdk` implements it on ethdev queues, the test kit on links in
// virtual time. All calls come from the worker's own thread.
#pragma once

#include "wire/routes.hpp"

struct rte_mbuf;

namespace braid::engine {

class Io {
 public:
  virtual ~Io() = default;
  // Number of ports; port ids are 0..ports()-1.
  [[nodiscard]] virtual unsigned ports() const = 0;
  // Up to `max` frames that have arrived for this worker on `port`; the caller owns them.
  virtual unsigned receive(unsigned port, rte_mbuf** frames, unsigned max) = 0;
  // Hands frames to the port. Takes the first `return value` of them; the rest stays with the caller.
  virtual unsigned transmit(unsigned port, rte_mbuf** frames, unsigned count) = 0;
  // Gives a frame to the kernel mirror of `port`. False: not taken (the ring is full).
  virtual bool punt(unsigned port, rte_mbuf* frame) = 0;
  // A finished frame but for its destination MAC, which is unknown: the kernel is asked to resolve `hop.next`
  // on its link, the frame goes out when it has. False: not taken.
  virtual bool resolve(const wire::Hop& hop, rte_mbuf* frame) = 0;
};

}  // namespace braid::engine
