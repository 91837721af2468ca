#include "dpdk/silence.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "dpdk/error.hpp"

namespace braid::dpdk {

namespace {

struct Ended {
  int status = -1;     // exit status; -1: the program could not be run
  std::string output;  // stderr, or why it could not be run
};

struct Pipe {
  Pipe() {
    if (pipe2(ends.data(), O_CLOEXEC) < 0) ends = {-1, -1};
  }
  ~Pipe() {
    shut(0);
    shut(1);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void shut(std::size_t end) {
    if (ends[end] >= 0) close(ends[end]);
    ends[end] = -1;
  }
  std::array<int, 2> ends{-1, -1};
};

// Feeds `input` to `nft -f -`. The input is smaller than a pipe's buffer, so writing it first cannot block.
Ended run_nft(const std::string& input) {
  Pipe in;
  Pipe err;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.ends[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err.ends[1], STDERR_FILENO);
  std::array<char, 4> name{"nft"};
  std::array<char, 3> file_option{"-f"};
  std::array<char, 2> from_stdin{"-"};
  std::array<char*, 4> argv{name.data(), file_option.data(), from_stdin.data(), nullptr};
  // Debian keeps nft in /usr/sbin, which a user's PATH may lack.
  std::array<char, 64> path{"PATH=/usr/sbin:/sbin:/usr/bin:/bin"};
  std::array<char*, 2> environment{path.data(), nullptr};
  pid_t child = -1;
  int error = ENOENT;
  for (const char* program : {"/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft"}) {
    if (access(program, X_OK) != 0) continue;
    error = posix_spawn(&child, program, &actions, nullptr, argv.data(), environment.data());
    break;
  }
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return {-1, std::strerror(error)};
  in.shut(0);
  err.shut(1);
  if (write(in.ends[1], input.data(), input.size()) < 0) return {-1, std::strerror(errno)};
  in.shut(1);
  Ended out;
  std::array<char, 512> text{};
  for (ssize_t n = 0; (n = read(err.ends[0], text.data(), text.size())) > 0;) {
    out.output.append(text.data(), static_cast<std::size_t>(n));
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  out.status = WIFEXITED(status) ? WEXITSTATUS(status) : 255;
  return out;
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

}  // namespace

std::string silence_rules(const std::string& table, const std::string& interface, bool egress) {
  // The first two lines remove what a braidd that was killed left behind.
  std::string out =
      "add table netdev " + table + "\ndelete table netdev " + table + "\ntable netdev " + table + " {\n";
  const auto chain = [&](const std::string& hook, const std::string& rules) {
    out += "  chain " + hook + " { type filter hook " + hook + " device \"" + interface +
           "\" priority -500; policy drop; " + rules + "}\n";
  };
  chain("ingress", "");
  // The port's own frames pass this hook too. They come from a process's socket, as those of a capture's
  // replay do; what the kernel sends by itself has no such socket.
  if (egress) chain("egress", "meta skuid >= 0 accept; ");
  return out + "}\n";
}

Silence::Silence(const std::string& port, const std::string& interface) : table_("braid_" + port) {
  Ended ended = run_nft(silence_rules(table_, interface, true));
  if (ended.status > 0) {
    egress_ = false;
    ended = run_nft(silence_rules(table_, interface, false));
  }
  if (ended.status == 0) return;
  const std::string what = "port " + port + ": the kernel cannot be kept from answering on " + interface;
  if (ended.status < 0) {
    throw Error(what + ": the program nft cannot be run (" + ended.output +
                "): install the package nftables");
  }
  throw Error(what + ": nft says: " + first_line(ended.output) + "; CAP_NET_ADMIN and nf_tables are needed");
}

Silence::Silence(Silence&& other) noexcept
    : table_(std::exchange(other.table_, {})), egress_(other.egress_) {}

Silence::~Silence() {
  if (!table_.empty()) run_nft("delete table netdev " + table_ + "\n");
}

}  // namespace braid::dpdk
