// Sections about the traffic: ports, listeners, upstreams. An entry that is wrong keeps its place in its list
// with an unset value, so that the checks across sections name the places of the file.
#include <algorithm>
#include <array>
#include <cctype>

#include "base/limits.hpp"
#include "config/sections.hpp"

namespace braid::config {

using std::chrono::milliseconds;
using std::chrono::minutes;

namespace {

constexpr std::size_t kMaxPortName = 9;  // "braid-" + name fits a device name (IFNAMSIZ 16)
constexpr std::size_t kMaxInterface = 15;
constexpr std::size_t kMaxName = 32;
constexpr std::size_t kMaxVlans = 4096;  // of one port
constexpr const char* kDeviceRight =
    "must be driver:interface (e.g. net_af_packet:eth1) or a PCI address (e.g. 0000:3b:00.0)";

// Drivers of DPDK 22.11 that a port is likely to use; others are taken as they are.
const std::vector<std::string> kDrivers{"net_af_packet", "net_af_xdp", "net_tap",   "net_ring",
                                        "net_null",      "net_pcap",   "net_memif", "net_virtio_user"};

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return std::isdigit(static_cast<unsigned char>(c)) != 0 || (c >= 'a' && c <= 'f');
  });
}

// "dddd:bb:dd.f" in lower-case hexadecimal.
bool is_pci_address(std::string_view t) {
  return t.size() == 12 && t[4] == ':' && t[7] == ':' && t[10] == '.' && is_hex(t.substr(0, 4)) &&
         is_hex(t.substr(5, 2)) && is_hex(t.substr(8, 2)) && t[11] >= '0' && t[11] <= '7';
}

void read_device(Walk& walk, const Item& item, std::string& out) {
  std::string device;
  if (!read_text(walk, item, device)) return;
  if (device.starts_with("net_")) {
    const auto colon = std::min(device.find(':'), device.size());
    const auto driver = device.substr(0, colon);
    const auto target = colon == device.size() ? std::string{} : device.substr(colon + 1);
    const auto plain = [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.';
    };
    if (target.empty() || target.size() > kMaxInterface ||
        !std::all_of(target.begin(), target.end(), plain)) {
      walk.mistake(item, quote(device) + " names no interface of 1 to 15 letters, digits, '.', '_' or '-'; " +
                             kDeviceRight);
      return;
    }
    if (target == "lo" && (driver == "net_af_packet" || driver == "net_af_xdp")) {
      walk.mistake(
          item,
          "lo is the loopback device, which no other machine can reach; name the interface of a network");
      return;
    }
    const bool known = std::find(kDrivers.begin(), kDrivers.end(), driver) != kDrivers.end();
    const auto hint = known ? std::string{} : nearest(driver, kDrivers);
    if (!hint.empty()) {
      walk.mistake(item, "driver " + quote(driver) + " is unknown; did you mean \"" + hint + "\"?");
      return;
    }
  } else if (!is_pci_address(device)) {
    const bool short_form = is_pci_address("0000:" + device);
    walk.mistake(item, quote(device) + (short_form ? " lacks the PCI domain; write 0000:" + device
                                                   : std::string(" is no device; ") + kDeviceRight));
    return;
  }
  out = std::move(device);
}

// Port or Vlan: the addresses and routers of a network.
template <class Network>
void read_network(Walk& walk, Map& map, Network& out) {
  for (const auto& element : elements(walk, map.get("addresses"), kMaxAddresses, false)) {
    read_prefix(walk, element, out.addresses.emplace_back());
  }
  for (const auto& element : elements(walk, map.get("gateways"), kMaxAddresses, false)) {
    read_ip(walk, element, out.gateways.emplace_back());
  }
}

void read_vlan(Walk& walk, const Item& item, Vlan& out) {
  Map map(walk, item);
  const auto id = map.need("id", "id: 100");
  const auto ids = elements(walk, id, 2, true);
  if (id.present && ids.empty() && id.node.IsSequence())
    walk.mistake(id, "is an empty list; give a VLAN id, or two with the outer one first");
  for (const auto& element : ids) read(walk, element, out.id.emplace_back(0), 1, 4094);
  read_network(walk, map, out);
}

void read_port(Walk& walk, const Item& item, Port& out) {
  Map map(walk, item);
  read_name(walk, map.need("name", "name: wan"), out.name, kMaxPortName);
  read_device(walk, map.need("device", "device: net_af_packet:eth1"), out.device);
  read_name(walk, map.get("profile"), out.profile, kMaxName);
  read(walk, map.get("queues"), out.queues, 1, limits::kMaxWorkers);
  read(walk, map.get("mtu"), out.mtu, 576, 9216);
  read_network(walk, map, out);
  for (const auto& element : elements(walk, map.get("vlans"), kMaxVlans, false)) {
    read_vlan(walk, element, out.vlans.emplace_back());
  }
}

// "192.0.2.1" or "192.0.2.1:8080"; port 0 stands for none given.
bool read_announced(Walk& walk, const Item& item, Endpoint& out) {
  if (!item.present) return false;
  if (item.node.IsScalar() && !parse_ip(item.node.Scalar())) return read_endpoint(walk, item, out);
  return read_ip(walk, item, out.ip);
}

