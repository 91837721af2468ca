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
  if (const int error = read_all(); error != 0)
    throw Error(std::string("cannot read the kernel's network state: ") + std::strerror(error));
}

// One dump; a picture that changed while it was taken is taken again. EINTR: it changes all the time, and the
// events that say how are on their way.
int RouteWatcher::read(std::uint16_t type, std::uint8_t family) {
  int error = 0;
  for (int i = 0; i < kDumpTries; ++i) {
    error = requests_.ask_all(dump(type, family), [this](const nlmsghdr* m) {
      auto event = parse_event(m);
      if (!event) return;
      // In a dump, equal prefixes are different routes: the flag belongs to change messages.
      if (auto* route = std::get_if<RouteEvent>(&*event)) route->replaces = false;
      view_.apply(*event);
    });
    if (error != EINTR) break;
  }
  const bool absent = error == EAFNOSUPPORT || error == EOPNOTSUPP;  // a kernel without IPv6
  return error == EINTR || absent ? 0 : error;
}

int RouteWatcher::read_routes() {
  for (const std::uint8_t family : {AF_INET, AF_INET6})
    if (const int error = read(RTM_GETROUTE, family); error != 0) return error;
  view_.routes_read();
  return 0;
}

int RouteWatcher::read_all() {
  view_.forget_all();
  changed_ = true;
  for (const std::uint16_t type : {RTM_GETLINK, RTM_GETADDR, RTM_GETNEIGH})
    if (const int error = read(type, AF_UNSPEC); error != 0) return error;
  return read_routes();
}

void RouteWatcher::receive() {
  const int error = events_.receive([this](const nlmsghdr* m) {
    if (const auto event = parse_event(m)) changed_ = view_.apply(*event) || changed_;
  });
  // The kernel had to drop events (ENOBUFS): only a full reading makes the picture true again.
  if (error != 0) incomplete_ = changed_ = true;
}

std::unique_ptr<wire::RouteTable> RouteWatcher::snapshot(Instant now) {
  if (!changed_ || now < last_ + kRebuildPause) return nullptr;
  last_ = now;
  int error = 0;
  if (incomplete_) {
    error = read_all();
  } else if (view_.routes_doubtful()) {
    view_.forget_routes();
    error = read_routes();
  }
  incomplete_ = error != 0;
  if (incomplete_) {  // workers keep the table they have, and the reading is repeated
    last_ = now + kRetryPause;
    return nullptr;
  }
  auto table = std::make_unique<wire::RouteTable>(view_.table());
  table->generation = ++generation_;
  changed_ = false;
  return table;
}

bool RouteWatcher::resolve(wire::LinkId link, const Ip& next) {
  const auto index = view_.index_of(link);
  return index && requests_.ask(use_neighbour(*index, next)) == 0;
}

void RouteWatcher::refresh(Instant now) {
  for (const auto& [link, ip] : view_.stale_to_probe(now, kStalePause, kStalePerCall)) resolve(link, ip);
}

}  // namespace braid::mirror
