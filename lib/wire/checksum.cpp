#include "wire/checksum.hpp"

#include <algorithm>
#include <atomic>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "wire/word_sum.hpp"

namespace braid::wire {

namespace {

std::uint64_t sum_portable(const std::byte* p, std::size_t n) { return sum_words(p, n, 0); }

#if defined(__x86_64__)
// Words are made signed by subtracting 2^15, so that one multiply-add joins two of them into 32 bits; what
// was subtracted is added back as a whole. A lane can take 2^15 joins before it overflows: blocks are far
// shorter.
constexpr std::size_t kBlock = std::size_t{1} << 18;

#define BRAID_AVX2 __attribute__((target("avx2"), always_inline)) inline

BRAID_AVX2 __m256i join_words(const std::byte* p) {
  const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  const __m256i biased = _mm256_xor_si256(v, _mm256_set1_epi16(static_cast<short>(0x8000)));
  return _mm256_madd_epi16(biased, _mm256_set1_epi16(1));
}

// Eight signed 32-bit lanes as four 64-bit ones.
BRAID_AVX2 __m256i widen(__m256i v) {
  return _mm256_add_epi64(_mm256_cvtepi32_epi64(_mm256_castsi256_si128(v)),
                          _mm256_cvtepi32_epi64(_mm256_extracti128_si256(v, 1)));
}

BRAID_AVX2 std::uint64_t reduce(__m256i v) {
  const __m128i half = _mm_add_epi64(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  return static_cast<std::uint64_t>(_mm_extract_epi64(half, 0) + _mm_extract_epi64(half, 1));
}

__attribute__((target("avx2"))) std::uint64_t sum_avx2(const std::byte* p, std::size_t n) {
  const std::size_t tail = n % 32;
  const std::uint64_t subtracted = (n - tail) / 2 * 0x8000ULL;
  __m256i total = _mm256_setzero_si256();
  while (n >= 32) {
    const std::size_t take = std::min(n, kBlock) / 32 * 32;
    const std::byte* const end = p + take;
    __m256i a = _mm256_setzero_si256();
    __m256i b = a;
    for (; end - p >= 128; p += 128) {
      a = _mm256_add_epi32(a, _mm256_add_epi32(join_words(p), join_words(p + 32)));
      b = _mm256_add_epi32(b, _mm256_add_epi32(join_words(p + 64), join_words(p + 96)));
    }
    for (; p != end; p += 32) a = _mm256_add_epi32(a, join_words(p));
    total = _mm256_add_epi64(total, _mm256_add_epi64(widen(a), widen(b)));
    n -= take;
  }
  return sum_words(p, tail, reduce(total) + subtracted);
}
#undef BRAID_AVX2
#endif

using Sum = std::uint64_t (*)(const std::byte*, std::size_t);

std::uint64_t sum_first(const std::byte* p, std::size_t n);
std::atomic<Sum> best_sum{sum_first};

// The first call decides for the CPU it runs on; the choice never changes, so relaxed order suffices.
std::uint64_t sum_first(const std::byte* p, std::size_t n) {
  Sum best = sum_portable;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") != 0) best = sum_avx2;
#endif
  best_sum.store(best, std::memory_order_relaxed);
  return best(p, n);
}

// Below this the set-up of the wide loop costs more than it saves.
constexpr std::size_t kShort = 96;

}  // namespace

std::uint16_t ones_sum(ByteView bytes) {
  const std::byte* p = bytes.data();
  const std::size_t n = bytes.size();
  const std::uint64_t sum = n < kShort ? sum_words(p, n, 0) : best_sum.load(std::memory_order_relaxed)(p, n);
  return fold_le(sum);
}

std::uint16_t pseudo_header_sum(const Ip& a, const Ip& b, std::uint32_t tcp_length) {
  constexpr std::uint64_t kProtocol = 6;
  if (a.is_v4()) return fold(std::uint64_t{a.v4()} + b.v4() + tcp_length + kProtocol);
  std::uint64_t sum = add_carry(a.hi, a.lo);
  sum = add_carry(sum, b.hi);
  sum = add_carry(sum, b.lo);
  return fold(add_carry(sum, tcp_length + kProtocol));
}

}  // namespace braid::wire
