#include "wire/routes.hpp"

#include <gtest/gtest.h>

namespace braid::wire {
namespace {

Ip ip(const char* text) { return *parse_ip(text); }
Mac mac(std::uint8_t last) { return Mac{{2, 0, 0, 0, 0, last}}; }

RouteTable::Route route(const char* prefix, LinkId link, const char* gateway = nullptr,
                        std::uint32_t metric = 0) {
  RouteTable::Route r;
  r.prefix = *parse_prefix(prefix);
  r.link = link;
  if (gateway != nullptr) r.gateway = ip(gateway);
  r.metric = metric;
  return r;
}

class Routes : public testing::Test {
 protected:
  Routes() {
    table.add_link(0, {.port = 0, .up = true, .mtu = 1500, .mac = mac(10)});
    table.add_link(1, {.port = 1, .up = true, .mtu = 9000, .mac = mac(11)});
    table.add_address(0, *parse_prefix("198.18.0.1/24"));
    table.add_address(0, *parse_prefix("fe80::1/64"));
    table.add_address(0, *parse_prefix("2001:db8::1/64"));
    table.add_address(1, *parse_prefix("198.19.0.1/24"));
    table.add_route(route("198.18.0.0/24", 0));
    table.add_route(route("198.19.0.0/24", 1));
    table.add_route(route("2001:db8::/64", 0));
    table.add_route(route("fe80::/64", 0));
    table.add_route(route("0.0.0.0/0", 0, "198.18.0.254"));
  }
  RouteTable table;
};

TEST_F(Routes, OnLinkTargetIsItsOwnNextHop) {
  const auto hop = table.resolve(ip("198.18.0.7"));
  ASSERT_TRUE(hop);
  EXPECT_EQ(hop->port, 0);
  EXPECT_EQ(hop->next, ip("198.18.0.7"));
  EXPECT_EQ(hop->source, mac(10));
  EXPECT_FALSE(hop->resolved);
  table.add_neighbour(0, ip("198.18.0.7"), mac(7));
  EXPECT_TRUE(table.resolve(ip("198.18.0.7"))->resolved);
  EXPECT_EQ(table.resolve(ip("198.18.0.7"))->destination, mac(7));
}

TEST_F(Routes, GatewayIsResolvedInsteadOfTheTarget) {
  table.add_neighbour(0, ip("198.18.0.254"), mac(99));
  const auto hop = table.resolve(ip("203.0.113.5"));
  ASSERT_TRUE(hop);
  EXPECT_EQ(hop->next, ip("198.18.0.254"));
  EXPECT_EQ(hop->destination, mac(99));
}

TEST_F(Routes, NeighboursOfAnotherPortDoNotCount) {
  table.add_neighbour(1, ip("198.18.0.7"), mac(7));
  EXPECT_FALSE(table.resolve(ip("198.18.0.7"))->resolved);
}

TEST_F(Routes, LongestPrefixWins) {
  table.add_route(route("198.18.0.128/25", 1));
  table.add_route(route("198.18.0.200/32", 0));
  EXPECT_EQ(table.resolve(ip("198.18.0.127"))->port, 0);
  EXPECT_EQ(table.resolve(ip("198.18.0.128"))->port, 1);
  EXPECT_EQ(table.resolve(ip("198.18.0.200"))->port, 0);
}

TEST_F(Routes, HostBitsInAPrefixDoNotMatter) {
  table.add_route(route("203.0.113.77/24", 1));
  EXPECT_EQ(table.resolve(ip("203.0.113.1"))->port, 1);
}

TEST_F(Routes, LowerMetricWinsWhateverTheOrder) {
  table.add_route(route("203.0.113.0/24", 0, nullptr, 100));
  table.add_route(route("203.0.113.0/24", 1, nullptr, 50));
  EXPECT_EQ(table.resolve(ip("203.0.113.1"))->port, 1);
  table.add_route(route("203.0.114.0/24", 1, nullptr, 50));
  table.add_route(route("203.0.114.0/24", 0, nullptr, 100));
  EXPECT_EQ(table.resolve(ip("203.0.114.1"))->port, 1);
}

TEST_F(Routes, PortsThatAreDownAreLeftOut) {
  table.add_route(route("203.0.113.0/24", 1));
  table.add_link(1, {.port = 1, .up = false, .mtu = 9000, .mac = mac(11)});
  EXPECT_EQ(table.resolve(ip("203.0.113.1"))->port, 0) << "the default route takes over";
  EXPECT_EQ(table.resolve(ip("198.19.0.1"))->port, 0);
  table.add_link(0, {.port = 0, .up = false, .mtu = 1500, .mac = mac(10)});
  EXPECT_FALSE(table.resolve(ip("203.0.113.1")));
  EXPECT_FALSE(table.source_for(ip("203.0.113.1")));
}

TEST_F(Routes, RoutesOfUnknownPortsAreLeftOut) {
  table.add_route(route("203.0.113.0/24", 7));
  EXPECT_EQ(table.resolve(ip("203.0.113.1"))->port, 0);
}

TEST_F(Routes, FamiliesAreApart) {
  EXPECT_FALSE(table.resolve(ip("2001:db9::1"))) << "the IPv4 default route is none for IPv6";
  EXPECT_EQ(table.resolve(ip("2001:db8::77"))->next, ip("2001:db8::77"));
}

TEST_F(Routes, MtuIsTheLowerOfRouteAndPort) {
  auto narrow = route("203.0.113.0/24", 1);
  narrow.mtu = 1400;
  table.add_route(narrow);
  auto wide = route("203.0.114.0/24", 0);
  wide.mtu = 9000;
  table.add_route(wide);
  EXPECT_EQ(table.resolve(ip("203.0.113.1"))->mtu, 1400);
  EXPECT_EQ(table.resolve(ip("203.0.114.1"))->mtu, 1500);
  EXPECT_EQ(table.resolve(ip("198.19.0.9"))->mtu, 9000);
}

TEST_F(Routes, SourceIsTheRoutesOwnOrThePortsFirst) {
  EXPECT_EQ(table.source_for(ip("203.0.113.1")), ip("198.18.0.1"));
  auto with_source = route("203.0.113.0/24", 0);
  with_source.source = ip("198.18.0.9");
  table.add_route(with_source);
  EXPECT_EQ(table.source_for(ip("203.0.113.1")), ip("198.18.0.9"));
}

TEST_F(Routes, Rfc6724LinkLocalSourceOnlyForLinkLocalTargets) {
  EXPECT_EQ(table.source_for(ip("2001:db8::77")), ip("2001:db8::1"));
  EXPECT_EQ(table.source_for(ip("fe80::77")), ip("fe80::1"));
}

TEST_F(Routes, LocalAddresses) {
  EXPECT_TRUE(table.is_local(ip("198.19.0.1")));
  EXPECT_TRUE(table.is_local(ip("2001:db8::1")));
  EXPECT_FALSE(table.is_local(ip("198.19.0.2")));
}

TEST_F(Routes, Rfc5549Ipv4ByAnIpv6Gateway) {
  table.add_route(route("203.0.113.0/24", 0, "fe80::fe"));
  table.add_neighbour(0, ip("fe80::fe"), mac(42));
  EXPECT_EQ(table.resolve(ip("203.0.113.1"))->destination, mac(42));
}

TEST_F(Routes, VlanIsALinkOfItsOwn) {
  Vlan vlan;
  vlan.push(kEtherVlan, 100);
  table.add_link(9, {.port = 1, .up = true, .mtu = 1496, .mac = mac(11), .vlan = vlan});
  table.add_address(9, *parse_prefix("203.0.113.1/24"));
  table.add_route(route("203.0.113.0/24", 9));
  table.add_neighbour(9, ip("203.0.113.7"), mac(7));
  table.add_neighbour(1, ip("203.0.113.8"), mac(8));
  auto hop = table.resolve(ip("203.0.113.7"));
  ASSERT_TRUE(hop && hop->resolved);
  EXPECT_EQ(hop->link, 9);
  EXPECT_EQ(hop->port, 1);
  EXPECT_EQ(hop->vlan, vlan);
  EXPECT_EQ(hop->mtu, 1496);
  EXPECT_EQ(table.source_for(ip("203.0.113.7")), ip("203.0.113.1"));
  EXPECT_FALSE(table.resolve(ip("203.0.113.8"))->resolved) << "seen on the port, not in the VLAN";
  EXPECT_TRUE(table.has_vlan(1, vlan));
  EXPECT_FALSE(table.has_vlan(0, vlan)) << "another port";
  EXPECT_NE(table.link(9), nullptr);
  EXPECT_EQ(table.link(5), nullptr);
  EXPECT_EQ(table.link(10), nullptr);
}

}  // namespace
}  // namespace braid::wire
