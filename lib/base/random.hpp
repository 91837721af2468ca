// Randomness as an argument. `Rng` is a fast seeded generator (xoshiro256**, Blackman and Vigna 2018) for
// simulation, ports and jitter; `siphash` is the keyed hash (SipHash-2-4, Aumasson and Bernstein 2012) where
// an outsider must not predict the result: initial sequence numbers, table hashes.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/address.hpp"

namespace braid {

class Rng {
 public:
  explicit Rng(std::uint64_t seed) {
    for (auto& word : s_) {  // splitmix64 spreads a small seed over the state
      seed += 0x9e3779b97f4a7c15ULL;
      std::uint64_t z = seed;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
      z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
      word = z ^ (z >> 31);
    }
  }

  std::uint64_t next() {
    const std::uint64_t result = std::rotl(s_[1] * 5, 7) * 9;
    const std::uint64_t t = s_[1] << 17;
    s_[2] ^= s_[0];
    s_[3] ^= s_[1];
    s_[1] ^= s_[2];
    s_[0] ^= s_[3];
    s_[2] ^= t;
    s_[3] = std::rotl(s_[3], 45);
    return result;
  }
  std::uint32_t next32() { return static_cast<std::uint32_t>(next() >> 32); }
  // Uniform in [0, bound), bound > 0 (Lemire's multiply-shift; bias below 2^-32 for bounds under 2^32).
  std::uint32_t below(std::uint32_t bound) {
    return static_cast<std::uint32_t>((static_cast<std::uint64_t>(next32()) * bound) >> 32);
  }
  // Uniform in [0, 1).
  double unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

 private:
  std::uint64_t s_[4];
};

struct SipKey {
  std::uint64_t k0 = 0;
  std::uint64_t k1 = 0;
};

std::uint64_t siphash(SipKey key, std::span<const std::uint64_t> words);

// Keyed hash of a connection's name.
std::uint64_t siphash(SipKey key, const Flow& flow);

}  // namespace braid
