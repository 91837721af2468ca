#include "dpdk/port.hpp"

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "dpdk/error.hpp"
#include "dpdk/netdev.hpp"
#include "wire/ethernet.hpp"

namespace braid::dpdk {

namespace {

constexpr std::uint16_t kEthernetOverhead = wire::kEthernetHeader + wire::kMaxVlanTags * wire::kVlanTag;
// AF_PACKET's ring puts its own header before a frame; AF_XDP keeps 256 bytes of headroom of its own.
constexpr unsigned kRingHeader = 96;
constexpr unsigned kXdpHeadroom = 256;
constexpr unsigned kMinRoom = 2048;

[[noreturn]] void fail(const PortSettings& s, const std::string& what, int error) {
  throw Error("port " + s.name + " (" + s.driver + ":" + s.target + "): " + what + ": " +
              rte_strerror(error));
}

// Ring slots are powers of two that hold a whole frame.
unsigned frame_slot(std::uint16_t mtu) {
  unsigned slot = kMinRoom;
  while (slot < mtu + kEthernetOverhead + kRingHeader) slot *= 2;
  return slot;
}

bool has_argument(const Profile& p, const char* name) { return p.arguments.contains(name); }

std::string queue_arguments(const PortSettings& s, const Profile& p, unsigned lane) {
  if (p.device_per_queue) return ",start_queue=" + std::to_string(lane) + ",queue_count=1";

  const std::string pairs = std::to_string(std::max(s.workers, s.queues));
  if (p.driver == "net_af_packet") {
    std::string out = ",qpairs=" + pairs;
    if (!has_argument(p, "framesz")) out += ",framesz=" + std::to_string(frame_slot(s.mtu));
    return out;
  }
  return "";
}

}  // namespace

std::string device_arguments(const PortSettings& s, const Profile& p, unsigned lane) {
  std::string out;
  if (p.driver != "net_ring" && p.driver != "net_null")
    out = "iface=" + s.target + queue_arguments(s, p, lane);
  for (const auto& [key, value] : p.arguments)
    out.append(out.empty() ? "" : ",").append(key).append("=").append(value);
  return out;
}

std::uint16_t data_room(std::uint16_t mtu, const Profile& p) {
  unsigned room = std::max<unsigned>(kMinRoom, mtu + kEthernetOverhead);
  if (p.driver == "net_af_packet") room = frame_slot(mtu);
  if (p.driver == "net_af_xdp") room = std::max<unsigned>(kMinRoom, mtu + kEthernetOverhead + kXdpHeadroom);
  return static_cast<std::uint16_t>(std::min<unsigned>(room + RTE_PKTMBUF_HEADROOM, UINT16_MAX));
}

Port::Port(PortSettings settings, Profile profile)
    : settings_(std::move(settings)), profile_(std::move(profile)) {
  if (!profile_.takes(settings_.queues, settings_.workers)) {
    throw Error("port " + settings_.name + ": " + profile_.driver + " has its queues in pairs, so queues (" +
                std::to_string(settings_.queues) + ") must equal workers.count (" +
                std::to_string(settings_.workers) + ")");
  }
  check_interface();
  try {
    const unsigned lanes = profile_.device_per_queue ? settings_.workers : 1;
    for (unsigned i = 0; i < lanes; ++i) attach(i);
    read_mac();
    for (const Lane& lane : lanes_) configure(lane);
  } catch (...) {
    close();
    throw;
  }
}

Port::Port(Port&& other) noexcept
    : settings_(std::move(other.settings_)),
      profile_(std::move(other.profile_)),
      lanes_(std::exchange(other.lanes_, {})),
      mac_(other.mac_),
      writes_checksums_(other.writes_checksums_) {}

Port::~Port() { close(); }

void Port::close() {
  stop();
  for (const Lane& lane : lanes_) {
    rte_eth_dev_close(lane.ethdev);
    if (!lane.device.empty()) rte_eal_hotplug_remove("vdev", lane.device.c_str());
  }
  lanes_.clear();
}

Port::Queue Port::queue(unsigned worker) const {
  if (profile_.device_per_queue) return {lanes_.at(worker).ethdev, 0};
  return {lanes_.front().ethdev, static_cast<std::uint16_t>(worker)};
}

void Port::check_interface() const {
  if (!uses_netdev(settings_.driver)) return;
  check_netdev(settings_.name, settings_.target);
  const unsigned pairs = queue_pairs(settings_.target);
  if (settings_.driver != "net_af_xdp" || settings_.workers <= pairs) return;
  const std::string wanted = std::to_string(settings_.workers);
  throw Error("port " + settings_.name + ": interface " + settings_.target + " has " + std::to_string(pairs) +
              " queue pairs, " + wanted + " are needed: `ethtool -L " + settings_.target + " combined " +
              wanted + "` (veth: `rx " + wanted + " tx " + wanted + "`), or lower workers.count");
}

void Port::attach(unsigned index) {
  Lane lane;
  std::string name = settings_.target;
  if (settings_.driver != "pci") {
    // A PMD is found by the beginning of the device's name.
    name = lane.device =
        settings_.driver + "_" + settings_.name + (index == 0 ? "" : "_" + std::to_string(index));
    const std::string arguments = device_arguments(settings_, profile_, index);
    if (const int e = rte_eal_hotplug_add("vdev", name.c_str(), arguments.c_str()); e < 0) {
      fail(settings_,
           "DPDK cannot open it with " + arguments + "; its own lines say why (CAP_NET_RAW and " +
               "CAP_NET_ADMIN are needed, and the PMD must be installed)",
           -e);
    }
  }
  if (const int e = rte_eth_dev_get_port_by_name(name.c_str(), &lane.ethdev); e < 0) {
    if (!lane.device.empty()) {
      rte_eal_hotplug_remove("vdev", name.c_str());
      fail(settings_, "DPDK made no port", -e);
    }
    fail(settings_, "no such PCI port in DPDK; bind it with `dpdk-devbind.py -b vfio-pci " + name + "`", -e);
  }
  lanes_.push_back(std::move(lane));
}

void Port::read_mac() {
  rte_ether_addr address{};
  if (const int e = rte_eth_macaddr_get(lanes_.front().ethdev, &address); e < 0)
    fail(settings_, "no link address", -e);
  std::memcpy(mac_.bytes.data(), address.addr_bytes, mac_.bytes.size());
  if (profile_.peer_mac || mac_ == Mac{}) {
    // The interface's address is the kernel's end of the wire: Braid's end takes a neighbouring, locally
    // administered one.
    mac_.bytes[0] = static_cast<std::uint8_t>((mac_.bytes[0] & 0xfc) | 0x02);
    mac_.bytes[5] = static_cast<std::uint8_t>(mac_.bytes[5] ^ 0x01);
  }
}

std::uint64_t Port::transmit_offloads(std::uint64_t capable) {
  std::uint64_t out = 0;
  if ((capable & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) == 0) profile_.linear_frames = true;
  if (!profile_.linear_frames) out |= RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
  writes_checksums_ = profile_.transmit_checksum && (capable & RTE_ETH_TX_OFFLOAD_TCP_CKSUM) != 0;
  if (writes_checksums_) out |= RTE_ETH_TX_OFFLOAD_TCP_CKSUM | (capable & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM);
  return out;
}

void Port::configure(const Lane& lane) {
  rte_eth_dev_info info{};
  if (const int e = rte_eth_dev_info_get(lane.ethdev, &info); e < 0)
    fail(settings_, "no device information", -e);
  const auto transmit = static_cast<std::uint16_t>(profile_.device_per_queue ? 1 : settings_.workers);
  const auto receive = static_cast<std::uint16_t>(profile_.device_per_queue ? 1 : settings_.queues);
  if (transmit > info.max_tx_queues || receive > info.max_rx_queues) {
    throw Error("port " + settings_.name + ": the device has " + std::to_string(info.max_rx_queues) +
                " receive and " + std::to_string(info.max_tx_queues) + " transmit queues, but " +
                std::to_string(receive) + " and " + std::to_string(transmit) +
                " are needed: lower workers.count or the port's queues");
  }
  rte_eth_conf conf{};
  conf.rxmode.mtu = settings_.mtu;
  const std::uint64_t checksums = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM;
  if (profile_.receive_checksum) conf.rxmode.offloads |= info.rx_offload_capa & checksums;
  conf.txmode.offloads = transmit_offloads(info.tx_offload_capa);
  if (receive > 1 && info.flow_type_rss_offloads != 0) {
    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf.rx_adv_conf.rss_conf.rss_hf = info.flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP);
  }
  if (const int e = rte_eth_dev_configure(lane.ethdev, receive, transmit, &conf); e < 0) {
    fail(settings_, "cannot be configured with MTU " + std::to_string(settings_.mtu), -e);
  }
}

