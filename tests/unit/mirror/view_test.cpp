// The picture of the kernel's state, and the frames that wait for a neighbour.
#include <gtest/gtest.h>

#include "base/limits.hpp"
#include "mirror/kernel_view.hpp"
#include "mirror/neighbour_queue.hpp"

namespace braid::mirror {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Ip kHere = Ip::v4(0xc6120001);
constexpr Ip kPeer = Ip::v4(0xc6120002);
const Mac kMac{{2, 0, 0, 0, 0, 1}};
const Mac kPeerMac{{2, 0, 0, 0, 0, 2}};

struct View : testing::Test {
  KernelView view{{{0, 7}, {1, 8}}};
  View() {
    view.apply(LinkEvent{false, 7, "braid-a", kMac, 1500, true});
    view.apply(AddressEvent{false, 7, {kHere, 24}});
    view.apply(route(Prefix{Ip::v4(0xc6120000), 24}, 0, 7, {}));
  }
  static RouteEvent route(Prefix p, std::uint32_t metric, int index, Ip gateway) {
    RouteEvent e;
    e.prefix = p;
    e.metric = metric;
    e.hops = {{index, gateway}};
    return e;
  }
};

TEST_F(View, NeighbourBecomesAHop) {
  auto hop = view.table().resolve(kPeer);
  ASSERT_TRUE(hop);
  EXPECT_FALSE(hop->resolved);
  EXPECT_TRUE(view.apply(NeighbourEvent{7, kPeer, Reach::confirmed, kPeerMac}));
  hop = view.table().resolve(kPeer);
  ASSERT_TRUE(hop && hop->resolved);
  EXPECT_EQ(hop->destination, kPeerMac);
  EXPECT_EQ(hop->source, kMac);
  EXPECT_EQ(hop->mtu, 1500);
}

TEST_F(View, ReachableAndStaleServeAlike) {
  view.apply(NeighbourEvent{7, kPeer, Reach::confirmed, kPeerMac});
  EXPECT_FALSE(view.apply(NeighbourEvent{7, kPeer, Reach::stale, kPeerMac})) << "workers need no new table";
  EXPECT_TRUE(view.apply(NeighbourEvent{7, kPeer, Reach::stale, kMac})) << "another link address is news";
  EXPECT_TRUE(view.apply(NeighbourEvent{7, kPeer, Reach::failed, {}}));
  EXPECT_FALSE(view.mac_of({0, kPeer}));
}

TEST_F(View, SettledNeighboursAreToldOnce) {
  view.apply(NeighbourEvent{7, kPeer, Reach::unknown, {}});
  EXPECT_TRUE(view.take_settled().empty());
  view.apply(NeighbourEvent{7, kPeer, Reach::confirmed, kPeerMac});
  const auto settled = view.take_settled();
  ASSERT_EQ(settled.size(), 1U);
  EXPECT_EQ(settled[0].mac, kPeerMac);
  EXPECT_TRUE(view.take_settled().empty());
  view.apply(NeighbourEvent{7, kPeer, Reach::failed, {}});
  ASSERT_EQ(view.take_settled().size(), 1U);
}

TEST_F(View, OtherDevicesChangeNothing) {
  EXPECT_FALSE(view.apply(LinkEvent{false, 99, "eth0", kMac, 1500, true}));
  EXPECT_FALSE(view.apply(AddressEvent{false, 99, {kPeer, 24}}));
  EXPECT_FALSE(view.apply(route(Prefix{Ip::v4(0), 0}, 0, 99, kPeer)));
  EXPECT_FALSE(view.apply(NeighbourEvent{99, kPeer, Reach::confirmed, kPeerMac}));
  EXPECT_FALSE(view.table().resolve(Ip::v4(0x08080808)));
}

LinkEvent vlan_event(int index, int parent, std::uint16_t type, std::uint16_t id) {
  LinkEvent e{false, index, "vlan", kMac, 1500, true};
  e.parent = parent;
  e.vlan_type = type;
  e.vlan_id = id;
  return e;
}

TEST_F(View, VlanDeviceOnAMirrorDeviceIsALink) {
  EXPECT_TRUE(view.apply(vlan_event(20, 8, wire::kEtherServiceVlan, 10)));
  EXPECT_TRUE(view.apply(vlan_event(21, 20, wire::kEtherVlan, 20)));
  EXPECT_FALSE(view.apply(vlan_event(22, 21, wire::kEtherVlan, 30))) << "a third tag";
  EXPECT_FALSE(view.apply(vlan_event(23, 99, wire::kEtherVlan, 40))) << "on somebody else's device";
  view.apply(route(Prefix{Ip::v4(0xc6130000), 16}, 0, 21, {}));
  view.apply(NeighbourEvent{21, Ip::v4(0xc6130007), Reach::confirmed, kPeerMac});
  const auto hop = view.table().resolve(Ip::v4(0xc6130007));
  ASSERT_TRUE(hop && hop->resolved);
  EXPECT_EQ(hop->port, 1);
  EXPECT_GE(hop->link, limits::kMaxPorts);
  EXPECT_EQ(hop->vlan.ids(), 10U << 16 | 20U);
  EXPECT_EQ(view.index_of(hop->link), 21);
  EXPECT_EQ(view.mac_of({hop->link, Ip::v4(0xc6130007)}), kPeerMac);
}

TEST_F(View, VlanDeviceThatGoesTakesItsNeighboursAlong) {
  view.apply(vlan_event(20, 8, wire::kEtherVlan, 10));
  view.apply(route(Prefix{Ip::v4(0xc6130000), 16}, 0, 20, {}));
  view.apply(NeighbourEvent{20, Ip::v4(0xc6130007), Reach::confirmed, kPeerMac});
  const wire::LinkId link = view.table().resolve(Ip::v4(0xc6130007))->link;
  view.routes_read();
  LinkEvent gone = vlan_event(20, 8, wire::kEtherVlan, 10);
  gone.gone = true;
  EXPECT_TRUE(view.apply(gone));
  EXPECT_TRUE(view.routes_doubtful());
  EXPECT_FALSE(view.table().resolve(Ip::v4(0xc6130007)));
  EXPECT_FALSE(view.index_of(link));
  view.apply(vlan_event(25, 7, wire::kEtherVlan, 11));
  EXPECT_EQ(view.index_of(link), 25) << "the number is free again";
  EXPECT_FALSE(view.mac_of({link, Ip::v4(0xc6130007)})) << "but not its neighbours";
}

TEST_F(View, FullReadingBeginsWithoutVlans) {
  view.apply(vlan_event(20, 8, wire::kEtherVlan, 10));
  view.forget_all();
  wire::Vlan vlan;
  vlan.push(wire::kEtherVlan, 10);
  EXPECT_FALSE(view.table().has_vlan(1, vlan));
  EXPECT_TRUE(view.index_of(1)) << "ports stay";
}

TEST_F(View, RouteIsReplacedAndRemoved) {
  const Prefix all{Ip::v4(0), 0};
  const Ip far = Ip::v4(0xc6130001);
  const Ip first = Ip::v4(0xc61200fe);
  const Ip second = Ip::v4(0xc61200fd);
  view.apply(route(all, 100, 7, first));
  EXPECT_EQ(view.table().resolve(far)->next, first);
  RouteEvent replacement = route(all, 100, 7, second);
  replacement.replaces = true;
  EXPECT_TRUE(view.apply(replacement));
  EXPECT_EQ(view.table().resolve(far)->next, second);
  replacement.gone = true;
  EXPECT_TRUE(view.apply(replacement));
  EXPECT_FALSE(view.table().resolve(far));
}

TEST_F(View, MultipathTakesTheFirstHopOnAMirrorDevice) {
  RouteEvent e;
  e.prefix = {Ip::v4(0), 0};
  e.hops = {{99, Ip::v4(0x0a000001)}, {7, kPeer}, {8, kHere}};
  view.apply(e);
  EXPECT_EQ(view.table().resolve(Ip::v4(0xc6130001))->next, kPeer);
}

TEST_F(View, LostLinkOrAddressMakesRoutesDoubtful) {  // the kernel drops IPv4 routes silently then
  EXPECT_FALSE(view.routes_doubtful());
  view.apply(LinkEvent{false, 7, "braid-a", kMac, 1500, false});
  EXPECT_TRUE(view.routes_doubtful());
  EXPECT_FALSE(view.table().resolve(kPeer)) << "a route over a port without link is none";
  view.routes_read();
  view.apply(AddressEvent{true, 7, {kHere, 24}});
  EXPECT_TRUE(view.routes_doubtful());
}

TEST_F(View, GlobalAddressIsTheDefaultSource) {
  const Ip link_local = Ip::v6(0xfe80000000000000, 1);
  const Ip global = Ip::v6(0x20010db800000000, 1);
  view.apply(AddressEvent{false, 7, {link_local, 64}});
  view.apply(AddressEvent{false, 7, {global, 64}});
  view.apply(route(Prefix{Ip::v6(0, 0), 0}, 0, 7, link_local));
  EXPECT_EQ(view.table().source_for(Ip::v6(0x20010db800010000, 5)), global);
  EXPECT_TRUE(view.table().is_local(link_local));
}

TEST_F(View, StaleNeighboursAreProbedNowAndThen) {
  const Instant t0 = Instant{} + seconds(100);
  view.apply(NeighbourEvent{7, kPeer, Reach::confirmed, kPeerMac});
  EXPECT_TRUE(view.stale_to_probe(t0, seconds(30), 8).empty());
  view.apply(NeighbourEvent{7, kPeer, Reach::stale, kPeerMac});
  EXPECT_EQ(view.stale_to_probe(t0, seconds(30), 8).size(), 1U);
  EXPECT_TRUE(view.stale_to_probe(t0 + seconds(29), seconds(30), 8).empty());
  EXPECT_EQ(view.stale_to_probe(t0 + seconds(30), seconds(30), 8).size(), 1U);
}

rte_mbuf* fake_frame(std::uintptr_t n) { return reinterpret_cast<rte_mbuf*>(n); }

TEST(NeighbourQueue, ReleasesInOrderAndIsBounded) {
  NeighbourQueue q;
  const NeighbourQueue::Neighbour a{0, kPeer};
  for (std::uintptr_t i = 1; i <= NeighbourQueue::kPerNeighbour; ++i)
    EXPECT_TRUE(q.hold(a, {fake_frame(i), 0, 0, {}}));
  EXPECT_FALSE(q.hold(a, {fake_frame(999), 0, 0, {}})) << "the bound per neighbour";
  const auto out = q.release(a);
  ASSERT_EQ(out.size(), NeighbourQueue::kPerNeighbour);
  EXPECT_EQ(out.front().frame, fake_frame(1));
  EXPECT_EQ(out.back().frame, fake_frame(NeighbourQueue::kPerNeighbour));
  EXPECT_EQ(q.size(), 0U);
  EXPECT_FALSE(q.waits(a));
}

TEST(NeighbourQueue, IsBoundedInAll) {
  NeighbourQueue q;
  std::size_t held = 0;
  for (std::uint32_t i = 0; i < 2 * NeighbourQueue::kTotal; ++i) {
    held += q.hold({0, Ip::v4(i)}, {fake_frame(i + 1), 0, 0, {}}) ? 1 : 0;
  }
  EXPECT_EQ(held, NeighbourQueue::kTotal);
  EXPECT_EQ(q.clear().size(), NeighbourQueue::kTotal);
  EXPECT_TRUE(q.hold({0, kPeer}, {fake_frame(1), 0, 0, {}}));
}

TEST(NeighbourQueue, OnlyOldFramesExpire) {
  NeighbourQueue q;
  EXPECT_EQ(q.next_due(), kNever);
  const Instant t0 = Instant{} + seconds(5);
  q.hold({0, kPeer}, {fake_frame(1), 3, 0, t0});
  q.hold({0, kPeer}, {fake_frame(2), 0, 0, t0 + seconds(1)});
  EXPECT_EQ(q.next_due(), t0 + NeighbourQueue::kLimit);
  EXPECT_TRUE(q.expire(t0 + NeighbourQueue::kLimit).empty());
  const auto out = q.expire(t0 + NeighbourQueue::kLimit + milliseconds(1));
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].worker, 3);
  EXPECT_EQ(q.size(), 1U);
}

}  // namespace
}  // namespace braid::mirror
