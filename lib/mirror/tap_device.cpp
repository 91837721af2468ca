#include "mirror/tap_device.hpp"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "mirror/error.hpp"
#include "mirror/netlink.hpp"

namespace braid::mirror {

namespace {

constexpr char kTunNode[] = "/dev/net/tun";

[[noreturn]] void fail(const std::string& what, int error) {
  std::string text = what + ": " + std::strerror(error);
  if (error == EPERM || error == EACCES) text += "; the capability CAP_NET_ADMIN is needed (run as root)";
  throw Error(text);
}

void add_network(Netlink& netlink, const std::string& name, int index, const std::vector<Prefix>& addresses,
                 const std::vector<Ip>& gateways, std::uint32_t metric) {
  for (const Prefix& address : addresses) {
    if (const int e = netlink.ask(add_address(index, address)); e != 0)
      fail("cannot set address " + to_string(address) + " on " + name, e);
  }
  for (const Ip& gateway : gateways) {
    if (const int e = netlink.ask(add_default_route(index, gateway, metric)); e != 0) {
      const char* hint = e == ENETUNREACH || e == EHOSTUNREACH || e == EINVAL
                             ? " (is the gateway inside a prefix of the port's addresses?)"
                             : "";
      fail("cannot set the default route through " + to_string(gateway) + " on " + name + hint, e);
    }
  }
}

}  // namespace

TapDevice::TapDevice(const TapSettings& settings) : name_("braid-" + settings.port) {
  if (name_.size() >= IFNAMSIZ) throw Error("port name " + settings.port + " is too long for a device name");
  require_free(settings.port);
  try {
    open();
    configure(settings);
  } catch (...) {
    close();
    throw;
  }
}

TapDevice::TapDevice(TapDevice&& other) noexcept
    : name_(std::move(other.name_)), fd_(std::exchange(other.fd_, -1)), index_(other.index_) {}

TapDevice::~TapDevice() { close(); }

void TapDevice::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void TapDevice::require_free(const std::string& port) {
  const std::string name = "braid-" + port;
  if (if_nametoindex(name.c_str()) == 0) return;
  throw Error(
      "device " + name +
      " exists already: another braidd runs in this network namespace, or remove it with `ip link del " +
      name + "`");
}

void TapDevice::open() {
  fd_ = ::open(kTunNode, O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd_ < 0) {
    if (errno == ENOENT || errno == ENODEV || errno == ENXIO) {
      throw Error(std::string(kTunNode) +
                  " is missing: load the module with `modprobe tun`; in a container, pass "
                  "the device with `--device " +
                  kTunNode + "`");
    }
    fail(std::string("cannot open ") + kTunNode, errno);
  }
  ifreq request{};
  std::memcpy(request.ifr_name, name_.c_str(), name_.size());
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  if (ioctl(fd_, TUNSETIFF, &request) < 0) fail("cannot make the device " + name_, errno);
  index_ = static_cast<int>(if_nametoindex(name_.c_str()));
  if (index_ == 0) fail("device " + name_ + " vanished", errno);
}

void TapDevice::configure(const TapSettings& settings) const {
  Netlink netlink(0);
  if (const int e = netlink.ask(set_link(index_, settings.mac, settings.mtu)); e != 0) {
    fail("cannot set link address " + to_string(settings.mac) + " and MTU " + std::to_string(settings.mtu) +
             " of " + name_,
         e);
  }
  add_network(netlink, name_, index_, settings.addresses, settings.gateways, settings.metric);
  for (const VlanSettings& vlan : settings.vlans)
    add_network(netlink, vlan.name, make_vlan(vlan), vlan.addresses, vlan.gateways, settings.metric);
}

// Returns the new device's index.
int TapDevice::make_vlan(const VlanSettings& vlan) const {
  const auto parent = vlan.parent.empty() ? index_ : static_cast<int>(if_nametoindex(vlan.parent.c_str()));
  Netlink netlink(0);
  if (const int e = netlink.ask(add_vlan(parent, vlan.name, vlan.type, vlan.id)); e != 0) {
    const char* hint = e == EOPNOTSUPP ? " (is the kernel's module 8021q there?)"
                       : e == EEXIST   ? " (a device of that name is there already)"
                                       : "";
    fail("cannot make the VLAN device " + vlan.name + hint, e);
  }
  const auto index = static_cast<int>(if_nametoindex(vlan.name.c_str()));
  if (index == 0) fail("VLAN device " + vlan.name + " vanished", errno);
  return index;
}

bool TapDevice::write(std::span<const iovec> pieces) const {
  ssize_t n = 0;
  do {
    n = ::writev(fd_, pieces.data(), static_cast<int>(pieces.size()));
  } while (n < 0 && errno == EINTR);
  return n > 0;
}

std::size_t TapDevice::read(std::span<std::byte> room) const {
  ssize_t n = 0;
  do {
    n = ::read(fd_, room.data(), room.size());
  } while (n < 0 && errno == EINTR);
  return n > 0 ? static_cast<std::size_t>(n) : 0;
}

void TapDevice::set_carrier(bool up) const {
  int carrier = up ? 1 : 0;
  ioctl(fd_, TUNSETCARRIER, &carrier);  // kernels before 5.0 do not know it: routes then stay
}

}  // namespace braid::mirror