void Port::start(const std::vector<rte_mempool*>& pools) {
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    start(lanes_[i], profile_.device_per_queue ? std::vector{pools.at(i)} : pools);
  }
}

void Port::start(Lane& lane, const std::vector<rte_mempool*>& pools) {
  std::uint16_t rx = profile_.receive_descriptors;
  std::uint16_t tx = profile_.transmit_descriptors;
  rte_eth_dev_adjust_nb_rx_tx_desc(lane.ethdev, &rx, &tx);
  const auto socket = static_cast<unsigned>(std::max(0, rte_eth_dev_socket_id(lane.ethdev)));
  const unsigned receive = profile_.device_per_queue ? 1 : settings_.queues;
  const unsigned transmit = profile_.device_per_queue ? 1 : settings_.workers;
  for (std::uint16_t q = 0; q < receive; ++q) {
    const int e = rte_eth_rx_queue_setup(lane.ethdev, q, rx, socket, nullptr, pools.at(q));
    if (e < 0) fail(settings_, "receive queue " + std::to_string(q), -e);
  }
  for (std::uint16_t q = 0; q < transmit; ++q) {
    const int e = rte_eth_tx_queue_setup(lane.ethdev, q, tx, socket, nullptr);
    if (e < 0) fail(settings_, "transmit queue " + std::to_string(q), -e);
  }
  if (const int e = rte_eth_dev_start(lane.ethdev); e < 0) fail(settings_, "does not start", -e);
  lane.started = true;
  // Frames to group addresses (NDP, VRRP) and to addresses the kernel adds to the mirror must come in too:
  // the port takes every frame, the kernel sorts out. PMDs that take all frames anyway do not know the call.
  rte_eth_promiscuous_enable(lane.ethdev);
}

