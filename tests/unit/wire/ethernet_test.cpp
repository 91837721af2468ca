// VLAN tags: IEEE 802.1Q, and two of them (802.1ad).
#include "wire/ethernet.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace braid::wire {
namespace {

// Two addresses, then the 16-bit words given.
std::vector<std::byte> frame(std::initializer_list<std::uint16_t> words) {
  std::vector<std::byte> out(12);
  for (const std::uint16_t w : words) {
    out.push_back(static_cast<std::byte>(w >> 8));
    out.push_back(static_cast<std::byte>(w & 0xff));
  }
  return out;
}

Vlan vlan(std::initializer_list<std::pair<std::uint16_t, std::uint16_t>> tags) {
  Vlan v;
  for (const auto& [type, id] : tags) EXPECT_TRUE(v.push(type, id));
  return v;
}

TEST(Ethernet, WithoutTags) {
  const EthernetHeader h = parse_ethernet(frame({kEtherIpv4}));
  EXPECT_EQ(h.type, kEtherIpv4);
  EXPECT_EQ(h.size, 14U);
  EXPECT_FALSE(h.vlan.any());
}

TEST(Ethernet, PriorityBitsAreNoPartOfTheId) {
  const EthernetHeader h = parse_ethernet(frame({kEtherVlan, 0xf064, kEtherIpv6}));
  EXPECT_EQ(h.type, kEtherIpv6);
  EXPECT_EQ(h.size, 18U);
  EXPECT_EQ(h.vlan, vlan({{kEtherVlan, 100}}));
}

TEST(Ethernet, TwoTagsOutermostFirst) {
  const EthernetHeader h = parse_ethernet(frame({kEtherServiceVlan, 10, kEtherVlan, 20, kEtherIpv4}));
  EXPECT_EQ(h.type, kEtherIpv4);
  EXPECT_EQ(h.size, 22U);
  EXPECT_EQ(h.vlan, vlan({{kEtherServiceVlan, 10}, {kEtherVlan, 20}}));
  EXPECT_EQ(h.vlan.bytes(), 8U);
}

TEST(Ethernet, PriorityTagNamesNoVlan) {
  const EthernetHeader h = parse_ethernet(frame({kEtherVlan, 0xa000, kEtherIpv4}));
  EXPECT_EQ(h.type, kEtherIpv4);
  EXPECT_EQ(h.size, 18U);
  EXPECT_FALSE(h.vlan.any());
}

TEST(Ethernet, ThirdTagAndTornTagAreLeftAlone) {
  EXPECT_EQ(parse_ethernet(frame({kEtherVlan, 1, kEtherVlan, 2, kEtherVlan, 3, kEtherIpv4})).type,
            kEtherVlan);
  const EthernetHeader torn = parse_ethernet(frame({kEtherVlan, 1}));
  EXPECT_EQ(torn.type, kEtherVlan);
  EXPECT_EQ(torn.size, 14U);
}

TEST(Ethernet, IdsTellOneTagFromTwoAndOuterFromInner) {
  const Vlan one = vlan({{kEtherVlan, 10}});
  const Vlan two = vlan({{kEtherServiceVlan, 10}, {kEtherVlan, 20}});
  const Vlan turned = vlan({{kEtherVlan, 20}, {kEtherVlan, 10}});
  EXPECT_NE(one.ids(), two.ids());
  EXPECT_NE(two.ids(), turned.ids());
  EXPECT_EQ(two.ids(), vlan({{kEtherVlan, 10}, {kEtherVlan, 20}}).ids()) << "types do not matter";
  Vlan full = two;
  EXPECT_FALSE(full.push(kEtherVlan, 30));
}

}  // namespace
}  // namespace braid::wire
