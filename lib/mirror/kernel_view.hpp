// What the kernel has configured on the mirror devices and the VLAN devices on them, kept up to date event by
// event. Pure: no socket, no clock of its own.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "mirror/events.hpp"
#include "wire/routes.hpp"

namespace braid::mirror {

struct Device {
  std::uint8_t port = 0;
  int index = 0;  // of the TAP device
};

class KernelView {
 public:
  explicit KernelView(const std::vector<Device>& devices);

  // Takes one event; those of other devices change nothing. Returns whether the picture changed.
  bool apply(const Event& event);
  // Forgets routes, or everything, before a full dump.
  void forget_routes() { routes_.clear(); }
  void forget_all();
  // The kernel drops IPv4 routes without saying so when a link or address goes: they must be read again.
  [[nodiscard]] bool routes_doubtful() const { return routes_doubtful_; }
  void routes_read() { routes_doubtful_ = false; }

  [[nodiscard]] wire::RouteTable table() const;

  using Neighbour = std::pair<wire::LinkId, Ip>;
  [[nodiscard]] std::optional<Mac> mac_of(const Neighbour& neighbour) const;
  // Neighbours whose state became known or failed since the last call; `mac` unset: failed.
  struct Settled {
    Neighbour neighbour;
    std::optional<Mac> mac;
  };
  std::vector<Settled> take_settled() { return std::exchange(settled_, {}); }
  // Up to `max` stale neighbours that were not returned within `pause`.
  std::vector<Neighbour> stale_to_probe(Instant now, Duration pause, std::size_t max);
  [[nodiscard]] std::optional<int> index_of(wire::LinkId link) const;

 private:
  struct Link {
    wire::LinkId id = 0;
    wire::Link is;
    std::vector<Prefix> addresses;  // in the kernel's order
  };
  struct RouteKey {
    Prefix prefix;
    std::uint32_t metric = 0;
    friend auto operator<=>(const RouteKey&, const RouteKey&) = default;
  };
  struct Entry {
    Mac mac;
    Reach reach = Reach::unknown;
    std::optional<Instant> probed;
  };

  bool take(const LinkEvent& e);
  Link* find_or_make(const LinkEvent& e);
  bool forget(std::map<int, Link>::iterator link);
  bool take(const AddressEvent& e);
  bool take(const RouteEvent& e);
  bool take(const NeighbourEvent& e);

  std::map<int, Link> links_;  // by device index; exactly the mirror devices and the VLANs on them
  std::vector<int> indices_;   // by link number; 0: free
  std::multimap<RouteKey, RouteEvent> routes_;
  std::map<Neighbour, Entry> neighbours_;
  std::vector<Settled> settled_;
  bool routes_doubtful_ = false;
};

}  // namespace braid::mirror
