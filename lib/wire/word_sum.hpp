// Unfolded one's-complement sums over little-endian words, for `wire` itself: a 64-bit accumulator with
// end-around carry. Swapping the halves of the folded result gives the sum of the big-endian words (RFC 1071
// 2 (B)).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "wire/checksum.hpp"

namespace braid::wire {

inline std::uint64_t add_carry(std::uint64_t a, std::uint64_t b) {
  const std::uint64_t s = a + b;
  return s + (s < a ? 1 : 0);
}

template <class Word>
std::uint64_t load_le(const std::byte* p) {
  Word v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

// `start` plus the words of `n` bytes; an odd last byte is the low half of its word.
inline std::uint64_t sum_words(const std::byte* p, std::size_t n, std::uint64_t start) {
  std::uint64_t sum = start;
  for (; n >= 8; p += 8, n -= 8) sum = add_carry(sum, load_le<std::uint64_t>(p));
  std::uint64_t tail = 0;
  if ((n & 4) != 0) {
    tail = load_le<std::uint32_t>(p);
    p += 4;
  }
  if ((n & 2) != 0) {
    tail += load_le<std::uint16_t>(p);
    p += 2;
  }
  if ((n & 1) != 0) tail += load_le<std::uint8_t>(p);
  return add_carry(sum, tail);
}

// Folds a little-endian accumulator into the value a big-endian reader would compute.
inline std::uint16_t fold_le(std::uint64_t sum) { return sum_swap(fold(sum)); }

}  // namespace braid::wire
