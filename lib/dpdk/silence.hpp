// Keeps the kernel from answering on an interface that a port shares with it (AF_PACKET only taps): an
// nftables table of the netdev family that drops what the kernel would receive and send there.
#pragma once

#include <string>

namespace braid::dpdk {

// The ruleset for `nft -f -`. `egress`: also drop what the kernel itself sends (needs Linux 5.16).
std::string silence_rules(const std::string& table, const std::string& interface, bool egress);

class Silence {
 public:
  // Makes the table `braid_<port>` with the program nft. Throws Error that says what to do.
  Silence(const std::string& port, const std::string& interface);
  ~Silence();  // the table goes
  Silence(Silence&& other) noexcept;
  Silence& operator=(Silence&&) = delete;

  // False: the kernel's own packets still leave through the interface (the kernel has no egress hook).
  [[nodiscard]] bool egress() const { return egress_; }

 private:
  std::string table_;
  bool egress_ = true;
};

}  // namespace braid::dpdk
