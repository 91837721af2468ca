// Which of the addresses that listeners announce (RFC 8684 3.4) are here: on a link that is up. One that was
// never this box's is somebody else's to watch (a translator's in front of it, say) and counts as here. A
// change counts when it has lasted a moment, so that clients do not hear of every flap.
#pragma once

#include <cstdint>
#include <vector>

#include "relay/settings.hpp"
#include "wire/routes.hpp"

namespace braid::engine {

class Presence {
 public:
  static constexpr Duration kMoment = std::chrono::seconds(1);

  explicit Presence(const std::vector<relay::Listener>& listeners);

  // Whether what here() says of any has changed.
  bool look(Instant now, const wire::RouteTable& routes);
  // Bit i: the i-th address that this listener announces is here.
  [[nodiscard]] std::uint64_t here(std::size_t listener) const { return here_[listener]; }
  // When the next look() may find a change even if the table stays as it is.
  [[nodiscard]] Instant due() const { return due_; }

 private:
  struct Address {
    Ip ip;
    std::size_t listener = 0;
    std::uint64_t bit = 0;
    bool ours = false;       // was once an address of this box
    Instant turns = kNever;  // when here_ takes over what the table says
  };
  void read(Instant now, const wire::RouteTable& routes);
  bool settle(Instant now);

  std::vector<Address> addresses_;
  std::vector<std::uint64_t> here_;  // by listener
  std::uint32_t generation_ = 0;
  Instant due_ = kNever;  // the earliest of `turns`
};

}  // namespace braid::engine
