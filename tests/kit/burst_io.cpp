#include "kit/burst_io.hpp"

#include <gtest/gtest.h>
#include <rte_mbuf.h>

namespace braid::kit {

BurstIo::~BurstIo() {
  for (rte_mbuf* m : queue_) rte_pktmbuf_free(m);
}

bool BurstIo::give(const Packet& packet) {
  rte_mbuf* m = frame_of(packet);
  if (m == nullptr) return false;
  queue_.push_back(m);
  return true;
}

unsigned BurstIo::receive(unsigned port, rte_mbuf** frames, unsigned max) {
  unsigned n = 0;
  for (; port == 0 && n < max && !queue_.empty(); ++n) {
    frames[n] = queue_.front();
    queue_.pop_front();
    in.bytes += frames[n]->pkt_len;
  }
  in.frames += n;
  return n;
}

unsigned BurstIo::transmit(unsigned, rte_mbuf** frames, unsigned count) {
  for (unsigned i = 0; i < count; ++i) {
    out.bytes += frames[i]->pkt_len;
    if (look) {
      wire::TcpFrame f;
      const ByteView bytes{rte_pktmbuf_mtod(frames[i], const std::byte*), frames[i]->data_len};
      EXPECT_EQ(wire::parse_frame(bytes, wire::Trust::verify, f), wire::FrameKind::tcp);
      look(f);
    }
    rte_pktmbuf_free(frames[i]);
  }
  out.frames += count;
  return count;
}

bool BurstIo::punt(unsigned, rte_mbuf* frame) {
  rte_pktmbuf_free(frame);
  return true;
}

bool BurstIo::resolve(const wire::Hop& /*hop*/, rte_mbuf* frame) {
  rte_pktmbuf_free(frame);
  return true;
}

}  // namespace braid::kit
