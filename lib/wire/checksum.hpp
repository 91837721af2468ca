// Internet checksum arithmetic (RFC 1071, RFC 1624). Sums are one's-complement, kept folded to 16 bits in
// *host representation of network words*: the value a big-endian reader would compute.
#pragma once

#include <cstdint>

#include "base/address.hpp"
#include "base/bytes.hpp"

namespace braid::wire {

// Folds a wide accumulator of 16-bit words into 16 bits.
constexpr std::uint16_t fold(std::uint64_t sum) {
  sum = (sum & 0xffffffffULL) + (sum >> 32);
  sum = (sum & 0xffffffffULL) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

// One's-complement sum of big-endian 16-bit words; an odd last byte counts as the high half of a word.
std::uint16_t ones_sum(ByteView bytes);

constexpr std::uint16_t sum_add(std::uint16_t a, std::uint16_t b) {
  const std::uint32_t s = static_cast<std::uint32_t>(a) + b;
  return static_cast<std::uint16_t>((s & 0xffff) + (s >> 16));
}
// a - b in one's complement: removes a part from a sum.
constexpr std::uint16_t sum_sub(std::uint16_t a, std::uint16_t b) {
  return sum_add(a, static_cast<std::uint16_t>(~b));
}
// The sum of bytes that begin at an odd offset of the whole has its halves swapped (RFC 1071 2 (B)).
constexpr std::uint16_t sum_swap(std::uint16_t s) { return static_cast<std::uint16_t>(s << 8 | s >> 8); }

// Sum of the TCP pseudo header (RFC 9293 3.1; RFC 8200 8.1). `tcp_length`: header and payload bytes.
std::uint16_t pseudo_header_sum(const Ip& a, const Ip& b, std::uint32_t tcp_length);

}  // namespace braid::wire
