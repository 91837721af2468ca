// rtnetlink messages as the kernel sends them. The bytes are built with libmnl here, independently of the
// code under test, in the kernel's own layout (rtnetlink(7)).
#include "mirror/events.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include <cstring>

#include "mirror/requests.hpp"
#include "wire/ethernet.hpp"

namespace braid::mirror {
namespace {

class Message {
 public:
  template <class Header>
  Header* begin(std::uint16_t type, std::uint16_t flags = 0) {
    nlmsghdr* h = mnl_nlmsg_put_header(bytes_);
    h->nlmsg_type = type;
    h->nlmsg_flags = flags;
    return static_cast<Header*>(mnl_nlmsg_put_extra_header(h, sizeof(Header)));
  }
  nlmsghdr* header() { return reinterpret_cast<nlmsghdr*>(bytes_); }
  void ip(std::uint16_t type, const char* text) {
    std::uint8_t raw[16];
    const bool v4 = std::strchr(text, ':') == nullptr;
    inet_pton(v4 ? AF_INET : AF_INET6, text, raw);
    mnl_attr_put(header(), type, v4 ? 4 : 16, raw);
  }
  void mac(std::uint16_t type) { mnl_attr_put(header(), type, 6, "\x02\x00\x00\x00\x00\x09"); }

