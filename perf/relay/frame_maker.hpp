// Frames of the models, written into fresh buffers of the engine's pool as a NIC would leave them there.
#pragma once

#include <rte_mbuf.h>

#include <cstring>

#include "wire/checksum.hpp"
#include "wire/frame.hpp"
#include "world.hpp"

namespace braid::perf {

class FrameMaker {
 public:
  // `World::offload()`: frames are marked as verified by the NIC.
  FrameMaker(World& world, Port port) : world_(world), port_(port) {}

  // Offers a segment to the engine. `out`: MAC addresses and payload fields are filled in here.
  void offer(wire::FrameOut out, wire::OptionBuffer& options, ByteView payload) {
    rte_mbuf* m = rte_pktmbuf_alloc(world_.buffers());
    if (m == nullptr) throw Broken("the pool of packet buffers is empty");
    const ByteView padded = options.padded();
    const std::size_t headers = wire::kEthernetHeader + wire::kIpv4Header + wire::kTcpHeader + padded.size();
    std::byte* body = rte_pktmbuf_mtod(m, std::byte*) + headers;
    if (!payload.empty()) std::memcpy(body, payload.data(), payload.size());
    out.source = peer_mac(port_);
    out.destination = engine_mac(port_);
    out.payload_length = static_cast<std::uint16_t>(payload.size());
    out.payload_sum = wire::ones_sum(payload);
    wire::write_headers(body, out, padded, wire::ChecksumMode::full);
    m->data_len = static_cast<std::uint16_t>(headers + payload.size());
    m->pkt_len = m->data_len;
    if (world_.offload()) m->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
    world_.loop().offer(port_, m);
  }

 private:
  World& world_;
  Port port_;
};

}  // namespace braid::perf
