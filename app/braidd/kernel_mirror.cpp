#include "kernel_mirror.hpp"

#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace braid::daemon {

namespace {

// The VLAN devices of a port. Where two tags stand, the outer one has a device of its own, which several
// inner ones may share: "wan.s100" below "wan.100.200".
std::vector<mirror::VlanSettings> vlans_of(const config::Port& port) {
  std::vector<mirror::VlanSettings> out;
  for (const config::Vlan& vlan : port.vlans) {
    std::string parent;
    if (vlan.id.size() == 2) {
      const auto outer = static_cast<std::uint16_t>(vlan.id[0]);
      parent = port.name + ".s" + std::to_string(outer);
      const bool made = std::any_of(out.begin(), out.end(), [&](const auto& v) { return v.name == parent; });
      if (!made) out.push_back({parent, "", wire::kEtherServiceVlan, outer, {}, {}});
    }
    out.push_back({device_name(port, vlan), parent, wire::kEtherVlan,
                   static_cast<std::uint16_t>(vlan.id.back()), vlan.addresses, vlan.gateways});
  }
  return out;
}

std::vector<mirror::TapDevice> make_taps(const config::Config& config, const std::vector<dpdk::Port>& ports) {
  std::vector<mirror::TapDevice> out;
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const config::Port& p = config.ports[i];
    // Two ports may both have a default gateway: the one that stands first in the file is preferred.
    const auto metric = static_cast<std::uint32_t>(100 + i);
    out.emplace_back(mirror::TapSettings{p.name, ports[i].mac(), static_cast<std::uint16_t>(p.mtu),
                                         p.addresses, p.gateways, metric, vlans_of(p)});
  }
  return out;
}

std::vector<mirror::Device> devices_of(const std::vector<mirror::TapDevice>& taps) {
  std::vector<mirror::Device> out;
  for (std::size_t i = 0; i < taps.size(); ++i)
    out.push_back({static_cast<std::uint8_t>(i), taps[i].index()});
  return out;
}

void bump(std::atomic<std::uint64_t>& counter) {
  counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

}  // namespace

KernelMirror::KernelMirror(const config::Config& config, const std::vector<dpdk::Port>& ports,
                           std::vector<std::unique_ptr<dpdk::MirrorLink>>& links, rte_mempool* pool)
    : ports_(ports),
      links_(links),
      pool_(pool),
      taps_(make_taps(config, ports)),
      carrier_(taps_.size(), true),
      watcher_(std::make_unique<mirror::RouteWatcher>(devices_of(taps_))) {}

KernelMirror::~KernelMirror() {
  for (const auto& held : waiting_.clear()) rte_pktmbuf_free(held.frame);
  for (auto& link : links_) {
    dpdk::ToKernel up;
    while (link->to_kernel.pop({&up, 1}) == 1) rte_pktmbuf_free(up.frame);
    dpdk::ToPort down;
    while (link->to_port.pop({&down, 1}) == 1) rte_pktmbuf_free(down.frame);
  }
}

std::vector<pollfd> KernelMirror::descriptors() const {
  std::vector<pollfd> out{{watcher_->fd(), POLLIN, 0}};
  for (const auto& tap : taps_) out.push_back({tap.fd(), POLLIN, 0});
  return out;
}

Instant KernelMirror::serve(Instant now) {
  bool more = from_workers(now);
  more = from_kernel() || more;
  watcher_->receive();
  settle(now);
  if (auto table = watcher_->snapshot(now); table != nullptr && publish_) publish_(std::move(table));
  if (now >= next_housekeeping_) housekeeping(now);
  if (more) return now;
  return std::min({next_housekeeping_, watcher_->next_due(), waiting_.next_due()});
}

bool KernelMirror::from_workers(Instant now) {
  bool more = false;
  std::array<dpdk::ToKernel, kRound> batch;
  for (std::size_t w = 0; w < links_.size(); ++w) {
    const std::size_t n = links_[w]->to_kernel.pop(batch);
    more = more || n == batch.size();
    for (std::size_t i = 0; i < n; ++i) {
      if (batch[i].resolve) {
        hold(w, batch[i], now);
      } else {
        to_kernel(w, batch[i]);
      }
    }
  }
  return more;
}