void Port::stop() {
  for (Lane& lane : lanes_) {
    if (!std::exchange(lane.started, false)) continue;
    rte_eth_promiscuous_disable(lane.ethdev);
    rte_eth_dev_stop(lane.ethdev);
  }
}

bool Port::link_up() const {
  if (uses_netdev(settings_.driver)) return netdev_running(settings_.target);  // net_af_xdp always says yes
  if (settings_.driver == "net_tap") {
    // The PMD asks by name, and calls the link down when the interface was moved into another namespace.
    return !netdev_exists(settings_.target) || netdev_running(settings_.target);
  }
  rte_eth_link link{};
  return rte_eth_link_get_nowait(lanes_.front().ethdev, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

PortCounters Port::counters() const {
  PortCounters out;
  out.up = link_up();
  for (const Lane& lane : lanes_) {
    rte_eth_stats s{};
    if (rte_eth_stats_get(lane.ethdev, &s) != 0) continue;
    out.rx_packets += s.ipackets;
    out.rx_bytes += s.ibytes;
    out.tx_packets += s.opackets;
    out.tx_bytes += s.obytes;
    out.missed += s.imissed;
    out.no_buffer += s.rx_nombuf;
    out.errors += s.ierrors + s.oerrors;
  }
  return out;
}

}  // namespace braid::dpdk
