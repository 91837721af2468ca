// The configuration as typed values. What the YAML file leaves out has the default written here; what a value
// means to an operator is in docs/configuration.md. `load.hpp` turns a file into a Config.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.hpp"
#include "base/time.hpp"

namespace braid::config {

enum class Hugepages : std::uint8_t { automatic, on, off };
enum class Idle : std::uint8_t { spin, pause, sleep };
enum class MptcpMode : std::uint8_t { prefer, off };
enum class Congestion : std::uint8_t { cubic, newreno };
enum class Scheduler : std::uint8_t { lowest_rtt };
enum class LogLevel : std::uint8_t { error, warn, info, debug };
enum class LogFormat : std::uint8_t { text, json };

struct Dpdk {
  std::optional<unsigned> main_core;           // core of the control threads; unset: the first allowed one
  std::uint64_t memory = 512ULL << 20;         // bytes, a multiple of 1 MiB
  Hugepages hugepages = Hugepages::automatic;  // automatic: used when enough are free
  std::string file_prefix = "braid";           // EAL's name for the process
  std::vector<std::string> eal;                // further EAL arguments, taken as they are
};

struct Workers {
  unsigned count = 1;           // 1..limits::kMaxWorkers
  std::vector<unsigned> cores;  // empty: chosen at start from the allowed ones; else one per worker
  Idle idle = Idle::spin;
  Duration sleep = Duration::zero();  // with Idle::sleep: 1 us..10 ms; else zero
};

// A tagged network on a port.
struct Vlan {
  std::vector<unsigned> id;       // 1..4094; one (802.1Q), or two with the outer one first (802.1ad)
  std::vector<Prefix> addresses;  // as of Port
  std::vector<Ip> gateways;
};

struct Port {
  std::string name;               // 1..9 characters, so that "braid-<name>" is a device name
  std::string device;             // "net_af_packet:g1" (driver:interface) or a PCI address "0000:3b:00.0"
  std::string profile;            // file drivers-config/<profile>.yaml; empty: chosen by the device's kind
  unsigned queues = 0;            // receive queues; the loader puts workers.count where the file gives none
  unsigned mtu = 1500;            // bytes of IP packet
  std::vector<Prefix> addresses;  // set on the kernel mirror's device at start
  std::vector<Ip> gateways;       // next hops of default routes, at most one per family
  std::vector<Vlan> vlans;

  // The driver of a virtual device ("net_af_packet"), or "pci".
  [[nodiscard]] std::string_view driver() const;
  // The kernel interface or ring of a virtual device, or the PCI address.
  [[nodiscard]] std::string_view target() const;
  [[nodiscard]] bool is_pci() const { return driver() == "pci"; }
};

// The kernel's device of that VLAN: "wan.100", or "wan.100.200" with two tags.
std::string device_name(const Port& port, const Vlan& vlan);

struct Mptcp {
  MptcpMode mode = MptcpMode::prefer;
  unsigned max_subflows = 4;     // of one session, 1..limits::kMaxSubflows
  std::vector<Ip> join_address;  // destinations of joins besides the binds
  // Announced by ADD_ADDR; port 0: no port in the option (the client uses the one it connected to). The
  // loader puts join_address here where the file gives none.
  std::vector<Endpoint> announce;
  bool refuse_initial_join =
      false;  // the C flag (RFC 8684 3.1): no joins to the address of the first subflow
  Scheduler scheduler = Scheduler::lowest_rtt;
  bool checksum = false;  // ask for DSS checksums (RFC 8684 3.3.1)
};

struct Listener {
  std::string name;
  std::vector<Endpoint> bind;  // at least one
  std::string upstream;
  std::uint16_t upstream_index = 0;  // position in Config::upstreams
  Mptcp mptcp;
  Congestion congestion = Congestion::cubic;
  unsigned dscp = 0;  // 0..63, of what is sent to its clients
  unsigned ttl = 64;  // 1..255
};

struct Server {
  Endpoint address;
};

struct Upstream {
  std::string name;
  std::vector<Server> servers;  // 1..limits::kMaxUpstreamServers
  Duration connect_timeout = std::chrono::seconds(3);
  Congestion congestion = Congestion::cubic;
  unsigned dscp = 0;  // as of Listener, of what is sent to the servers
  unsigned ttl = 64;
  bool ecn = false;        // ask servers for explicit congestion notification (RFC 3168)
  std::vector<Ip> source;  // local addresses of server legs; empty: the port's own address
};

struct Timeouts {
  Duration handshake = std::chrono::seconds(10);    // SYN received until established
  Duration idle = std::chrono::hours(1);            // no byte in either direction
  Duration half_closed = std::chrono::seconds(60);  // no byte, one direction closed
  Duration drain = std::chrono::seconds(30);      // sessions may end by themselves after a stop was asked for
  Duration hold = std::chrono::seconds(60);       // a session without a subflow waits for a join
  Duration keepalive = Duration::zero();          // idle time before a probe; zero: off
  Duration user = std::chrono::minutes(5);        // sent data unacknowledged (RFC 9293 3.8.3)
  Duration time_wait = std::chrono::seconds(60);  // 2 MSL (RFC 9293 3.6.1)
};

struct Limits {
  std::uint32_t connections = 20'000;                // relayed client connections, per worker
  std::uint32_t handshakes = 4'096;                  // clients in handshake, per worker
  std::uint64_t buffer_per_connection = 4ULL << 20;  // bytes per direction
  std::uint32_t packet_buffers = 65'536;             // mbufs of the whole appliance
  std::uint32_t mirror_pps = 2'000;                  // packets per second to the kernel, per worker
};

struct Metrics {
  bool enabled = true;
  Endpoint listen{Ip::v4(0x7f000001), 9464};
};

struct Control {
  std::string socket = "/run/braid/braid.sock";
};

struct Log {
  LogLevel level = LogLevel::info;
  LogFormat format = LogFormat::text;
  bool access = true;  // one line per ended client connection
};

struct Config {
  std::string file;  // where it was read from, for messages
  Dpdk dpdk;
  Workers workers;
  std::vector<Port> ports;  // 1..limits::kMaxPorts
  std::vector<Listener> listeners;
  std::vector<Upstream> upstreams;
  Timeouts timeouts;
  Limits limits;
  Metrics metrics;
  Control control;
  Log log;
};

const char* to_string(Hugepages);
const char* to_string(Idle);
const char* to_string(MptcpMode);
const char* to_string(Congestion);
const char* to_string(Scheduler);
const char* to_string(LogLevel);
const char* to_string(LogFormat);

}  // namespace braid::config
