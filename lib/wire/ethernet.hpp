// The Ethernet header with its VLAN tags: none, one (IEEE 802.1Q), or two (IEEE 802.1ad, "QinQ").
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/bytes.hpp"

namespace braid::wire {

inline constexpr std::size_t kEthernetHeader = 14;
inline constexpr std::size_t kVlanTag = 4;
inline constexpr std::size_t kMaxVlanTags = 2;

inline constexpr std::uint16_t kEtherIpv4 = 0x0800;
inline constexpr std::uint16_t kEtherIpv6 = 0x86dd;
inline constexpr std::uint16_t kEtherArp = 0x0806;
inline constexpr std::uint16_t kEtherVlan = 0x8100;         // 802.1Q
inline constexpr std::uint16_t kEtherServiceVlan = 0x88a8;  // 802.1ad, the outer one of two

// The tags of a link, the outermost first: type in the upper half, VLAN id (1..4094) in the lower; 0: none.
struct Vlan {
  std::array<std::uint32_t, kMaxVlanTags> tags{};

  // Appends a tag; false: there are two already.
  bool push(std::uint16_t type, std::uint16_t id) {
    std::uint32_t* const at = tags[0] == 0 ? tags.data() : tags[1] == 0 ? &tags[1] : nullptr;
    if (at != nullptr) *at = std::uint32_t{type} << 16 | id;
    return at != nullptr;
  }
  [[nodiscard]] bool any() const { return tags[0] != 0; }
  [[nodiscard]] std::size_t bytes() const {
    return (tags[0] != 0 ? kVlanTag : 0) + (tags[1] != 0 ? kVlanTag : 0);
  }
  // Names the link whatever the types: devices and drivers do not agree on the outer one.
  [[nodiscard]] std::uint32_t ids() const { return (tags[0] & 0xffffU) << 16 | (tags[1] & 0xffffU); }
  friend bool operator==(const Vlan&, const Vlan&) = default;
};

struct EthernetHeader {
  std::uint16_t type = 0;  // of what follows; a tag's where more than two stand, or the frame ends in one
  std::size_t size = kEthernetHeader;
  Vlan vlan;
};

// `frame`: at least kEthernetHeader bytes. A priority tag (id 0) names no VLAN and is passed over.
inline EthernetHeader parse_ethernet(ByteView frame) {
  EthernetHeader h;
  h.type = load_be<std::uint16_t>(frame.data() + 12);
  for (std::size_t n = 0; n < kMaxVlanTags; ++n) {
    if ((h.type != kEtherVlan && h.type != kEtherServiceVlan) || frame.size() < h.size + kVlanTag) break;
    const auto id = static_cast<std::uint16_t>(load_be<std::uint16_t>(frame.data() + h.size) & 0x0fffU);
    if (id != 0) h.vlan.push(h.type, id);
    h.type = load_be<std::uint16_t>(frame.data() + h.size + 2);
    h.size += kVlanTag;
  }
  return h;
}

}  // namespace braid::wire
