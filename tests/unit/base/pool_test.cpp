#include "base/pool.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <vector>

#include "base/random.hpp"

namespace braid {
namespace {

struct Counted {
  static inline int alive = 0;
  explicit Counted(int v) : value(v) { ++alive; }
  ~Counted() { --alive; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  int value;
};

struct alignas(128) Wide {
  std::uint8_t byte = 0;
};

TEST(Pool, BoundIsHardAndCounted) {
  Pool<Counted> pool(3);
  std::vector<Counted*> got;
  for (int i = 0; i < 3; ++i) got.push_back(pool.get(i));
  EXPECT_EQ(pool.get(9), nullptr);
  EXPECT_EQ(pool.get(9), nullptr);
  EXPECT_EQ(pool.refused(), 2U);
  EXPECT_EQ(pool.in_use(), 3U);
  EXPECT_EQ(Counted::alive, 3);
  pool.put(got[1]);
  EXPECT_EQ(Counted::alive, 2);
  Counted* again = pool.get(7);
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(again->value, 7);
  got[1] = again;
  for (auto* c : got) pool.put(c);
  EXPECT_EQ(pool.in_use(), 0U);
  EXPECT_EQ(Counted::alive, 0);
}

TEST(Pool, EmptyPoolRefuses) {
  Pool<int> pool(0);
  EXPECT_EQ(pool.get(1), nullptr);
  EXPECT_EQ(pool.refused(), 1U);
}

TEST(Pool, IndexAndAddressBelongTogether) {
  Pool<Counted> pool(64);
  std::set<std::uint32_t> seen;
  std::vector<Counted*> all;
  for (int i = 0; i < 64; ++i) {
    Counted* c = pool.get(i);
    ASSERT_NE(c, nullptr);
    EXPECT_LT(pool.index_of(c), 64U);
    EXPECT_EQ(pool.at(pool.index_of(c)), c);
    EXPECT_TRUE(seen.insert(pool.index_of(c)).second);
    all.push_back(c);
  }
  for (auto* c : all) pool.put(c);
}

TEST(Pool, KeepsTheTypesAlignment) {
  Pool<Wide> pool(5);
  for (int i = 0; i < 5; ++i) {
    auto* w = pool.get();
    ASSERT_NE(w, nullptr);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(w) % alignof(Wide), 0U);
  }
}

TEST(Pool, LowIndicesAreReusedBeforeFreshMemoryIsTouched) {
  Pool<int> pool(1000);
  for (int i = 0; i < 100; ++i) pool.put(pool.get(i));
  EXPECT_EQ(pool.index_of(pool.get(0)), 0U);
}

TEST(Pool, FailureInjectionRefusesEveryNth) {
  Pool<int> pool(100);
  pool.fail_every(3);
  std::vector<bool> ok;
  for (int i = 0; i < 7; ++i) ok.push_back(pool.get(i) != nullptr);
  EXPECT_EQ(ok, (std::vector<bool>{true, true, false, true, true, false, true}));
  EXPECT_EQ(pool.refused(), 2U);
  pool.fail_every(0);
  for (int i = 0; i < 20; ++i) EXPECT_NE(pool.get(i), nullptr);
}

TEST(Pool, RandomUseNeverHandsOutOneObjectTwice) {
  Rng rng(5);
  Pool<std::uint64_t> pool(50);
  std::vector<std::pair<std::uint64_t*, std::uint64_t>> held;
  for (int i = 0; i < 20'000; ++i) {
    if (rng.below(2) == 0) {
      const std::uint64_t mark = rng.next();
      if (auto* p = pool.get(mark)) {
        held.emplace_back(p, mark);
      } else {
        ASSERT_EQ(held.size(), 50U);
      }
    } else if (!held.empty()) {
      const std::size_t k = rng.below(static_cast<std::uint32_t>(held.size()));
      ASSERT_EQ(*held[k].first, held[k].second) << "overwritten while in use";
      pool.put(held[k].first);
      held[k] = held.back();
      held.pop_back();
    }
    ASSERT_EQ(pool.in_use(), held.size());
  }
}

}  // namespace
}  // namespace braid
