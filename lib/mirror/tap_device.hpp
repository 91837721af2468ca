// The kernel's twin of a port: a TAP device `braid-<port>` with the port's link address. What is written to
// it the kernel receives; what the kernel sends through it is read from it.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/address.hpp"
#include "wire/ethernet.hpp"

namespace braid::mirror {

// A VLAN device on a TAP device, or on another VLAN device.
struct VlanSettings {
  std::string name;
  std::string parent;                     // empty: the TAP device
  std::uint16_t type = wire::kEtherVlan;  // of its tag
  std::uint16_t id = 1;
  std::vector<Prefix> addresses;
  std::vector<Ip> gateways;
};

struct TapSettings {
  std::string port;  // 1..9 characters; the device is "braid-<port>"
  Mac mac;
  std::uint16_t mtu = 1500;           // bytes of IP packet
  std::vector<Prefix> addresses;      // set at creation
  std::vector<Ip> gateways;           // default routes set at creation
  std::uint32_t metric = 100;         // of those routes
  std::vector<VlanSettings> vlans{};  // parents before what is on them; they vanish with the device
};

class TapDevice {
 public:
  // Makes the device in the current network namespace and takes it up. Throws Error that says what to do; no
  // device is left behind then.
  explicit TapDevice(const TapSettings& settings);
  ~TapDevice();  // the device vanishes, with its addresses and routes
  TapDevice(TapDevice&& other) noexcept;
  TapDevice& operator=(TapDevice&&) = delete;

  // Throws Error when the device of this port exists already.
  static void require_free(const std::string& port);

  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] int index() const { return index_; }
  [[nodiscard]] const std::string& name() const { return name_; }

  // Gives one frame, in pieces, to the kernel. False: the kernel did not take it (device down).
  bool write(std::span<const iovec> pieces) const;
  // Takes one frame the kernel sent. Returns its bytes; 0: none waits. A frame longer than `room` is cut.
  [[nodiscard]] std::size_t read(std::span<std::byte> room) const;
  // Shows the port's link state to the kernel, which then leaves the routes through it.
  void set_carrier(bool up) const;

 private:
  void open();
  void configure(const TapSettings& settings) const;
  [[nodiscard]] int make_vlan(const VlanSettings& vlan) const;
  void close();

  std::string name_;
  int fd_ = -1;
  int index_ = 0;
};

}  // namespace braid::mirror
