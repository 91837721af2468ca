#include "dpdk/netdev.hpp"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "dpdk/error.hpp"

namespace braid::dpdk {

namespace {

class ControlSocket {
 public:
  ControlSocket() : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {}
  ~ControlSocket() {
    if (fd_ >= 0) close(fd_);
  }
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;
  int ask(unsigned long request, ifreq& r) const { return ioctl(fd_, request, &r); }

 private:
  int fd_;
};

ifreq request_for(const std::string& interface) {
  ifreq r{};
  std::memcpy(r.ifr_name, interface.data(), std::min<std::size_t>(interface.size(), IFNAMSIZ - 1));
  return r;
}

struct Feature {
  std::uint32_t command;
  const char* name;
};
constexpr Feature kHarmful[] = {
    {ETHTOOL_GTXCSUM, "tx-checksumming"},
    {ETHTOOL_GTSO, "tcp-segmentation-offload"},
    {ETHTOOL_GGSO, "generic-segmentation-offload"},
    {ETHTOOL_GGRO, "generic-receive-offload"},
};

}  // namespace

bool uses_netdev(const std::string& driver) { return driver == "net_af_packet" || driver == "net_af_xdp"; }

void check_netdev(const std::string& port, const std::string& interface) {
  const ControlSocket socket;
  ifreq r = request_for(interface);
  if (interface.size() >= IFNAMSIZ || socket.ask(SIOCGIFFLAGS, r) < 0) {
    throw Error("port " + port + ": interface " + interface +
                " not found in this network namespace (see `ip link`)");
  }
  if ((r.ifr_flags & IFF_UP) != 0) return;
  r.ifr_flags = static_cast<short>(r.ifr_flags | IFF_UP);
  if (socket.ask(SIOCSIFFLAGS, r) < 0) {
    throw Error("port " + port + ": interface " + interface + " is down and cannot be taken up (" +
                std::strerror(errno) + "): `ip link set " + interface + " up` as root");
  }
}

unsigned queue_pairs(const std::string& interface) {
  const ControlSocket socket;
  ifreq r = request_for(interface);
  ethtool_channels channels{};
  channels.cmd = ETHTOOL_GCHANNELS;
  r.ifr_data = reinterpret_cast<char*>(&channels);
  if (socket.ask(SIOCETHTOOL, r) < 0) return 1;
  return std::max({1U, channels.combined_count, std::min(channels.rx_count, channels.tx_count)});
}

bool netdev_exists(const std::string& interface) {
  const ControlSocket socket;
  ifreq r = request_for(interface);
  return socket.ask(SIOCGIFFLAGS, r) == 0;
}

bool netdev_running(const std::string& interface) {
  const ControlSocket socket;
  ifreq r = request_for(interface);
  return socket.ask(SIOCGIFFLAGS, r) == 0 && (r.ifr_flags & IFF_UP) != 0 && (r.ifr_flags & IFF_RUNNING) != 0;
}

std::vector<std::string> harmful_offloads(const std::string& interface) {
  std::vector<std::string> out;
  const ControlSocket socket;
  for (const Feature& f : kHarmful) {
    ifreq r = request_for(interface);
    ethtool_value value{};
    value.cmd = f.command;
    r.ifr_data = reinterpret_cast<char*>(&value);
    if (socket.ask(SIOCETHTOOL, r) == 0 && value.data != 0) out.emplace_back(f.name);
  }
  return out;
}

}  // namespace braid::dpdk
