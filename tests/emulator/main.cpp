// braid-links: the test kit's links in real time, between network devices. What the simulator does to packets
// in virtual time, this does to those of real kernels.
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <ctime>
#include <system_error>

#include "cable.hpp"
#include "kit/box_list.hpp"
#include "kit/profiles.hpp"
#include "lateness.hpp"

namespace braid::emulator {
namespace {

// Exit status.
constexpr int kRejected = 3;  // the timing was too far off
constexpr int kUsage = 64;
constexpr int kOsError = 71;
constexpr std::int64_t kMostLateness = 1000;  // us, of 99 in 100 wake-ups

Duration clock_now() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

class Emulator {
 public:
  Emulator(std::uint64_t seed, const std::vector<std::string>& links) : world_(seed) {
    for (const std::string& l : links) cables_.push_back(std::make_unique<Cable>(world_, l));
    sigset_t wanted;
    sigemptyset(&wanted);
    for (const int s : {SIGTERM, SIGINT, SIGUSR1}) sigaddset(&wanted, s);
    sigprocmask(SIG_BLOCK, &wanted, nullptr);
    signals_ = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals_ < 0) throw std::system_error(errno, std::generic_category(), "signalfd");
    prctl(PR_SET_TIMERSLACK, 1UL);  // ns; the default of 50 us would be part of every delay
  }
  ~Emulator() { close(signals_); }
  Emulator(const Emulator&) = delete;
  Emulator& operator=(const Emulator&) = delete;

  int run() {
    fmt::print("READY\n");
    std::fflush(stdout);
    begin_ = clock_now();
    while (!ended_) {
      const bool more = turn();
      wait(more);
    }
    report();
    return lateness_.quantile(0.99) > kMostLateness ? kRejected : 0;
  }

 private:
  // Delivers what is due and takes what has come in.
  bool turn() {
    const Instant now = world_.start() + (clock_now() - begin_);
    const Instant due = world_.next_event();
    if (due <= now) lateness_.note(now - due);
    world_.advance(now);
    bool more = false;
    for (const auto& c : cables_) {
      more |= c->user().receive();
      more |= c->network().receive();
    }
    return more;
  }

  void wait(bool at_once) {
    std::vector<pollfd> fds{{signals_, POLLIN, 0}};
    for (const auto& c : cables_) {
      fds.push_back({c->user().fd(), POLLIN, 0});
      fds.push_back({c->network().fd(), POLLIN, 0});
    }
    const Instant due = world_.next_event();
    const Duration left = at_once ? Duration::zero() : due - world_.start() - (clock_now() - begin_);
    const Duration span = std::clamp<Duration>(left, Duration::zero(), std::chrono::hours(1));
    const timespec timeout{static_cast<time_t>(span / std::chrono::seconds(1)),
                           static_cast<long>((span % std::chrono::seconds(1)).count())};
    ppoll(fds.data(), fds.size(), &timeout, nullptr);
    signalfd_siginfo s{};
    while (read(signals_, &s, sizeof s) == sizeof s) {
      if (s.ssi_signo == SIGUSR1) {
        report();
      } else {
        ended_ = true;
      }
    }
  }

  void report() const {
    for (const auto& c : cables_) {
      const kit::Link& link = c->link();
      fmt::print("link {}: {} packets up, {} down, {} lost; {} refused by the devices\n", link.spec().name,
                 link.delivered(true), link.delivered(false), link.lost(),
                 c->user().refused() + c->network().refused());
    }
    fmt::print("timing error in us: median {}, p99 {}, worst {}, of {} wake-ups\n", lateness_.quantile(0.5),
               lateness_.quantile(0.99), lateness_.worst(), lateness_.total());
    std::fflush(stdout);
  }

  kit::World world_;
  std::vector<std::unique_ptr<Cable>> cables_;
  Lateness lateness_;
  Duration begin_{0};
  int signals_ = -1;
  bool ended_ = false;
};

}  // namespace
}  // namespace braid::emulator

int main(int argc, char** argv) {
  using namespace braid;
  using namespace braid::emulator;
  CLI::App app{
      "Emulates access links between pairs of network devices until SIGTERM.\n"
      "SIGUSR1 prints what they carried and how late packets were. Exit status 3: 1 % of all wake-ups\n"
      "came more than 1 ms late, so what was measured over these links is not to be trusted.\n"
      "Profiles: " +
      CLI::detail::join(kit::profile_names(), ", ")};
  std::vector<std::string> links;
  std::uint64_t seed = 1;
  bool list_boxes = false;
  app.add_option(
      "--link", links,
      "NAME=PROFILE,DEVICE,DEVICE[,BOX[,ADDRESS]]: the user's device and the network's; a middlebox,\n"
      "and the address that it shows when it translates");
  app.add_flag("--list-boxes", list_boxes, "print the middleboxes' names");
  app.add_option("--seed", seed, "what all chance follows from")->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : kUsage;
  }
  if (list_boxes) {
    for (const auto& box : kit::box::list()) fmt::print("{}\n", box.name);
    return 0;
  }
  try {
    if (links.empty()) throw std::invalid_argument("no --link given");
    return Emulator(seed, links).run();
  } catch (const std::invalid_argument& e) {
    fmt::print(stderr, "braid-links: {}\n", e.what());
    return kUsage;
  } catch (const std::system_error& e) {
    fmt::print(stderr, "braid-links: {}\n", e.what());
    return kOsError;
  }
}