void KernelMirror::to_kernel(std::size_t worker, const dpdk::ToKernel& item) {
  std::array<iovec, 16> pieces;
  std::size_t n = 0;
  for (rte_mbuf* m = item.frame; m != nullptr && n < pieces.size(); m = m->next) {
    pieces[n++] = {rte_pktmbuf_mtod(m, void*), m->data_len};
  }
  if (!taps_[item.port].write({pieces.data(), n})) bump(links_[worker]->refused);
  rte_pktmbuf_free(item.frame);
}

void KernelMirror::hold(std::size_t worker, const dpdk::ToKernel& item, Instant now) {
  // The worker's snapshot may be older than what is known here.
  if (const auto mac = watcher_->mac_of(item.link, item.next)) {
    send(worker, item.port, item.frame, *mac);
    return;
  }
  const mirror::NeighbourQueue::Neighbour neighbour{item.link, item.next};
  const bool first = !waiting_.waits(neighbour);
  if (waiting_.hold(neighbour, {item.frame, static_cast<std::uint8_t>(worker), item.port, now})) {
    if (first) watcher_->resolve(item.link, item.next);
    return;
  }
  rte_pktmbuf_free(item.frame);
  bump(links_[worker]->unresolved);
}

void KernelMirror::send(std::size_t worker, std::uint8_t port, rte_mbuf* frame, const Mac& destination) {
  std::memcpy(rte_pktmbuf_mtod(frame, void*), destination.bytes.data(), destination.bytes.size());
  if (links_[worker]->to_port.push({frame, port})) return;
  rte_pktmbuf_free(frame);
  bump(links_[worker]->unresolved);
}

bool KernelMirror::from_kernel() {
  bool more = false;
  for (std::size_t i = 0; i < taps_.size(); ++i) {
    std::size_t n = 0;
    for (; n < kRound; ++n) {
      rte_mbuf* m = rte_pktmbuf_alloc(pool_);
      if (m == nullptr) break;  // the kernel's queue keeps the frames meanwhile, and bounds them
      const std::size_t bytes =
          taps_[i].read({rte_pktmbuf_mtod(m, std::byte*), static_cast<std::size_t>(rte_pktmbuf_tailroom(m))});
      if (bytes == 0) {
        rte_pktmbuf_free(m);
        break;
      }
      m->data_len = static_cast<std::uint16_t>(bytes);
      m->pkt_len = static_cast<std::uint32_t>(bytes);
      // Worker 0 sends for the kernel: one writer per queue, and the kernel's frames stay in order.
      if (!links_[0]->to_port.push({m, static_cast<std::uint8_t>(i)})) {
        rte_pktmbuf_free(m);
        bump(links_[0]->refused);
      }
    }
    more = more || n == kRound;
  }
  return more;
}

void KernelMirror::settle(Instant now) {
  for (const auto& settled : watcher_->take_settled()) {
    const auto frames = waiting_.release(settled.neighbour);
    if (!settled.mac) {
      give_up(frames);
      continue;
    }
    for (const auto& held : frames) send(held.worker, held.port, held.frame, *settled.mac);
  }
  give_up(waiting_.expire(now));
}

void KernelMirror::give_up(const std::vector<mirror::NeighbourQueue::Held>& frames) {
  for (const auto& held : frames) {
    rte_pktmbuf_free(held.frame);
    bump(links_[held.worker]->unresolved);
  }
}

void KernelMirror::housekeeping(Instant now) {
  next_housekeeping_ = now + kHousekeeping;
  for (std::size_t i = 0; i < taps_.size(); ++i) {
    const bool up = ports_[i].link_up();
    if (up != carrier_[i]) taps_[i].set_carrier(up);
    carrier_[i] = up;
  }
  if (now < next_refresh_) return;
  next_refresh_ = now + kRefresh;
  watcher_->refresh(now);
}

}  // namespace braid::daemon
