#include "mirror/route_watcher.hpp"

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "mirror/error.hpp"

namespace braid::mirror {

namespace {

constexpr unsigned kGroups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE |
                             RTMGRP_IPV6_ROUTE | RTMGRP_NEIGH;
constexpr int kDumpTries = 4;  // a dump that the tables' changes interrupt is repeated

}  // namespace

RouteWatcher::RouteWatcher(const std::vector<Device>& devices)
    : view_(devices), events_(kGroups), requests_(0) {
  read_all();
}

void RouteWatcher::read_routes() {
  for (const std::uint8_t family : {AF_INET, AF_INET6}) {
    int error = 0;
    for (int i = 0; i < kDumpTries; ++i) {
      error = requests_.ask_all(dump(RTM_GETROUTE, family), [this](const nlmsghdr* m) {
        auto event = parse_event(m);
        if (!event) return;
        // In a dump, equal prefixes are different routes: the flag belongs to change messages.
        if (auto* route = std::get_if<RouteEvent>(&*event)) route->replaces = false;
        view_.apply(*event);
      });
      if (error != EINTR) break;
    }
    if (error == EAFNOSUPPORT || error == EOPNOTSUPP) continue;  // a kernel without IPv6
    if (error != 0 && error != EINTR) throw Error(std::string("cannot read routes: ") + std::strerror(error));
  }
  view_.routes_read();
}

void RouteWatcher::read_all() {
  view_.forget_all();
  const auto apply = [this](const nlmsghdr* m) {
    if (const auto event = parse_event(m)) view_.apply(*event);
  };
  for (const std::uint16_t type : {RTM_GETLINK, RTM_GETADDR, RTM_GETNEIGH}) {
    int error = 0;
    for (int i = 0; i < kDumpTries; ++i) {
      error = requests_.ask_all(dump(type, AF_UNSPEC), apply);
      if (error != EINTR) break;
    }
    if (error != 0 && error != EINTR) {
      throw Error(std::string("cannot read the kernel's network state: ") + std::strerror(error));
    }
  }
  read_routes();
  changed_ = true;
}

void RouteWatcher::receive() {
  const int error = events_.receive([this](const nlmsghdr* m) {
    if (const auto event = parse_event(m)) changed_ = view_.apply(*event) || changed_;
  });
  if (error == 0) return;
  // The kernel had to drop events (ENOBUFS): only a full reading makes the picture true again.
  read_all();
}

std::unique_ptr<wire::RouteTable> RouteWatcher::snapshot(Instant now) {
  if (!changed_ || now < last_ + kRebuildPause) return nullptr;
  if (view_.routes_doubtful()) {
    view_.forget_routes();
    read_routes();
  }
  auto table = std::make_unique<wire::RouteTable>(view_.table());
  table->generation = ++generation_;
  changed_ = false;
  last_ = now;
  return table;
}

bool RouteWatcher::resolve(std::uint8_t port, const Ip& next) {
  const auto index = view_.index_of(port);
  return index && requests_.ask(use_neighbour(*index, next)) == 0;
}

void RouteWatcher::refresh(Instant now) {
  for (const auto& [port, ip] : view_.stale_to_probe(now, kStalePause, kStalePerCall)) resolve(port, ip);
}

}  // namespace braid::mirror
