// braid-flood: SYNs from random addresses out of a network device, at a given rate, for benchmarks in the
// lab. It refuses targets outside of 198.18.0.0/15.
#include <fmt/format.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <vector>

#include "syn_maker.hpp"

namespace braid::perf {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kBatch = 64;
// What a sleep or another process has cost is made up for, but not as one burst that no queue would hold.
constexpr std::chrono::milliseconds kMostArrears{2};

volatile sig_atomic_t ended = 0;

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// A packet socket that only sends, past the queueing discipline.
class Sender {
 public:
  explicit Sender(const std::string& device) : fd_(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)) {
    if (fd_ < 0) fail("packet socket");
    sockaddr_ll at{};
    at.sll_family = AF_PACKET;
    at.sll_ifindex = static_cast<int>(if_nametoindex(device.c_str()));
    if (at.sll_ifindex == 0) fail("device " + device);
    const int on = 1;
    setsockopt(fd_, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on);
    if (bind(fd_, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) fail("packet socket on " + device);
    ifreq ask{};
    std::strncpy(ask.ifr_name, device.c_str(), IFNAMSIZ - 1);
    if (ioctl(fd_, SIOCGIFHWADDR, &ask) != 0) fail("hardware address of " + device);
    std::memcpy(mac_.bytes.data(), ask.ifr_hwaddr.sa_data, mac_.bytes.size());
  }
  ~Sender() { close(fd_); }
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;

  [[nodiscard]] Mac mac() const { return mac_; }

  // Makes and sends so many, at most kBatch; returns how many the device took.
  std::size_t send(SynMaker& maker, std::size_t count) {
    std::array<iovec, kBatch> data;
    std::array<mmsghdr, kBatch> messages{};
    for (std::size_t i = 0; i < count; ++i) {
      const auto frame = maker.make(frames_[i]);
      data[i] = {const_cast<std::byte*>(frame.data()), frame.size()};
      messages[i].msg_hdr.msg_iov = &data[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
    const int sent = sendmmsg(fd_, messages.data(), static_cast<unsigned>(count), 0);
    if (sent < 0 && errno != ENOBUFS && errno != EINTR) fail("send");
    return sent > 0 ? static_cast<std::size_t>(sent) : 0;
  }

 private:
  int fd_;
  Mac mac_;
  std::array<SynMaker::Frame, kBatch> frames_;
};

// Sends until the time is up or a signal comes. Prints {"sent": N, "kpps": R}.
void run(Sender& sender, SynMaker& maker, double per_second, double seconds) {
  const auto begin = Clock::now();
  const auto in_seconds = [](Clock::duration d) { return std::chrono::duration<double>(d).count(); };
  auto from = begin;  // arrears that were written off move it
  double since = 0;   // packets sent from then on
  std::uint64_t sent = 0;
  while (ended == 0 && in_seconds(Clock::now() - begin) < seconds) {
    const auto now = Clock::now();
    if (in_seconds(now - from) * per_second - since > per_second * in_seconds(kMostArrears)) {
      from = now - kMostArrears;
      since = 0;
    }
    if (in_seconds(now - from) * per_second - since < static_cast<double>(kBatch)) {
      std::this_thread::sleep_for(std::chrono::microseconds(100));
      continue;
    }
    const std::size_t took = sender.send(maker, kBatch);
    sent += took;
    since += static_cast<double>(took);
  }
  const double took = in_seconds(Clock::now() - begin);
  fmt::print("{{\"sent\": {}, \"kpps\": {:.1f}}}\n", sent, static_cast<double>(sent) / took / 1000);
}

}  // namespace
}  // namespace braid::perf

int main(int argc, char** argv) {
  using namespace braid;
  using namespace braid::perf;
  constexpr int kUsage = 64;
  constexpr int kOsError = 71;
  CLI::App app{
      "SYNs from random addresses of 198.18.0.0/15, half of them with MP_CAPABLE, until the time is up or "
      "SIGTERM."};
  std::string device, to, mac;
  double kpps = 250;
  double seconds = 10;
  std::uint64_t seed = 1;
  app.add_option("--device", device, "the network device they leave by")->required();
  app.add_option("--to", to, "address:port, in 198.18.0.0/15")->required();
  app.add_option("--mac", mac, "hardware address of the next hop")->required();
  app.add_option("--kpps", kpps, "thousands per second")
      ->check(CLI::Range(1.0, 10000.0))
      ->capture_default_str();
  app.add_option("--seconds", seconds, "how long")->check(CLI::Range(0.1, 600.0))->capture_default_str();
  app.add_option("--seed", seed, "what the addresses follow from")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const auto target = parse_endpoint(to);
  const auto next_hop = parse_mac(mac);
  if (!target || !next_hop || !parse_prefix("198.18.0.0/15")->contains(target->ip)) {
    fmt::print(stderr, "braid-flood: --to takes address:port of 198.18.0.0/15, --mac a hardware address\n");
    return kUsage;
  }
  for (const int s : {SIGTERM, SIGINT}) signal(s, [](int) { ended = 1; });
  try {
    Sender sender(device);
    SynMaker maker(*target, sender.mac(), *next_hop, seed);
    run(sender, maker, kpps * 1000, seconds);
  } catch (const std::system_error& e) {
    fmt::print(stderr, "braid-flood: {}\n", e.what());
    return kOsError;
  }
  return 0;
}
