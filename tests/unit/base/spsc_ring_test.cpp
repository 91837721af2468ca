#include "base/spsc_ring.hpp"

#include <gtest/gtest.h>

#include <array>
#include <thread>

namespace braid {
namespace {

TEST(SpscRing, CapacityIsRoundedUpToAPowerOfTwo) {
  EXPECT_EQ(SpscRing<int>(1).capacity(), 1U);
  EXPECT_EQ(SpscRing<int>(5).capacity(), 8U);
  EXPECT_EQ(SpscRing<int>(8).capacity(), 8U);
}

TEST(SpscRing, FullRefusesAndKeepsOrder) {
  SpscRing<int> ring(4);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(ring.push(i));
  EXPECT_FALSE(ring.push(99));
  EXPECT_EQ(ring.size(), 4U);
  std::array<int, 3> out{};
  EXPECT_EQ(ring.pop(out), 3U);
  EXPECT_EQ(out, (std::array<int, 3>{0, 1, 2}));
  EXPECT_TRUE(ring.push(4));
  std::array<int, 8> rest{};
  std::size_t n = ring.pop(rest);
  n += ring.pop(std::span(rest).subspan(n));
  ASSERT_EQ(n, 2U);
  EXPECT_EQ(rest[0], 3);
  EXPECT_EQ(rest[1], 4);
  EXPECT_EQ(ring.pop(rest), 0U);
}

TEST(SpscRing, TwoThreadsLoseAndInventNothing) {
  constexpr std::uint64_t kCount = 200'000;
  SpscRing<std::uint64_t> ring(64);
  std::thread writer([&ring] {
    for (std::uint64_t i = 0; i < kCount;) {
      if (ring.push(i * 3)) {
        ++i;
      } else {
        std::this_thread::yield();
      }
    }
  });
  std::uint64_t expected = 0;
  bool in_order = true;
  std::array<std::uint64_t, 17> out{};
  while (expected < kCount) {
    const std::size_t n = ring.pop(out);
    for (std::size_t i = 0; i < n; ++i) in_order &= out[i] == expected++ * 3;
    if (n == 0) std::this_thread::yield();
  }
  writer.join();
  EXPECT_TRUE(in_order);
  EXPECT_EQ(expected, kCount);
  EXPECT_EQ(ring.size(), 0U);
}

}  // namespace
}  // namespace braid
