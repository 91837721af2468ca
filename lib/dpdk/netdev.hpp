// Checks of a kernel interface that a port is opened on.
#pragma once

#include <string>
#include <vector>

namespace braid::dpdk {

// PMDs whose device is an existing kernel interface.
bool uses_netdev(const std::string& driver);

// Throws Error when there is no such interface in this network namespace, or it is not up and cannot be taken
// up.
void check_netdev(const std::string& port, const std::string& interface);

// Queue pairs the interface has in use; 1 when it does not say.
unsigned queue_pairs(const std::string& interface);

// Whether this network namespace has the interface.
bool netdev_exists(const std::string& interface);

// Whether the interface is up and has carrier.
bool netdev_running(const std::string& interface);

// Offloads of the interface that hand out frames with unfinished checksums or of more than the MTU, by the
// names ethtool(8) gives them. Empty when there are none, or the interface does not say.
std::vector<std::string> harmful_offloads(const std::string& interface);

}  // namespace braid::dpdk
