// How many bytes a receiver offers beyond what it has received in order.
#pragma once

#include <cstdint>

namespace braid::tcp {

// In what pieces the right edge of a window moves.
struct WindowGrain {
  std::uint32_t segment = 0;  // bytes of the peer's segments
  std::uint32_t unit = 1;     // of the window field (RFC 7323 2.3)
};

// `standing`: bytes up to the right edge that was offered before; `room`: bytes that the buffer takes. The
// edge moves by whole segments, or stays (RFC 9293 3.8.6.2.2), so that a sender that is held by it sends no
// crumbs. Where it moves to, the field says exactly, so the last of these segments may lack less than a unit;
// as data comes in, the field rounds down, since rounding up would move the edge by a crumb with each
// acknowledgement, and beyond the buffer in the end (RFC 7323 2.4).
inline std::uint32_t offered_window(std::uint32_t standing, std::uint32_t room, const WindowGrain& g) {
  if (room < standing + g.segment) return standing;
  const std::uint32_t whole = standing + (room - standing) / g.segment * g.segment;
  const std::uint32_t moved = whole / g.unit * g.unit;
  return moved >= standing + g.segment ? moved : standing;
}

}  // namespace braid::tcp
