#include "profiles.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <functional>
#include <map>

namespace braid::daemon {

namespace fs = std::filesystem;

namespace {

class Document {
 public:
  explicit Document(std::string file) : file_(std::move(file)) {}

  [[noreturn]] void fail(const YAML::Mark& mark, const std::string& text) const {
    const std::string place =
        mark.is_null() ? "" : ":" + std::to_string(mark.line + 1) + ":" + std::to_string(mark.column + 1);
    throw ProfileError(file_ + place + ": " + text);
  }

  using Readers = std::map<std::string, std::function<void(const YAML::Node&)>>;
  // Reads a mapping: each key once, each one known.
  void read(const YAML::Node& node, const Readers& readers) const {
    if (!node.IsMap()) fail(node.Mark(), "a mapping is wanted here");
    std::map<std::string, bool> seen;
    for (const auto& entry : node) {
      const auto key = entry.first.as<std::string>();
      const auto reader = readers.find(key);
      if (reader == readers.end()) {
        std::string known;
        for (const auto& [name, unused] : readers) known.append(known.empty() ? "" : ", ").append(name);
        std::string what = "unknown key ";
        fail(entry.first.Mark(), what.append(key).append("; known are ").append(known));
      }
      if (std::exchange(seen[key], true)) fail(entry.first.Mark(), "key " + key + " is given twice");
      reader->second(entry.second);
    }
  }

  [[nodiscard]] std::string text(const YAML::Node& node) const {
    if (!node.IsScalar()) fail(node.Mark(), "a single value is wanted here");
    return node.Scalar();
  }
  [[nodiscard]] bool flag(const YAML::Node& node) const {
    const std::string value = text(node);
    if (value != "true" && value != "false")
      fail(node.Mark(), "\"" + value + "\" is no truth value; true or false");
    return value == "true";
  }
  [[nodiscard]] std::uint16_t descriptors(const YAML::Node& node) const {
    const std::string value = text(node);
    std::uint16_t n = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), n);
    if (error != std::errc{} || end != value.data() + value.size() || n < 64 || n > 32768) {
      fail(node.Mark(), "\"" + value + "\" is no number of descriptors; 64 to 32768");
    }
    return n;
  }
  [[nodiscard]] bool choice(const YAML::Node& node, const char* yes, const char* no) const {
    const std::string value = text(node);
    if (value != yes && value != no) fail(node.Mark(), "\"" + value + "\" is unknown; " + yes + " or " + no);
    return value == yes;
  }

 private:
  std::string file_;
};

dpdk::Profile read_profile(const Document& doc, const YAML::Node& root) {
  dpdk::Profile p;
  const Document::Readers descriptors{
      {"receive", [&](const YAML::Node& n) { p.receive_descriptors = doc.descriptors(n); }},
      {"transmit", [&](const YAML::Node& n) { p.transmit_descriptors = doc.descriptors(n); }},
  };
  const Document::Readers quirks{
      {"shares_kernel", [&](const YAML::Node& n) { p.shares_kernel = doc.flag(n); }},
      {"linear_frames", [&](const YAML::Node& n) { p.linear_frames = doc.flag(n); }},
      {"device_per_queue", [&](const YAML::Node& n) { p.device_per_queue = doc.flag(n); }},
      {"peer_mac", [&](const YAML::Node& n) { p.peer_mac = doc.flag(n); }},
      {"watch_offloads", [&](const YAML::Node& n) { p.watch_offloads = doc.flag(n); }},
  };
  doc.read(root,
           {
               {"driver", [&](const YAML::Node& n) { p.driver = doc.text(n); }},
               {"arguments",
                [&](const YAML::Node& n) {
                  if (!n.IsMap()) doc.fail(n.Mark(), "a mapping of device arguments is wanted here");
                  for (const auto& entry : n) p.arguments[doc.text(entry.first)] = doc.text(entry.second);
                }},
               {"descriptors", [&](const YAML::Node& n) { doc.read(n, descriptors); }},
               {"queues", [&](const YAML::Node& n) { p.paired_queues = doc.choice(n, "paired", "free"); }},
               {"rss", [&](const YAML::Node& n) { p.stable_flows = doc.choice(n, "stable", "none"); }},
               {"receive_checksum",
                [&](const YAML::Node& n) { p.receive_checksum = doc.choice(n, "auto", "off"); }},
               {"transmit_checksum",
                [&](const YAML::Node& n) { p.transmit_checksum = doc.choice(n, "auto", "off"); }},
               {"quirks", [&](const YAML::Node& n) { doc.read(n, quirks); }},
           });
  if (p.driver.empty()) doc.fail(root.Mark(), "key driver is missing; the PMD's name, or pci");
  return p;
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

}  // namespace

std::string profile_directory(const std::string& given) {
  if (!given.empty()) {
    if (fs::is_directory(given)) return given;
    throw ProfileError(given + ": no such directory of port profiles (--drivers-config)");
  }
  std::error_code ignored;
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  // <source>/build/app/braidd, <prefix>/sbin/braidd.
  for (const fs::path& p : {program / "../../drivers-config", program / "../share/braid/drivers-config",
                            fs::path("/usr/share/braid/drivers-config")}) {
    if (fs::is_directory(p, ignored)) return fs::weakly_canonical(p, ignored);
  }
  throw ProfileError("no directory of port profiles found; name it with --drivers-config DIR");
}

dpdk::Profile load_profile(const std::string& directory, const config::Port& port) {
  const std::string name = port.profile.empty() ? std::string(port.driver()) : port.profile;
  const std::string file = (fs::path(directory) / (name + ".yaml")).string();
  if (!fs::is_regular_file(file)) {
    throw ProfileError("port " + port.name + ": no profile " + file + "; there are " + names_in(directory));
  }
  const Document doc(file);
  try {
    dpdk::Profile p = read_profile(doc, YAML::LoadFile(file));
    p.name = name;
    if (p.driver != port.driver()) {
      throw ProfileError("port " + port.name + ": profile " + file + " is for " + p.driver +
                         ", the device is " + port.device);
    }
    return p;
  } catch (const YAML::Exception& e) {
    doc.fail(e.mark, e.msg);
  }
}

}  // namespace braid::daemon
