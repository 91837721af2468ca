#include "profiles.hpp"

#include <algorithm>
#include <filesystem>
#include <set>

#include "config/document.hpp"

namespace braid::daemon {

namespace fs = std::filesystem;

namespace {

// One of two words; `yes` is the one that sets `out`.
void read_either(config::Walk& walk, const config::Item& item, bool& out, const char* yes, const char* no) {
  std::string word;
  if (config::read_word(walk, item, word, {yes, no})) out = word == yes;
}

void read_descriptors(config::Walk& walk, const config::Item& item, dpdk::Profile& p) {
  config::Map map(walk, item);
  const auto read = [&](const char* key, std::uint16_t& out) {
    unsigned n = 0;
    if (config::read(walk, map.get(key), n, 64, 32768)) out = static_cast<std::uint16_t>(n);
  };
  read("receive", p.receive_descriptors);
  read("transmit", p.transmit_descriptors);
}

void read_quirks(config::Walk& walk, const config::Item& item, dpdk::Profile& p) {
  config::Map map(walk, item);
  config::read_bool(walk, map.get("shares_kernel"), p.shares_kernel);
  config::read_bool(walk, map.get("linear_frames"), p.linear_frames);
  config::read_bool(walk, map.get("device_per_queue"), p.device_per_queue);
  config::read_bool(walk, map.get("peer_mac"), p.peer_mac);
  config::read_bool(walk, map.get("watch_offloads"), p.watch_offloads);
}

void read_arguments(config::Walk& walk, const config::Item& item, dpdk::Profile& p) {
  config::Map map(walk, item);
  for (const auto& [key, value] : map.rest()) config::read_text(walk, value, p.arguments[key]);
}

void read_profile(config::Walk& walk, const config::Item& root, dpdk::Profile& p) {
  config::Map map(walk, root);
  config::read_text(walk, map.need("driver", "driver: net_af_packet"), p.driver);
  read_arguments(walk, map.get("arguments"), p);
  read_descriptors(walk, map.get("descriptors"), p);
  read_either(walk, map.get("queues"), p.paired_queues, "paired", "free");
  read_either(walk, map.get("rss"), p.stable_flows, "stable", "none");
  read_either(walk, map.get("receive_checksum"), p.receive_checksum, "auto", "off");
  read_either(walk, map.get("transmit_checksum"), p.transmit_checksum, "auto", "off");
  read_quirks(walk, map.get("quirks"), p);
}

std::string names_in(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) {
    if (entry.path().extension() == ".yaml") names.push_back(entry.path().stem());
  }
  std::sort(names.begin(), names.end());
  std::string out;
  for (const std::string& n : names) out += (out.empty() ? "" : ", ") + n;
  return out;
}

class Loader {
 public:
  Loader(std::string directory, const config::Loaded& loaded)
      : directory_(std::move(directory)), loaded_(loaded) {}

  void load(std::size_t index) {
    const config::Port& port = loaded_.config.ports[index];
    const std::string path = "ports[" + std::to_string(index) + "]";
    dpdk::Profile p;
    p.name = port.profile.empty() ? std::string(port.driver()) : port.profile;
    const std::string file = (fs::path(directory_) / (p.name + ".yaml")).string();
    if (!fs::exists(file)) {
      const bool by_driver = port.profile.empty();
      mistake(path + (by_driver ? ".device" : ".profile"),
              std::string(by_driver ? "driver " : "profile ") + config::quote(p.name) + " has no file in " +
                  directory_ + "; there are " + names_in(directory_) +
                  (by_driver ? " (or name a profile for it)" : ""));
    } else if (read(file, p) && p.driver != port.driver()) {
      mistake(path + (port.profile.empty() ? ".device" : ".profile"),
              "profile " + file + " is for driver " + config::quote(p.driver) + ", the device is " +
                  port.device + "; must be a profile of that driver");
    }
    out_.by_port.push_back(std::move(p));
  }

  Profiles take() { return std::move(out_); }

 private:
  void mistake(const std::string& path, std::string text) {
    out_.mistakes.push_back(
        config::to_string(loaded_.places.mistake(path, std::move(text)), loaded_.config.file));
  }

  // Returns whether `p` is good. A file that several ports share is complained about once.
  bool read(const std::string& file, dpdk::Profile& p) {
    const config::Document document =
        config::read_document(file, (fs::path(directory_) / "net_af_packet.yaml").string());
    auto mistakes = document.mistakes;
    if (document.ok()) {
      config::Walk walk;
      read_profile(walk, document.root, p);
      mistakes = walk.take_mistakes();
    }
    if (!mistakes.empty() && !complained_.insert(file).second) return false;
    for (const auto& m : mistakes) out_.mistakes.push_back(config::to_string(m, file));
    return mistakes.empty();
  }

  std::string directory_;
  const config::Loaded& loaded_;
  std::set<std::string> complained_;
  Profiles out_;
};

}  // namespace

std::string profile_directory(const std::string& given) {
  if (!given.empty()) {
    if (fs::is_directory(given)) return given;
    throw NoProfiles(given + ": no such directory of port profiles; correct --drivers-config");
  }
  std::error_code ignored;
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  // <source>/build/app/braidd, <prefix>/sbin/braidd.
  for (const fs::path& p : {program / "../../drivers-config", program / "../share/braid/drivers-config",
                            fs::path("/usr/share/braid/drivers-config")}) {
    if (fs::is_directory(p, ignored)) return fs::weakly_canonical(p, ignored);
  }
  throw NoProfiles("no directory of port profiles found; name it with --drivers-config DIR");
}

Profiles load_profiles(const std::string& directory, const config::Loaded& loaded) {
  Loader loader(directory, loaded);
  for (std::size_t i = 0; i < loaded.config.ports.size(); ++i) loader.load(i);
  return loader.take();
}

}  // namespace braid::daemon
