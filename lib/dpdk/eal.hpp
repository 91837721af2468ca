// EAL from Braid's settings, so that an operator needs no EAL options.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace braid::dpdk {

enum class Hugepages : std::uint8_t { automatic, on, off };

struct EalSettings {
  unsigned main_core = 0;              // core of the control threads
  std::vector<unsigned> worker_cores;  // one per worker; a core may serve several
  std::uint64_t memory = 0;            // bytes
  Hugepages hugepages = Hugepages::automatic;
  std::string file_prefix;
  std::vector<std::string> pci_devices;        // addresses to probe; none: PCI is left alone
  std::vector<std::string> config_arguments;   // further arguments, from the config file
  std::vector<std::string> command_arguments;  // further arguments, from the command line
  std::string config_place;                    // names the config file in messages
};

// Bytes in free hugepages of the machine, all sizes together. `root`: where sysfs is mounted.
std::uint64_t free_hugepage_bytes(const std::string& root = "/sys");

// EAL's argument vector (without the program's name) for `settings` on a machine with that many bytes in free
// hugepages. Throws Error when an argument clashes with another place's or hugepages are wanted and missing.
std::vector<std::string> eal_arguments(const EalSettings& settings, std::uint64_t free_hugepages);

// A running EAL; the calling thread becomes the main lcore on settings.main_core. One per process.
class Eal {
 public:
  // `program`: argv[0]. Throws Error.
  Eal(const std::string& program, std::vector<std::string> arguments);
  ~Eal();
  Eal(const Eal&) = delete;
  Eal& operator=(const Eal&) = delete;

  // The arguments as started, for people.
  [[nodiscard]] const std::string& command_line() const { return command_line_; }

 private:
  std::string command_line_;
};

}  // namespace braid::dpdk
