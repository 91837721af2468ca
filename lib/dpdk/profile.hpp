// What Braid must know about a kind of port: one value per file in drivers-config/.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace braid::dpdk {

struct Profile {
  std::string name;    // file name without its end
  std::string driver;  // PMD
  std::map<std::string, std::string>
      arguments;  // of the virtual device, besides the interface and the queues
  std::uint16_t receive_descriptors = 512;
  std::uint16_t transmit_descriptors = 512;
  bool paired_queues = false;      // the PMD has as many receive as transmit queues
  bool device_per_queue = false;   // every queue is an ethdev of its own (start_queue=n,queue_count=1)
  bool receive_checksum = true;    // use the port's checksum verdicts where it has them
  bool transmit_checksum = false;  // let the port write TCP checksums where it can
  // The port keeps the frames of one flow in one queue. Without it, a worker must expect any frame.
  bool stable_flows = true;
  bool shares_kernel = false;   // the kernel also sees the interface's frames and must be silenced
  bool linear_frames = false;   // frames must be in one direct buffer: others are copied
  bool peer_mac = false;        // the interface's address belongs to the kernel's end; the port takes another
  bool watch_offloads = false;  // checksum and segmentation offloads of the interface spoil frames

  // Whether a port of this kind can have so many receive queues; each worker has a transmit queue.
  [[nodiscard]] bool takes(unsigned queues, unsigned workers) const {
    return !paired_queues || queues == workers;
  }
};

}  // namespace braid::dpdk