static_assert(kMaxAddresses <= limits::kMaxAnnounced);

void read_mptcp(Walk& walk, const Item& item, Mptcp& out) {
  Map map(walk, item);
  read_choice(walk, map.get("mode"), out.mode, {MptcpMode::prefer, MptcpMode::off});
  read(walk, map.get("max_subflows"), out.max_subflows, 1, limits::kMaxSubflows);
  for (const auto& element : elements(walk, map.get("join_address"), kMaxAddresses, true)) {
    read_ip(walk, element, out.join_address.emplace_back());
  }
  const auto announce = map.get("announce");
  for (const auto& element : elements(walk, announce, kMaxAddresses, true)) {
    read_announced(walk, element, out.announce.emplace_back());
  }
  if (!announce.present)
    for (const Ip& ip : out.join_address) out.announce.push_back({ip, 0});
  const auto refuse = map.get("refuse_initial_join");
  read_bool(walk, refuse, out.refuse_initial_join);
  if (out.refuse_initial_join && out.announce.empty())
    walk.mistake(refuse, "no client could ever join; give join_address too, or remove it");
  read_choice(walk, map.get("scheduler"), out.scheduler, {Scheduler::lowest_rtt});
  read_bool(walk, map.get("checksum"), out.checksum);
}

// Listener or Upstream: the IP header of what is sent there.
template <class End>
void read_ip_fields(Walk& walk, Map& map, End& out) {
  read(walk, map.get("dscp"), out.dscp, 0, 63);
  read(walk, map.get("ttl"), out.ttl, 1, 255);
}

void read_listener(Walk& walk, const Item& item, Listener& out) {
  Map map(walk, item);
  read_name(walk, map.need("name", "name: web"), out.name, kMaxName);
  const auto bind = map.need("bind", "bind: 198.18.0.1:80");
  const auto binds = elements(walk, bind, kMaxAddresses, true);
  if (bind.present && binds.empty() && bind.node.IsSequence())
    walk.mistake(bind, "is an empty list; give at least one address and port");
  for (const auto& element : binds) {
    read_endpoint(walk, element, out.bind.emplace_back());
  }
  read_text(walk, map.need("upstream", "upstream: origin"), out.upstream);
  read_mptcp(walk, map.get("mptcp"), out.mptcp);
  read_choice(walk, map.get("congestion"), out.congestion, {Congestion::cubic, Congestion::newreno});
  read_ip_fields(walk, map, out);
}

void read_upstream(Walk& walk, const Item& item, Upstream& out) {
  Map map(walk, item);
  read_name(walk, map.need("name", "name: origin"), out.name, kMaxName);
  const auto servers = map.need("servers", "servers: [{address: 198.18.1.10:80}]");
  const auto list = elements(walk, servers, limits::kMaxUpstreamServers, false);
  if (servers.present && list.empty() && servers.node.IsSequence())
    walk.mistake(servers, "is an empty list; give at least one server");
  for (const auto& element : list) {
    Map server(walk, element);
    read_endpoint(walk, server.need("address", "address: 198.18.1.10:80"),
                  out.servers.emplace_back().address);
  }
  read_duration(walk, map.get("connect_timeout"), out.connect_timeout, milliseconds(100), minutes(2), false);
  read_choice(walk, map.get("congestion"), out.congestion, {Congestion::cubic, Congestion::newreno});
  read_ip_fields(walk, map, out);
  read_bool(walk, map.get("ecn"), out.ecn);
  for (const auto& element : elements(walk, map.get("source"), kMaxAddresses, true)) {
    read_ip(walk, element, out.source.emplace_back());
  }
}

// A list that must hold something.
template <class T>
void read_list(Walk& walk, const Item& list, std::size_t max, std::vector<T>& out,
               void (*read_one)(Walk&, const Item&, T&), const char* what) {
  const auto items = elements(walk, list, max, false);
  if (list.present && items.empty() && list.node.IsSequence())
    walk.mistake(list, std::string("is an empty list; give at least one ") + what);
  for (const auto& element : items) read_one(walk, element, out.emplace_back());
}

}  // namespace

void read_ports(Walk& walk, Map& root, Config& out) {
  read_list(walk, root.need("ports", "ports: [{name: wan, device: net_af_packet:eth1}]"), limits::kMaxPorts,
            out.ports, read_port, "port");
}

void read_listeners(Walk& walk, Map& root, Config& out) {
  read_list(walk, root.need("listeners", "listeners: [{name: web, bind: 198.18.0.1:80, upstream: origin}]"),
            kMaxListeners, out.listeners, read_listener, "listener");
}

void read_upstreams(Walk& walk, Map& root, Config& out) {
  read_list(walk, root.need("upstreams", "upstreams: [{name: origin, servers: [{address: 198.18.1.10:80}]}]"),
            kMaxUpstreams, out.upstreams, read_upstream, "upstream");
}

}  // namespace braid::config
