// Sequence numbers. Subflow and data sequence numbers are different types, because mixing them is the
// classic MPTCP mistake. Modular order is not a total order, hence `before` and no operator<.
#pragma once

#include <concepts>
#include <cstdint>
#include <type_traits>

namespace braid {

template <class Space, std::unsigned_integral Raw>
struct Seq {
  using Signed = std::make_signed_t<Raw>;
  Raw raw{};

  constexpr Seq() = default;
  constexpr explicit Seq(Raw value) : raw(value) {}

  friend constexpr bool operator==(Seq, Seq) = default;
  friend constexpr Seq operator+(Seq a, Raw n) { return Seq(static_cast<Raw>(a.raw + n)); }
  friend constexpr Seq operator-(Seq a, Raw n) { return Seq(static_cast<Raw>(a.raw - n)); }
  constexpr Seq& operator+=(Raw n) {
    raw = static_cast<Raw>(raw + n);
    return *this;
  }
  // Signed distance from `b` to `a`: positive when a is after b.
  friend constexpr Signed operator-(Seq a, Seq b) { return static_cast<Signed>(a.raw - b.raw); }

  friend constexpr bool before(Seq a, Seq b) { return a - b < 0; }
  friend constexpr bool after(Seq a, Seq b) { return a - b > 0; }
  friend constexpr bool at_or_before(Seq a, Seq b) { return a - b <= 0; }
  friend constexpr bool at_or_after(Seq a, Seq b) { return a - b >= 0; }
  friend constexpr Seq later(Seq a, Seq b) { return before(a, b) ? b : a; }
  friend constexpr Seq earlier(Seq a, Seq b) { return before(a, b) ? a : b; }
};

using SubSeq = Seq<struct SubflowSpace, std::uint32_t>;  // one TCP connection's sequence space
using DataSeq = Seq<struct DataSpace, std::uint64_t>;    // MPTCP data sequence space (RFC 8684 3.3)

// RFC 8684 3.3.1: a 32-bit data sequence number stands for the 64-bit one nearest to a known state;
// it can lie on either side of a wrap of the lower half.
constexpr DataSeq expand(std::uint32_t low, DataSeq near) {
  const auto delta = static_cast<std::int32_t>(low - static_cast<std::uint32_t>(near.raw));
  return DataSeq(near.raw + static_cast<std::uint64_t>(static_cast<std::int64_t>(delta)));
}

}  // namespace braid
