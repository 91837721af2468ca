#include "engine/syn_cookie.hpp"

#include <array>

namespace braid::engine {

namespace {

// The number: 5 bits of time, 3 of MSS, 24 of MAC.
constexpr std::uint32_t kMacMask = 0xffffff;
constexpr std::array<std::uint16_t, 8> kSizes{536, 1220, 1360, 1400, 1428, 1440, 1460, 8960};

// The timestamp's lowest bits: 4 of window scale, then SACK.
constexpr std::uint32_t kOptionMask = 0x3f;
constexpr std::uint32_t kNoScale = 0xf;
constexpr std::uint32_t kSack = 0x10;

std::uint32_t slot_of(Instant now) {
  return static_cast<std::uint32_t>(now.time_since_epoch() / SynCookie::kSlot) & 0x1f;
}

std::uint32_t size_index(std::uint16_t mss) {
  std::uint32_t i = 0;
  while (i + 1 < kSizes.size() && kSizes[i + 1] <= mss) ++i;
  return i;
}

std::uint32_t option_bits(const SynCookie::Kept& kept) {
  return (kept.scaled ? kept.scale & 0xfU : kNoScale) | (kept.sack ? kSack : 0U);
}

}  // namespace

std::uint32_t SynCookie::mac(const Flow& flow, SubSeq peer, std::uint32_t head, std::uint32_t options) const {
  const std::array<std::uint64_t, 2> words{siphash(key_, flow),
                                           std::uint64_t{peer.raw} << 32 | head << 8 | options};
  return static_cast<std::uint32_t>(siphash(key_, words)) & kMacMask;
}

SubSeq SynCookie::make(const Flow& flow, SubSeq peer, const Kept& kept, Instant now) const {
  const std::uint32_t head = slot_of(now) << 3 | size_index(kept.mss);
  return SubSeq(head << 24 | mac(flow, peer, head, option_bits(kept)));
}

bool SynCookie::timely(SubSeq ours, Instant now) { return ((slot_of(now) - (ours.raw >> 27)) & 0x1f) <= 1; }

std::optional<SynCookie::Kept> SynCookie::check(const Flow& flow, SubSeq peer, SubSeq ours,
                                                std::uint32_t stamp, Instant now) const {
  const std::uint32_t head = ours.raw >> 24;
  const std::uint32_t options = stamp != 0 ? stamp & kOptionMask : kNoScale;
  if (!timely(ours, now) || mac(flow, peer, head, options) != (ours.raw & kMacMask)) return {};
  Kept out;
  out.mss = kSizes[head & 7];
  out.sack = (options & kSack) != 0;
  out.scaled = (options & 0xf) != kNoScale;
  if (out.scaled) out.scale = static_cast<std::uint8_t>(options & 0xf);
  return out;
}

std::uint32_t SynCookie::write_stamp(std::uint32_t stamp, const Kept& kept) {
  const std::uint32_t out = (stamp & ~kOptionMask) | option_bits(kept);
  return out > stamp ? out - (kOptionMask + 1) : out;
}

std::uint64_t SynCookie::session_key(const Flow& flow, SubSeq peer, SubSeq ours, unsigned n) const {
  const std::array<std::uint64_t, 3> words{siphash(key_, flow), std::uint64_t{peer.raw} << 32 | ours.raw,
                                           0x6b6579ULL << 32 | n};
  return siphash(key_, words);
}

}  // namespace braid::engine
