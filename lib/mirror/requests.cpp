#include "mirror/requests.hpp"

#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "base/bytes.hpp"

namespace braid::mirror {

namespace {

template <class Header>
Header* begin(Request& r, std::uint16_t type, std::uint16_t flags) {
  nlmsghdr* message = mnl_nlmsg_put_header(r.data());
  message->nlmsg_type = type;
  message->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  return static_cast<Header*>(mnl_nlmsg_put_extra_header(message, sizeof(Header)));
}

std::uint8_t family_of(const Ip& ip) { return ip.is_v4() ? AF_INET : AF_INET6; }

void put_ip(Request& r, std::uint16_t type, const Ip& ip) {
  std::array<std::byte, 16> bytes{};
  std::size_t size = 4;
  if (ip.is_v4()) {
    store_be(bytes.data(), ip.v4());
  } else {
    store_be(bytes.data(), ip.hi);
    store_be(bytes.data() + 8, ip.lo);
    size = 16;
  }
  mnl_attr_put(r.header(), type, size, bytes.data());
}

}  // namespace

Request set_link(int index, const Mac& mac, std::uint16_t mtu) {
  Request r;
  auto* info = begin<ifinfomsg>(r, RTM_NEWLINK, NLM_F_ACK);
  info->ifi_family = AF_UNSPEC;
  info->ifi_index = index;
  info->ifi_flags = IFF_UP;
  info->ifi_change = IFF_UP;
  mnl_attr_put(r.header(), IFLA_ADDRESS, mac.bytes.size(), mac.bytes.data());
  mnl_attr_put_u32(r.header(), IFLA_MTU, mtu);
  return r;
}

Request add_vlan(int parent, const std::string& name, std::uint16_t type, std::uint16_t id) {
  Request r;
  auto* info = begin<ifinfomsg>(r, RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
  info->ifi_family = AF_UNSPEC;
  info->ifi_flags = IFF_UP;
  info->ifi_change = IFF_UP;
  mnl_attr_put_u32(r.header(), IFLA_LINK, static_cast<std::uint32_t>(parent));
  mnl_attr_put_strz(r.header(), IFLA_IFNAME, name.c_str());
  nlattr* kind = mnl_attr_nest_start(r.header(), IFLA_LINKINFO);
  mnl_attr_put_str(r.header(), IFLA_INFO_KIND, "vlan");
  nlattr* data = mnl_attr_nest_start(r.header(), IFLA_INFO_DATA);
  mnl_attr_put_u16(r.header(), IFLA_VLAN_ID, id);
  mnl_attr_put_u16(r.header(), IFLA_VLAN_PROTOCOL, from_be(type));
  mnl_attr_nest_end(r.header(), data);
  mnl_attr_nest_end(r.header(), kind);
  return r;
}

Request add_address(int index, const Prefix& address) {
  Request r;
  auto* info = begin<ifaddrmsg>(r, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
  info->ifa_family = family_of(address.ip);
  info->ifa_prefixlen = address.length;
  info->ifa_index = static_cast<std::uint32_t>(index);
  info->ifa_scope = address.ip.is_link_local() ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  put_ip(r, IFA_LOCAL, address.ip);
  put_ip(r, IFA_ADDRESS, address.ip);
  if (!address.ip.is_v4()) mnl_attr_put_u32(r.header(), IFA_FLAGS, IFA_F_NODAD);
  return r;
}

Request add_default_route(int index, const Ip& gateway, std::uint32_t metric) {
  Request r;
  auto* info = begin<rtmsg>(r, RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
  info->rtm_family = family_of(gateway);
  info->rtm_table = RT_TABLE_MAIN;
  info->rtm_protocol = RTPROT_STATIC;
  info->rtm_scope = RT_SCOPE_UNIVERSE;
  info->rtm_type = RTN_UNICAST;
  put_ip(r, RTA_GATEWAY, gateway);
  mnl_attr_put_u32(r.header(), RTA_OIF, static_cast<std::uint32_t>(index));
  mnl_attr_put_u32(r.header(), RTA_PRIORITY, metric);
  return r;
}

Request use_neighbour(int index, const Ip& ip) {
  Request r;
  auto* info = begin<ndmsg>(r, RTM_NEWNEIGH, NLM_F_ACK | NLM_F_CREATE);
  info->ndm_family = family_of(ip);
  info->ndm_ifindex = index;
  info->ndm_state = NUD_NONE;
  info->ndm_flags = NTF_USE;
  put_ip(r, NDA_DST, ip);
  return r;
}

Request dump(std::uint16_t type, std::uint8_t family) {
  Request r;
  auto* info = begin<rtgenmsg>(r, type, NLM_F_DUMP);
  info->rtgen_family = family;
  return r;
}

}  // namespace braid::mirror
