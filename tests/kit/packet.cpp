#include "kit/packet.hpp"

#include <rte_mbuf.h>

#include <cstring>

#include "kit/eal.hpp"

namespace braid::kit {

Packet packet_of(const rte_mbuf* frame) {
  Packet out;
  out.reserve(frame->pkt_len);
  for (const rte_mbuf* m = frame; m != nullptr; m = m->next) {
    const auto* begin = rte_pktmbuf_mtod(m, const std::byte*);
    out.insert(out.end(), begin, begin + m->data_len);
  }
  return out;
}

rte_mbuf* frame_of(const Packet& packet) {
  rte_mbuf* m = rte_pktmbuf_alloc(pool());
  if (m == nullptr) return nullptr;
  char* room = rte_pktmbuf_append(m, static_cast<std::uint16_t>(packet.size()));
  if (room == nullptr) {
    rte_pktmbuf_free(m);
    return nullptr;
  }
  if (!packet.empty()) std::memcpy(room, packet.data(), packet.size());
  return m;
}

}  // namespace braid::kit
