#include "dpdk/eal.hpp"

#include <rte_eal.h>
#include <rte_errno.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string_view>

#include "dpdk/error.hpp"

namespace braid::dpdk {

namespace {

constexpr std::uint64_t kMiB = 1ULL << 20;

// Options that say the same thing.
struct Alias {
  std::string_view given;
  std::string_view canonical;
};
constexpr Alias kAliases[] = {
    {"-l", "--lcores"}, {"-c", "--lcores"}, {"-m", "--memory"},      {"--socket-mem", "--memory"},
    {"-a", "--allow"},  {"-b", "--block"},  {"--no-huge", "--huge"}, {"--in-memory", "--huge"},
};
constexpr std::string_view kRepeatable[] = {"--allow", "--block", "--vdev", "--log-level", "-d"};

std::string canonical(std::string_view argument) {
  const auto equals = argument.find('=');
  std::string_view name = argument.substr(0, equals);
  // A short option may have its value attached: -l0-1, -m512.
  if (name.size() > 2 && name[0] == '-' && name[1] != '-') name = name.substr(0, 2);
  for (const Alias& a : kAliases) {
    if (a.given == name) return std::string(a.canonical);
  }
  return std::string(name);
}

struct Given {
  std::string option;
  std::string text;
  std::string place;
};

class Arguments {
 public:
  void own(const std::string& text, const std::string& key) { add(text, key); }

  void foreign(const std::vector<std::string>& texts, const std::string& place) {
    for (const std::string& text : texts) {
      if (text.starts_with("-")) {
        add(text, place);
      } else {
        out_.push_back(text);  // the value of the option before
      }
    }
  }

  std::vector<std::string> take() { return std::move(out_); }

 private:
  void add(const std::string& text, const std::string& place) {
    const std::string option = canonical(text);
    const bool repeats =
        std::find(std::begin(kRepeatable), std::end(kRepeatable), option) != std::end(kRepeatable);
    for (const Given& g : given_) {
      if (repeats || g.option != option || g.place == place) continue;
      std::string what = "EAL argument ";
      what.append(text).append(" (").append(place).append(") clashes with ");
      what.append(g.text).append(" (").append(g.place).append("): give it in one place only");
      throw Error(what);
    }
    given_.push_back({option, text, place});
    out_.push_back(text);
  }

  std::vector<Given> given_;
  std::vector<std::string> out_;
};

std::string lcores(const EalSettings& s) {
  std::string out = "--lcores=0@" + std::to_string(s.main_core);
  for (std::size_t i = 0; i < s.worker_cores.size(); ++i) {
    out.append(",").append(std::to_string(i + 1)).append("@").append(std::to_string(s.worker_cores[i]));
  }
  return out;
}

bool gives(const EalSettings& s, std::string_view option) {
  const auto match = [option](const std::string& a) { return a.starts_with("-") && canonical(a) == option; };
  return std::any_of(s.config_arguments.begin(), s.config_arguments.end(), match) ||
         std::any_of(s.command_arguments.begin(), s.command_arguments.end(), match);
}

void memory_arguments(const EalSettings& s, std::uint64_t free_hugepages, Arguments& out) {
  const std::string key = s.config_place + ": dpdk.hugepages";
  const std::uint64_t mib = (s.memory + kMiB - 1) / kMiB;
  if (!gives(s, "--memory")) out.own("-m" + std::to_string(mib), s.config_place + ": dpdk.memory");
  if (s.hugepages == Hugepages::automatic && gives(s, "--huge")) return;  // decided by hand
  const bool enough = free_hugepages >= mib * kMiB;
  if (s.hugepages == Hugepages::on && !enough) {
    throw Error("dpdk.hugepages is on, but only " + std::to_string(free_hugepages / kMiB) + " MiB of " +
                std::to_string(mib) + " MiB are free in hugepages: reserve them with `echo " +
                std::to_string((mib + 1) / 2) + " > /proc/sys/vm/nr_hugepages`, or set dpdk.hugepages: off");
  }
  if (s.hugepages != Hugepages::off && enough) {
    out.own("--in-memory", key);
  } else {
    // Without hugepages EAL is in legacy memory mode, which excludes --in-memory; no file is shared either.
    out.own("--no-huge", key);
    if (!gives(s, "--no-shconf")) out.own("--no-shconf", key);
  }
}

std::optional<std::uint64_t> read_number(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::uint64_t n = 0;
  if (in >> n) return n;
  return std::nullopt;
}

}  // namespace

std::uint64_t free_hugepage_bytes(const std::string& root) {
  std::uint64_t bytes = 0;
  std::error_code ignored;
  constexpr std::string_view kPrefix = "hugepages-";
  for (const auto& entry : std::filesystem::directory_iterator(root + "/kernel/mm/hugepages", ignored)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(kPrefix)) continue;
    const std::uint64_t kib = std::strtoull(name.c_str() + kPrefix.size(), nullptr, 10);
    if (const auto n = read_number(entry.path() / "free_hugepages")) bytes += *n * kib * 1024;
  }
  return bytes;
}

std::vector<std::string> eal_arguments(const EalSettings& s, std::uint64_t free_hugepages) {
  Arguments out;
  out.own(lcores(s), s.config_place + ": workers.cores and dpdk.main_core");
  out.own("--main-lcore=0", s.config_place + ": dpdk.main_core");
  memory_arguments(s, free_hugepages, out);
  out.own("--file-prefix=" + s.file_prefix, s.config_place + ": dpdk.file_prefix");
  if (s.pci_devices.empty() && !gives(s, "--allow") && !gives(s, "--no-pci")) {
    out.own("--no-pci", s.config_place + ": ports");
  }
  for (const std::string& address : s.pci_devices) out.own("--allow=" + address, s.config_place + ": ports");
  // Telemetry's threads would be started on the main core and answer under a socket of DPDK's own.
  if (!gives(s, "--telemetry") && !gives(s, "--no-telemetry")) out.own("--no-telemetry", "default");
  out.foreign(s.config_arguments, s.config_place + ": dpdk.eal");
  out.foreign(s.command_arguments, "command line");
  return out.take();
}

Eal::Eal(const std::string& program, std::vector<std::string> arguments) {
  std::vector<char*> argv;
  std::string name = program;
  argv.push_back(name.data());
  command_line_ = program;
  for (std::string& a : arguments) {
    command_line_ += " " + a;
    argv.push_back(a.data());
  }
  const int count = static_cast<int>(argv.size());
  argv.push_back(nullptr);
  if (rte_eal_init(count, argv.data()) < 0) {
    throw Error(std::string("EAL does not start (") + rte_strerror(rte_errno) +
                "); its arguments were: " + command_line_ + "; the lines above say more");
  }
}

Eal::~Eal() { rte_eal_cleanup(); }

}  // namespace braid::dpdk
