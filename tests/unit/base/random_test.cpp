#include "base/random.hpp"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <vector>

namespace braid {
namespace {

// Reference output of SipHash-2-4 for the key 00..0f over the bytes 00, 01, 02, ... (vectors.h of the
// authors' reference implementation), at the lengths that whole words can express.
TEST(SipHash, ReferenceVectors) {
  const SipKey key{0x0706050403020100, 0x0f0e0d0c0b0a0908};
  const std::vector<std::uint64_t> want{0x726fdb47dd0e0e31, 0x93f5f5799a932462, 0x3f2acc7f57c29bdb,
                                        0xb8ad50c6f649af94};
  std::vector<std::uint64_t> words;
  for (std::size_t n = 0; n < want.size(); ++n) {
    EXPECT_EQ(siphash(key, words), want[n]) << n;
    words.push_back(0x0706050403020100 + n * 0x0808080808080808);
  }
}

TEST(SipHash, EveryPartOfAFlowAndTheKeyMatter) {
  const Flow base{{Ip::v4(0xc0000201), 80}, {Ip::v4(0xc6336402), 4000}};
  std::set<std::uint64_t> seen{siphash(SipKey{1, 2}, base)};
  const auto differs = [&seen](SipKey key, Flow f) { EXPECT_TRUE(seen.insert(siphash(key, f)).second); };
  Flow f = base;
  f.local.port = 81;
  differs({1, 2}, f);
  f = base;
  f.remote.port = 4001;
  differs({1, 2}, f);
  f = base;
  f.local.ip.lo ^= 1;
  differs({1, 2}, f);
  f = base;
  f.remote.ip.hi ^= 1;
  differs({1, 2}, f);
  differs({1, 2}, Flow{base.remote, base.local});
  differs({2, 2}, base);
  differs({1, 3}, base);
}

TEST(Rng, OneSeedOneSequence) {
  Rng a(7);
  Rng b(7);
  Rng c(8);
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    const auto v = a.next();
    EXPECT_EQ(v, b.next());
    differs |= v != c.next();
  }
  EXPECT_TRUE(differs);
}

TEST(Rng, BelowCoversItsRangeEvenly) {
  Rng rng(3);
  std::array<int, 10> hits{};
  for (int i = 0; i < 100'000; ++i) ++hits.at(rng.below(10));
  for (const int h : hits) EXPECT_NEAR(h, 10'000, 500);
  EXPECT_EQ(rng.below(1), 0U);
}

TEST(Rng, UnitStaysInTheHalfOpenInterval) {
  Rng rng(9);
  double sum = 0;
  for (int i = 0; i < 100'000; ++i) {
    const double u = rng.unit();
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    sum += u;
  }
  EXPECT_NEAR(sum / 100'000, 0.5, 0.01);
}

}  // namespace
}  // namespace braid
