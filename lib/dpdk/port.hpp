// One port: from its device to running ethdev queues, and back.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/address.hpp"
#include "dpdk/profile.hpp"

struct rte_mempool;

namespace braid::dpdk {

struct PortSettings {
  std::string name;          // the config's
  std::string driver;        // "net_af_packet", ..., or "pci"
  std::string target;        // interface, ring or PCI address
  unsigned workers = 1;      // transmit queues: one per worker
  unsigned queues = 1;       // receive queues
  std::uint16_t mtu = 1500;  // bytes of IP packet
  // Outer ids of two tags: drivers that take a tag off a frame do not all say of which type it was.
  std::vector<std::uint16_t> service_vlans{};
};

struct PortCounters {
  bool up = false;
  std::uint64_t rx_packets = 0, rx_bytes = 0, tx_packets = 0, tx_bytes = 0;
  std::uint64_t missed = 0, no_buffer = 0, errors = 0;
};

// The arguments of a virtual device ("iface=g1,qpairs=2,...") for `settings`. `lane`: which of the port's
// devices, where each queue is one.
std::string device_arguments(const PortSettings& settings, const Profile& profile, unsigned lane);
// Bytes of buffer a pool needs for frames of `mtu` from a port of that profile, headroom included.
std::uint16_t data_room(std::uint16_t mtu, const Profile& profile);

class Port {
 public:
  // Makes the virtual device (or finds the PCI one). Throws Error that says what to do.
  Port(PortSettings settings, Profile profile);
  ~Port();  // stops, closes and removes the device
  Port(Port&& other) noexcept;
  Port& operator=(Port&&) = delete;

  // Sets up the queues, `pools[i]` being that of worker i, and starts the port. Throws Error.
  void start(const std::vector<rte_mempool*>& pools);
  // Stops the queues; no worker may use the port any more.
  void stop();

  // The ethdev port and queue that worker `worker` uses.
  struct Queue {
    std::uint16_t ethdev = 0;
    std::uint16_t queue = 0;
  };
  [[nodiscard]] Queue queue(unsigned worker) const;
  [[nodiscard]] const PortSettings& settings() const { return settings_; }
  [[nodiscard]] const Profile& profile() const { return profile_; }
  // The port writes the TCP checksum of frames that ask for it.
  [[nodiscard]] bool writes_checksums() const { return writes_checksums_; }
  [[nodiscard]] const Mac& mac() const { return mac_; }
  [[nodiscard]] bool link_up() const;
  [[nodiscard]] PortCounters counters() const;

 private:
  struct Lane {
    std::uint16_t ethdev = 0;
    std::string device;  // EAL's name of the virtual device; empty: PCI
    bool started = false;
  };

  void check_interface() const;
  void attach(unsigned lane);
  void read_mac();
  void configure(const Lane& lane);
  std::uint64_t transmit_offloads(std::uint64_t capable);
  void start(Lane& lane, const std::vector<rte_mempool*>& pools);
  void close();

  PortSettings settings_;
  Profile profile_;
  std::vector<Lane> lanes_;  // one, or one per worker (Profile::device_per_queue)
  Mac mac_;
  bool writes_checksums_ = false;
};

}  // namespace braid::dpdk
