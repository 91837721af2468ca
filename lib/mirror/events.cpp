#include "mirror/events.hpp"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include <array>
#include <cstring>
#include <string_view>

#include "base/bytes.hpp"
#include "wire/ethernet.hpp"

namespace braid::mirror {

namespace {

// By type; one size fits all message kinds, types beyond it are of no interest.
struct Attributes {
  static constexpr std::size_t kTypes = 72;
  std::array<const nlattr*, kTypes> at{};
  [[nodiscard]] bool has(unsigned type) const { return at[type] != nullptr; }
  [[nodiscard]] std::size_t size(unsigned type) const { return mnl_attr_get_payload_len(at[type]); }
  [[nodiscard]] const std::byte* data(unsigned type) const {
    return static_cast<const std::byte*>(mnl_attr_get_payload(at[type]));
  }
  // 0 when the attribute is missing or of another size.
  [[nodiscard]] std::uint32_t u32(unsigned type) const {
    return has(type) && size(type) == 4 ? mnl_attr_get_u32(at[type]) : 0;
  }
};

int collect(const nlattr* attribute, void* out) {
  const unsigned type = mnl_attr_get_type(attribute);
  if (type < Attributes::kTypes) static_cast<Attributes*>(out)->at[type] = attribute;
  return MNL_CB_OK;
}

Ip read_ip(int family, const std::byte* p) {
  if (family == AF_INET) return Ip::v4(load_be<std::uint32_t>(p));
  return Ip::v6(load_be<std::uint64_t>(p), load_be<std::uint64_t>(p + 8));
}

std::size_t ip_size(int family) { return family == AF_INET ? 4 : 16; }

Ip ip_of(const Attributes& a, unsigned type, int family) {
  return a.has(type) && a.size(type) == ip_size(family) ? read_ip(family, a.data(type)) : Ip{};
}

// An IPv4-mapped address in an IPv6 message would pass for IPv4, and its length count in other bits.
bool is_prefix(const Prefix& p, int family) {
  return p.ip.is_v4() == (family == AF_INET) && p.length <= 8 * ip_size(family);
}

bool mac_of(const Attributes& a, unsigned type, Mac& out) {
  if (!a.has(type) || a.size(type) != out.bytes.size()) return false;
  std::memcpy(out.bytes.data(), a.data(type), out.bytes.size());
  return true;
}

template <class Header>
const Header* open_message(const nlmsghdr* message, Attributes& attributes) {
  if (mnl_nlmsg_get_payload_len(message) < sizeof(Header)) return nullptr;
  if (mnl_attr_parse(message, sizeof(Header), collect, &attributes) < 0) return nullptr;
  return static_cast<const Header*>(mnl_nlmsg_get_payload(message));
}

// What makes a VLAN device one: the kind of link and, inside that, protocol and id.
void parse_vlan(const Attributes& link, LinkEvent& e) {
  if (!link.has(IFLA_LINKINFO) || !link.has(IFLA_LINK)) return;
  Attributes info;
  mnl_attr_parse_nested(link.at[IFLA_LINKINFO], collect, &info);
  if (!info.has(IFLA_INFO_KIND) || !info.has(IFLA_INFO_DATA)) return;
  std::string_view kind(reinterpret_cast<const char*>(info.data(IFLA_INFO_KIND)), info.size(IFLA_INFO_KIND));
  if (kind.ends_with('\0')) kind.remove_suffix(1);
  if (kind != "vlan") return;
  Attributes vlan;
  mnl_attr_parse_nested(info.at[IFLA_INFO_DATA], collect, &vlan);
  if (!vlan.has(IFLA_VLAN_ID) || vlan.size(IFLA_VLAN_ID) != 2) return;
  e.parent = static_cast<int>(link.u32(IFLA_LINK));
  e.vlan_id = mnl_attr_get_u16(vlan.at[IFLA_VLAN_ID]);
  const bool typed = vlan.has(IFLA_VLAN_PROTOCOL) && vlan.size(IFLA_VLAN_PROTOCOL) == 2;
  e.vlan_type = typed ? load_be<std::uint16_t>(vlan.data(IFLA_VLAN_PROTOCOL)) : wire::kEtherVlan;
}

std::optional<Event> parse_link(const nlmsghdr* message) {
  Attributes a;
  const auto* info = open_message<ifinfomsg>(message, a);
  if (info == nullptr) return std::nullopt;
  LinkEvent e;
  e.gone = message->nlmsg_type == RTM_DELLINK;
  e.index = info->ifi_index;
  if (a.has(IFLA_IFNAME) && a.size(IFLA_IFNAME) > 0) {
    e.name.assign(reinterpret_cast<const char*>(a.data(IFLA_IFNAME)), a.size(IFLA_IFNAME) - 1);
  }
  mac_of(a, IFLA_ADDRESS, e.mac);
  e.mtu = static_cast<std::uint16_t>(std::min<std::uint32_t>(a.u32(IFLA_MTU), 0xffff));
  e.up = (info->ifi_flags & IFF_UP) != 0 && (info->ifi_flags & IFF_RUNNING) != 0;
  parse_vlan(a, e);
  return e;
}

std::optional<Event> parse_address(const nlmsghdr* message) {
  Attributes a;
  const auto* info = open_message<ifaddrmsg>(message, a);
  if (info == nullptr || (info->ifa_family != AF_INET && info->ifa_family != AF_INET6)) return std::nullopt;
  const Ip local = ip_of(a, IFA_LOCAL, info->ifa_family);
  const Ip ip = local.is_unset() ? ip_of(a, IFA_ADDRESS, info->ifa_family) : local;
  const Prefix address{ip, info->ifa_prefixlen};
  if (ip.is_unset() || !is_prefix(address, info->ifa_family)) return std::nullopt;
  const std::uint32_t flags = a.has(IFA_FLAGS) ? a.u32(IFA_FLAGS) : info->ifa_flags;
  const bool usable =
      (flags & IFA_F_DADFAILED) == 0 && ((flags & IFA_F_TENTATIVE) == 0 || (flags & IFA_F_OPTIMISTIC) != 0);
  return AddressEvent{message->nlmsg_type == RTM_DELADDR || !usable, static_cast<int>(info->ifa_index),
                      address};
}

// A gateway is of the route's family (RTA_GATEWAY) or of the other one (RTA_VIA, RFC 8950).
Ip gateway_of(const Attributes& a, int family) {
  if (a.has(RTA_GATEWAY)) return ip_of(a, RTA_GATEWAY, family);
  if (!a.has(RTA_VIA) || a.size(RTA_VIA) < sizeof(rtvia)) return {};
  rtvia via{};
  std::memcpy(&via, a.data(RTA_VIA), sizeof via);
  if (via.rtvia_family != AF_INET && via.rtvia_family != AF_INET6) return {};
  if (a.size(RTA_VIA) < sizeof via + ip_size(via.rtvia_family)) return {};
  return read_ip(via.rtvia_family, a.data(RTA_VIA) + sizeof via);
}

void parse_hops(const Attributes& a, int family, std::vector<RouteEvent::NextHop>& out) {
  if (a.has(RTA_OIF)) out.push_back({static_cast<int>(a.u32(RTA_OIF)), gateway_of(a, family)});
  if (!a.has(RTA_MULTIPATH)) return;
  const std::byte* p = a.data(RTA_MULTIPATH);
  std::size_t left = a.size(RTA_MULTIPATH);
  while (left >= sizeof(rtnexthop)) {
    rtnexthop hop{};
    std::memcpy(&hop, p, sizeof hop);
    const std::size_t length = hop.rtnh_len;
    if (length < sizeof hop || length > left) return;
    Attributes inner;
    mnl_attr_parse_payload(p + sizeof hop, length - sizeof hop, collect, &inner);
    out.push_back({hop.rtnh_ifindex, gateway_of(inner, family)});
    const std::size_t step = std::min<std::size_t>(RTNH_ALIGN(length), left);
    p += step;
    left -= step;
  }
}

std::optional<Event> parse_route(const nlmsghdr* message) {
  Attributes a;
  const auto* info = open_message<rtmsg>(message, a);
  if (info == nullptr || (info->rtm_family != AF_INET && info->rtm_family != AF_INET6)) return std::nullopt;
  const std::uint32_t table = a.has(RTA_TABLE) ? a.u32(RTA_TABLE) : info->rtm_table;
  if (table != RT_TABLE_MAIN || info->rtm_type != RTN_UNICAST) return std::nullopt;
  if ((info->rtm_flags & RTM_F_CLONED) != 0) return std::nullopt;
  RouteEvent e;
  e.gone = message->nlmsg_type == RTM_DELROUTE;
  e.replaces = (message->nlmsg_flags & NLM_F_REPLACE) != 0;
  const Ip any = info->rtm_family == AF_INET ? Ip::v4(0) : Ip::v6(0, 0);
  if (a.has(RTA_DST) && a.size(RTA_DST) != ip_size(info->rtm_family)) return std::nullopt;
  e.prefix = {a.has(RTA_DST) ? ip_of(a, RTA_DST, info->rtm_family) : any, info->rtm_dst_len};
  if (!is_prefix(e.prefix, info->rtm_family)) return std::nullopt;
  e.metric = a.u32(RTA_PRIORITY);
  e.source = ip_of(a, RTA_PREFSRC, info->rtm_family);
  if (a.has(RTA_METRICS)) {
    Attributes metrics;
    mnl_attr_parse_nested(a.at[RTA_METRICS], collect, &metrics);
    e.mtu = static_cast<std::uint16_t>(std::min<std::uint32_t>(metrics.u32(RTAX_MTU), 0xffff));
  }
  parse_hops(a, info->rtm_family, e.hops);
  if (e.hops.empty()) return std::nullopt;
  return e;
}

std::optional<Event> parse_neighbour(const nlmsghdr* message) {
  Attributes a;
  const auto* info = open_message<ndmsg>(message, a);
  if (info == nullptr || (info->ndm_family != AF_INET && info->ndm_family != AF_INET6)) return std::nullopt;
  NeighbourEvent e;
  e.index = info->ndm_ifindex;
  e.ip = ip_of(a, NDA_DST, info->ndm_family);
  if (e.ip.is_unset()) return std::nullopt;
  if (message->nlmsg_type == RTM_DELNEIGH) return e;
  const bool has_mac = mac_of(a, NDA_LLADDR, e.mac);
  if ((info->ndm_state & NUD_FAILED) != 0) {
    e.reach = Reach::failed;
  } else if (has_mac &&
             (info->ndm_state & (NUD_REACHABLE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP)) != 0) {
    e.reach = Reach::confirmed;
  } else if (has_mac && (info->ndm_state & NUD_STALE) != 0) {
    e.reach = Reach::stale;
  }
  return e;
}

}  // namespace

std::optional<Event> parse_event(const nlmsghdr* message) {
  switch (message->nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
      return parse_link(message);
    case RTM_NEWADDR:
    case RTM_DELADDR:
      return parse_address(message);
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      return parse_route(message);
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
      return parse_neighbour(message);
    default:
      return std::nullopt;
  }
}

}  // namespace braid::mirror
