#include "dpdk/queue_io.hpp"

#include <rte_ethdev.h>

#include <algorithm>
#include <array>

#include "wire/ethernet.hpp"

namespace braid::dpdk {

using stats::Counter;
using stats::Drop;

QueueIo::QueueIo(unsigned worker, const std::vector<Port>& ports, rte_mempool* pool, MirrorLink& link,
                 Doorbell& bell, std::uint32_t mirror_pps, stats::WorkerStats& stats)
    : pool_(pool), link_(link), bell_(bell), stats_(stats), mirror_(mirror_pps) {
  for (const Port& p : ports) {
    const Port::Queue q = p.queue(worker);
    Queue& queue = queues_.emplace_back();
    queue.ethdev = q.ethdev;
    queue.queue = q.queue;
    queue.receives = worker < p.settings().queues;
    queue.linear = p.profile().linear_frames;
    queue.service_vlans = p.settings().service_vlans;
    std::sort(queue.service_vlans.begin(), queue.service_vlans.end());
  }
}

void QueueIo::begin_turn(Instant now) {
  now_ = now;
  worked_ = false;
  inject();
  count_mirror_losses();
}

unsigned QueueIo::receive(unsigned port, rte_mbuf** frames, unsigned max) {
  const Queue& q = queues_[port];
  if (!q.receives) return 0;
  const unsigned n = rte_eth_rx_burst(q.ethdev, q.queue, frames, static_cast<std::uint16_t>(max));
  worked_ = worked_ || n != 0;
  if (!q.service_vlans.empty())
    for (unsigned i = 0; i < n; ++i) mend_outer_tag(q, *frames[i]);
  return n;
}

// A driver that had the tag apart from the frame has put it back as one of 802.1Q, whatever it was. Where two
// stand, the kernel finds the device only by the right type.
void QueueIo::mend_outer_tag(const Queue& queue, rte_mbuf& m) {
  if (m.data_len < wire::kEthernetHeader + 2 * wire::kVlanTag) return;
  auto* const type = rte_pktmbuf_mtod_offset(&m, std::byte*, 12);
  if (load_be<std::uint16_t>(type) != wire::kEtherVlan ||
      load_be<std::uint16_t>(type + 4) != wire::kEtherVlan)
    return;
  const auto id = static_cast<std::uint16_t>(load_be<std::uint16_t>(type + 2) & 0x0fffU);
  if (std::binary_search(queue.service_vlans.begin(), queue.service_vlans.end(), id))
    store_be(type, wire::kEtherServiceVlan);
}

unsigned QueueIo::transmit(unsigned port, rte_mbuf** frames, unsigned count) {
  if (count == 0) return 0;
  worked_ = true;
  const Queue& q = queues_[port];
  if (q.linear) return transmit_linear(q, frames, count);
  return rte_eth_tx_burst(q.ethdev, q.queue, frames, static_cast<std::uint16_t>(count));
}

// A frame in one direct buffer: the frame itself, or a copy. nullptr when no buffer is free.
rte_mbuf* QueueIo::in_one_piece(rte_mbuf* frame) {
  if (frame->nb_segs == 1 && RTE_MBUF_DIRECT(frame)) return frame;
  return rte_pktmbuf_copy(frame, pool_, 0, UINT32_MAX);
}

unsigned QueueIo::transmit_linear(const Queue& queue, rte_mbuf** frames, unsigned count) {
  unsigned done = 0;
  while (done < count) {
    std::array<rte_mbuf*, limits::kBurst> out{};
    unsigned n = 0;
    while (n < out.size() && done + n < count) {
      out[n] = in_one_piece(frames[done + n]);
      if (out[n] == nullptr) break;
      ++n;
    }
    const unsigned sent =
        n == 0 ? 0 : rte_eth_tx_burst(queue.ethdev, queue.queue, out.data(), static_cast<std::uint16_t>(n));
    for (unsigned i = 0; i < n; ++i) {
      rte_mbuf* original = frames[done + i];
      if (out[i] == original) continue;
      // The copy was sent, or goes back: the caller keeps the originals of what the port did not take.
      rte_pktmbuf_free(i < sent ? original : out[i]);
    }
    done += sent;
    if (sent == 0 || sent < n) break;
  }
  return done;
}

bool QueueIo::punt(unsigned port, rte_mbuf* frame) {
  if (!mirror_.take(now_)) {
    // Taken and dropped here, because only here the reason is known; false would be counted as a full ring.
    stats_.drops.add(Drop::mirror_limit);
    rte_pktmbuf_free(frame);
    return true;
  }
  if (!link_.to_kernel.push({frame, static_cast<std::uint8_t>(port), false, 0, {}})) return false;
  bell_.ring();
  return true;
}

bool QueueIo::resolve(const wire::Hop& hop, rte_mbuf* frame) {
  if (!link_.to_kernel.push({frame, hop.port, true, hop.link, hop.next})) return false;
  bell_.ring();
  return true;
}

void QueueIo::inject() {
  std::array<ToPort, limits::kBurst> batch{};
  const std::size_t n = link_.to_port.pop(batch);
  for (std::size_t i = 0; i < n; ++i) {
    rte_mbuf* frame = batch[i].frame;
    if (transmit(batch[i].port, &frame, 1) == 1) {
      stats_.counters.add(Counter::injected);
    } else {
      rte_pktmbuf_free(frame);
      stats_.drops.add(Drop::port_full);
    }
  }
}

void QueueIo::count_mirror_losses() {
  const std::uint64_t unresolved = link_.unresolved.load(std::memory_order_relaxed);
  if (unresolved != unresolved_seen_) {
    stats_.drops.add(Drop::neighbour_queue, unresolved - unresolved_seen_);
    unresolved_seen_ = unresolved;
  }
  const std::uint64_t refused = link_.refused.load(std::memory_order_relaxed);
  if (refused != refused_seen_) {
    stats_.drops.add(Drop::mirror_full, refused - refused_seen_);
    refused_seen_ = refused;
  }
}

}  // namespace braid::dpdk