 private:
  alignas(8) char bytes_[1024] = {};
};

const Mac kMac{{2, 0, 0, 0, 0, 9}};

TEST(Events, VlanDeviceSaysWhatItIsOn) {
  const Request r = add_vlan(7, "wan.100", wire::kEtherServiceVlan, 100);
  auto e = std::get<LinkEvent>(*parse_event(r.header()));  // the kernel tells it in the same form
  EXPECT_EQ(e.name, "wan.100");
  EXPECT_EQ(e.parent, 7);
  EXPECT_EQ(e.vlan_id, 100);
  EXPECT_EQ(e.vlan_type, wire::kEtherServiceVlan);
}

TEST(Events, OtherKindsOfLinksAreNoVlans) {
  for (const char* kind : {"veth", "vla", "vlans", ""}) {
    Message m;
    m.begin<ifinfomsg>(RTM_NEWLINK)->ifi_index = 9;
    mnl_attr_put_u32(m.header(), IFLA_LINK, 7);
    nlattr* info = mnl_attr_nest_start(m.header(), IFLA_LINKINFO);
    mnl_attr_put_str(m.header(), IFLA_INFO_KIND, kind);
    nlattr* data = mnl_attr_nest_start(m.header(), IFLA_INFO_DATA);
    mnl_attr_put_u16(m.header(), IFLA_VLAN_ID, 100);
    mnl_attr_nest_end(m.header(), data);
    mnl_attr_nest_end(m.header(), info);
    EXPECT_EQ(std::get<LinkEvent>(*parse_event(m.header())).vlan_id, 0) << kind;
  }
}

TEST(Events, LinkIsUpOnlyWithCarrier) {
  Message m;
  auto* info = m.begin<ifinfomsg>(RTM_NEWLINK);
  info->ifi_index = 7;
  info->ifi_flags = IFF_UP;
  mnl_attr_put_strz(m.header(), IFLA_IFNAME, "braid-a");
  mnl_attr_put_u32(m.header(), IFLA_MTU, 1400);
  m.mac(IFLA_ADDRESS);
  auto e = std::get<LinkEvent>(*parse_event(m.header()));
  EXPECT_EQ(e.name, "braid-a");
  EXPECT_EQ(e.index, 7);
  EXPECT_EQ(e.mtu, 1400);
  EXPECT_EQ(e.mac, kMac);
  EXPECT_FALSE(e.up);
  info->ifi_flags = IFF_UP | IFF_RUNNING;
  EXPECT_TRUE(std::get<LinkEvent>(*parse_event(m.header())).up);
}

TEST(Events, AddressInDuplicateDetectionIsNotUsable) {  // RFC 4862 5.4
  Message m;
  auto* info = m.begin<ifaddrmsg>(RTM_NEWADDR);
  info->ifa_family = AF_INET6;
  info->ifa_prefixlen = 64;
  info->ifa_index = 7;
  info->ifa_flags = IFA_F_TENTATIVE;
  m.ip(IFA_ADDRESS, "2001:db8::1");
  auto e = std::get<AddressEvent>(*parse_event(m.header()));
  EXPECT_TRUE(e.gone);
  EXPECT_EQ(to_string(e.address), "2001:db8::1/64");
  info->ifa_flags = 0;
  EXPECT_FALSE(std::get<AddressEvent>(*parse_event(m.header())).gone);
}

TEST(Events, LocalAddressWinsOverPeerAddress) {
  Message m;
  auto* info = m.begin<ifaddrmsg>(RTM_DELADDR);
  info->ifa_family = AF_INET;
  info->ifa_prefixlen = 24;
  m.ip(IFA_ADDRESS, "198.18.0.9");
  m.ip(IFA_LOCAL, "198.18.0.1");
  const auto e = std::get<AddressEvent>(*parse_event(m.header()));
  EXPECT_EQ(to_string(e.address.ip), "198.18.0.1");
  EXPECT_TRUE(e.gone);
}

rtmsg* begin_route(Message& m, std::uint16_t flags = 0) {
  auto* info = m.begin<rtmsg>(RTM_NEWROUTE, flags);
  info->rtm_family = AF_INET;
  info->rtm_table = RT_TABLE_MAIN;
  info->rtm_type = RTN_UNICAST;
  return info;
}

TEST(Events, RouteWithGatewayMetricMtuAndSource) {
  Message m;
  begin_route(m, NLM_F_REPLACE)->rtm_dst_len = 16;
  m.ip(RTA_DST, "198.19.0.0");
  m.ip(RTA_GATEWAY, "198.18.0.254");
  m.ip(RTA_PREFSRC, "198.18.0.1");
  mnl_attr_put_u32(m.header(), RTA_OIF, 7);
  mnl_attr_put_u32(m.header(), RTA_PRIORITY, 50);
  nlattr* nest = mnl_attr_nest_start(m.header(), RTA_METRICS);
  mnl_attr_put_u32(m.header(), RTAX_MTU, 1300);
  mnl_attr_nest_end(m.header(), nest);
  const auto e = std::get<RouteEvent>(*parse_event(m.header()));
  EXPECT_EQ(to_string(e.prefix), "198.19.0.0/16");
  EXPECT_EQ(e.metric, 50U);
  EXPECT_EQ(e.mtu, 1300);
  EXPECT_EQ(to_string(e.source), "198.18.0.1");
  EXPECT_TRUE(e.replaces);
  ASSERT_EQ(e.hops.size(), 1U);
  EXPECT_EQ(e.hops[0].index, 7);
  EXPECT_EQ(to_string(e.hops[0].gateway), "198.18.0.254");
}

TEST(Events, MultipathRouteGivesItsNextHopsInOrder) {
  Message m;
  begin_route(m);
  nlattr* nest = mnl_attr_nest_start(m.header(), RTA_MULTIPATH);
  for (const int index : {7, 8}) {
    auto* hop = static_cast<rtnexthop*>(mnl_nlmsg_get_payload_tail(m.header()));
    std::memset(hop, 0, sizeof *hop);
    hop->rtnh_ifindex = index;
    hop->rtnh_len = sizeof *hop + 8;
    m.header()->nlmsg_len += sizeof *hop;
    m.ip(RTA_GATEWAY, index == 7 ? "198.18.0.7" : "198.18.0.8");
  }
  mnl_attr_nest_end(m.header(), nest);
  const auto e = std::get<RouteEvent>(*parse_event(m.header()));
  ASSERT_EQ(e.hops.size(), 2U);
  EXPECT_EQ(e.hops[0].index, 7);
  EXPECT_EQ(to_string(e.hops[1].gateway), "198.18.0.8");
  EXPECT_EQ(e.prefix, (Prefix{Ip::v4(0), 0}));
}

TEST(Events, MultipathOfImpossibleLengthIsIgnored) {
  Message m;
  begin_route(m);
  rtnexthop hop{};
  hop.rtnh_len = 200;
  mnl_attr_put(m.header(), RTA_MULTIPATH, sizeof hop, &hop);
  EXPECT_FALSE(parse_event(m.header()));
}

TEST(Events, OtherTablesAndKindsOfRoutesAreIgnored) {
  Message m;
  auto* info = begin_route(m);
  mnl_attr_put_u32(m.header(), RTA_OIF, 7);
  EXPECT_TRUE(parse_event(m.header()));
  info->rtm_table = RT_TABLE_LOCAL;
  EXPECT_FALSE(parse_event(m.header()));
  info->rtm_table = RT_TABLE_MAIN;
  info->rtm_type = RTN_BLACKHOLE;
  EXPECT_FALSE(parse_event(m.header()));
}

TEST(Events, PrefixesThatTheirFamilyCannotHaveAreIgnored) {
  Message route;
  auto* info = begin_route(route);
  route.ip(RTA_DST, "198.19.0.0");
  mnl_attr_put_u32(route.header(), RTA_OIF, 7);
  info->rtm_dst_len = 32;
  EXPECT_TRUE(parse_event(route.header()));
  info->rtm_dst_len = 33;
  EXPECT_FALSE(parse_event(route.header()));
  info->rtm_dst_len = 16;
  info->rtm_family = AF_INET6;  // the address has four bytes
  EXPECT_FALSE(parse_event(route.header()));

  // RFC 4291 2.5.5.2: some keep IPv4-mapped addresses off the network by such a route.
  Message mapped;
  info = begin_route(mapped);
  info->rtm_family = AF_INET6;
  info->rtm_dst_len = 96;
  mapped.ip(RTA_DST, "::ffff:0.0.0.0");
  mnl_attr_put_u32(mapped.header(), RTA_OIF, 7);
  EXPECT_FALSE(parse_event(mapped.header()));

  Message address;
  auto* a = address.begin<ifaddrmsg>(RTM_NEWADDR);
  a->ifa_family = AF_INET;
  a->ifa_prefixlen = 33;
  address.ip(IFA_LOCAL, "198.18.0.1");
  EXPECT_FALSE(parse_event(address.header()));
}

TEST(Events, NeighbourStatesThatServe) {
  const std::pair<std::uint16_t, Reach> cases[] = {
      {NUD_REACHABLE, Reach::confirmed}, {NUD_DELAY, Reach::confirmed},    {NUD_PROBE, Reach::confirmed},
      {NUD_PERMANENT, Reach::confirmed}, {NUD_NOARP, Reach::confirmed},    {NUD_STALE, Reach::stale},
      {NUD_FAILED, Reach::failed},       {NUD_INCOMPLETE, Reach::unknown},
  };
  for (const auto& [state, reach] : cases) {
    Message m;
    auto* info = m.begin<ndmsg>(RTM_NEWNEIGH);
    info->ndm_family = AF_INET;
    info->ndm_ifindex = 7;
    info->ndm_state = state;
    m.ip(NDA_DST, "198.18.0.2");
    EXPECT_EQ(std::get<NeighbourEvent>(*parse_event(m.header())).reach,
              reach == Reach::failed ? Reach::failed : Reach::unknown)
        << "without a link address, state " << state;
    m.mac(NDA_LLADDR);
    EXPECT_EQ(std::get<NeighbourEvent>(*parse_event(m.header())).reach, reach) << "state " << state;
  }
}

TEST(Events, TruncatedAttributesAreIgnored) {
  Message m;
  auto* info = m.begin<ndmsg>(RTM_NEWNEIGH);
  info->ndm_family = AF_INET6;
  mnl_attr_put(m.header(), NDA_DST, 4, "abcd");  // an IPv4 address in an IPv6 message
  EXPECT_FALSE(parse_event(m.header()));
  m.header()->nlmsg_len = NLMSG_HDRLEN + 2;
  EXPECT_FALSE(parse_event(m.header()));
}

TEST(Requests, NeighbourIsUsedNotChanged) {
  const Request r = use_neighbour(7, Ip::v4(0xc6120002));
  const nlmsghdr* h = r.header();
  EXPECT_EQ(h->nlmsg_type, RTM_NEWNEIGH);
  EXPECT_EQ(h->nlmsg_flags & (NLM_F_REPLACE | NLM_F_EXCL), 0);
  const auto* info = static_cast<const ndmsg*>(mnl_nlmsg_get_payload(h));
  EXPECT_EQ(info->ndm_flags, NTF_USE);
  EXPECT_EQ(info->ndm_ifindex, 7);
  const auto e = std::get<NeighbourEvent>(*parse_event(h));
  EXPECT_EQ(to_string(e.ip), "198.18.0.2");
  EXPECT_EQ(e.reach, Reach::unknown);
}

TEST(Requests, AddressOfVersionSixSkipsDuplicateDetection) {
  const Request r = add_address(7, Prefix{Ip::v6(0x20010db800000000, 1), 64});
  const auto e = std::get<AddressEvent>(*parse_event(r.header()));
  EXPECT_FALSE(e.gone);
  EXPECT_EQ(to_string(e.address), "2001:db8::1/64");
  bool nodad = false;
  const auto* a = static_cast<const nlattr*>(mnl_nlmsg_get_payload_offset(r.header(), sizeof(ifaddrmsg)));
  const auto* end = static_cast<const char*>(mnl_nlmsg_get_payload_tail(r.header()));
  for (; mnl_attr_ok(a, static_cast<int>(end - reinterpret_cast<const char*>(a))); a = mnl_attr_next(a)) {
    if (mnl_attr_get_type(a) == IFA_FLAGS) nodad = mnl_attr_get_u32(a) == IFA_F_NODAD;
  }
  EXPECT_TRUE(nodad);
}

TEST(Requests, DefaultRoute) {
  const Request r = add_default_route(7, Ip::v4(0xc61200fe), 101);
  const auto e = std::get<RouteEvent>(*parse_event(r.header()));
  EXPECT_EQ(e.prefix, (Prefix{Ip::v4(0), 0}));
  EXPECT_EQ(e.metric, 101U);
  EXPECT_EQ(to_string(e.hops.at(0).gateway), "198.18.0.254");
}

}  // namespace
}  // namespace braid::mirror
