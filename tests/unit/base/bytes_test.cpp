#include "base/bytes.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "base/list.hpp"

namespace braid {
namespace {

TEST(Bytes, WriterAndReaderAreInverse) {
  std::array<std::byte, 15> room{};
  Writer w(room);
  w.be(std::uint8_t{0x01});
  w.be(std::uint16_t{0x0203});
  w.be(std::uint32_t{0x04050607});
  w.be(std::uint64_t{0x08090a0b0c0d0e0f});
  EXPECT_TRUE(w.ok());
  EXPECT_EQ(w.written(), 15U);
  EXPECT_EQ(w.left(), 0U);
  for (std::size_t i = 0; i < room.size(); ++i) EXPECT_EQ(std::to_integer<std::size_t>(room[i]), i + 1);
  Reader r(room);
  EXPECT_EQ(r.be<std::uint8_t>(), 1U);
  EXPECT_EQ(r.be<std::uint16_t>(), 0x0203U);
  EXPECT_EQ(r.be<std::uint32_t>(), 0x04050607U);
  EXPECT_EQ(r.be<std::uint64_t>(), 0x08090a0b0c0d0e0fULL);
  EXPECT_TRUE(r.ok());
  EXPECT_EQ(r.left(), 0U);
}

TEST(Bytes, ShortReadFailsForGood) {
  const std::array<std::byte, 3> bytes{std::byte{1}, std::byte{2}, std::byte{3}};
  Reader r(bytes);
  EXPECT_EQ(r.be<std::uint32_t>(), 0U);
  EXPECT_FALSE(r.ok());
  EXPECT_EQ(r.be<std::uint8_t>(), 0U) << "bytes behind a failed read must not be handed out";
  EXPECT_TRUE(r.take(1).empty());
  EXPECT_FALSE(r.ok());
}

TEST(Bytes, ShortWriteLeavesTheRestAlone) {
  std::array<std::byte, 4> room{};
  Writer w{ByteSpan(room).first(3)};
  w.be(std::uint32_t{0xffffffff});
  EXPECT_FALSE(w.ok());
  w.bytes(std::array<std::byte, 4>{});
  EXPECT_FALSE(w.ok());
  EXPECT_EQ(w.written(), 0U);
  EXPECT_EQ(room, (std::array<std::byte, 4>{}));
}

struct HookA : ListHook {};
struct HookB : ListHook {};
struct Node : HookA, HookB {
  explicit Node(int v) : value(v) {}
  int value;
};

TEST(List, OneElementOnTwoLists) {
  List<Node, HookA> a;
  List<Node, HookB> b;
  Node one(1);
  Node two(2);
  Node three(3);
  for (Node* n : {&one, &two, &three}) a.push_back(*n);
  b.push_back(three);
  b.push_back(one);
  static_cast<HookA&>(two).unlink();
  static_cast<HookA&>(two).unlink();  // harmless twice
  std::vector<int> seen;
  for (Node* n = a.front(); n != nullptr; n = a.next(*n)) seen.push_back(n->value);
  EXPECT_EQ(seen, (std::vector<int>{1, 3}));
  EXPECT_EQ(b.pop_front()->value, 3);
  EXPECT_EQ(b.pop_front()->value, 1);
  EXPECT_EQ(b.pop_front(), nullptr);
  EXPECT_TRUE(b.empty());
  EXPECT_TRUE(static_cast<HookA&>(one).linked());
  EXPECT_FALSE(static_cast<HookB&>(one).linked());
}

}  // namespace
}  // namespace braid
