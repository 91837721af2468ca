// Packets that nobody should send: relatives of real ones that their receiver has no reason to expect, with
// right checksums. Every choice is drawn from `Draw`: an Rng, or the input of a fuzz target.
#pragma once

#include <algorithm>
#include <array>

#include "kit/link.hpp"

namespace braid::kit {

// Makes the IPv4 and TCP checksums right where the headers still allow it.
void mend_checksums(Packet& p);

// An MPTCP option of a size that some form has, its fields random or like those of the real one.
template <class Draw>
Packet mutant_options(const wire::TcpFrame& f, Draw& draw) {
  constexpr std::array<std::uint8_t, 16> kSizes{3, 4, 8, 10, 12, 15, 16, 18, 20, 22, 24, 26, 28, 30, 36, 40};
  wire::OptionBuffer o;
  if (draw.below(2) == 0 && f.options.mptcp.has(wire::kMpDss)) {
    wire::Dss d = f.options.mptcp.dss;
    if (draw.below(2) == 0) d.data_ack += draw.next32() >> draw.below(32);
    if (draw.below(2) == 0) d.dsn -= draw.next32() >> draw.below(32);
    if (draw.below(2) == 0) d.ssn += draw.next32() >> draw.below(32);
    if (draw.below(2) == 0) d.length = static_cast<std::uint16_t>(draw.next32() >> draw.below(32));
    d.has_map = draw.below(3) != 0;
    d.data_fin = draw.below(4) == 0;
    o.dss(d);
    const ByteView bytes = o.padded();
    return {bytes.begin(), bytes.end()};
  }
  Packet bytes(kSizes[draw.below(kSizes.size())]);
  for (auto& b : bytes) b = static_cast<std::byte>(draw.below(256));
  bytes[0] = std::byte{wire::kMptcpKind};
  bytes[1] = static_cast<std::byte>(bytes.size());
  bytes[2] = static_cast<std::byte>(draw.below(9) << 4 | draw.below(2));
  bytes.resize((bytes.size() + 3) / 4 * 4, std::byte{1});
  return bytes;
}

template <class Draw>
Packet mutant(const Packet& original, const wire::TcpFrame& f, Draw& draw) {
  Packet p = original;
  std::byte* tcp = p.data() + f.l4_offset;
  const auto far = [&draw] { return draw.next32() >> draw.below(32); };
  switch (draw.below(7)) {
    case 0:  // anything behind the Ethernet header
      for (unsigned n = 1 + draw.below(4); n != 0; --n)
        p[wire::kEthernetHeader + draw.below(static_cast<std::uint32_t>(p.size() - wire::kEthernetHeader))] =
            static_cast<std::byte>(draw.below(256));
      break;
    case 1:
      store_be(tcp + 4, f.seq.raw + far() - far());
      break;
    case 2:
      store_be(tcp + 8, f.ack.raw + far() - far());
      break;
    case 3:
      tcp[13] = static_cast<std::byte>(draw.below(256));
      break;
    case 4:
      store_be(tcp + 14, static_cast<std::uint16_t>(draw.below(65536)));
      break;
    case 5:
      p = rewrite(original, mutant_options(f, draw), payload_of(original, f));
      break;
    default: {  // a piece of the payload, or somebody else's
      const ByteView old = payload_of(original, f);
      Packet payload(old.begin(), old.begin() + draw.below(static_cast<std::uint32_t>(old.size()) + 1));
      if (draw.below(2) == 0) payload.resize(1 + draw.below(1400), static_cast<std::byte>(draw.below(256)));
      p = rewrite(original, options_of(original, f), payload);
    }
  }
  mend_checksums(p);
  return p;
}

}  // namespace braid::kit
