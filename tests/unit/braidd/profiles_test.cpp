// Port profiles: every mistake in one go, with its place.
#include "profiles.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "fit.hpp"

namespace braid::daemon {
namespace {

namespace fs = std::filesystem;

class Directory {
 public:
  Directory() : path_(fs::temp_directory_path() / ("braid-profiles-" + std::to_string(getpid()))) {
    fs::create_directory(path_);
  }
  ~Directory() { fs::remove_all(path_); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  void write(const std::string& name, const std::string& text) const { std::ofstream(path_ / name) << text; }
  [[nodiscard]] std::string path() const { return path_; }

 private:
  fs::path path_;
};

config::Loaded load(const std::string& ports) {
  auto loaded = config::load_text("version: 1\nports:\n" + ports + R"(
listeners: [{name: web, bind: 198.18.0.10:80, upstream: origin}]
upstreams: [{name: origin, servers: [{address: "198.18.0.2:80"}]}]
)",
                                  "f.yaml");
  EXPECT_TRUE(loaded.ok()) << config::to_string(loaded.mistakes.at(0), "f.yaml");
  return loaded;
}

using Lines = std::vector<std::string>;

TEST(Profiles, EveryFileOfTheRepositoryIsGood) {
  std::size_t seen = 0;
  for (const auto& entry : fs::directory_iterator(BRAID_SOURCE_DIR "/drivers-config")) {
    const std::string name = entry.path().stem();
    const std::string device = name == "pci" ? "0000:3b:00.0" : name + ":x0";
    const auto got =
        load_profiles(BRAID_SOURCE_DIR "/drivers-config", load("  - {name: a, device: \"" + device + "\"}"));
    EXPECT_EQ(got.mistakes, Lines{});
    EXPECT_EQ(got.by_port.at(0).driver, name);
    ++seen;
  }
  EXPECT_GE(seen, 5U);
}

TEST(Profiles, EverySampleFitsThem) {
  for (const auto& entry : fs::directory_iterator(BRAID_SOURCE_DIR "/config")) {
    const auto loaded = config::load_file(entry.path());
    const auto got = load_profiles(BRAID_SOURCE_DIR "/drivers-config", loaded);
    EXPECT_EQ(got.mistakes, Lines{});
    for (const auto& m : check_fit(loaded, got.by_port)) ADD_FAILURE() << config::to_string(m, entry.path());
  }
}

TEST(Profiles, SayAllThatTheFileSays) {
  const Directory d;
  d.write("mine.yaml", R"(driver: net_tap
arguments: {remote: eth9, mac: fixed}
descriptors: {receive: 64, transmit: 32768}
queues: paired
rss: none
receive_checksum: off
transmit_checksum: auto
quirks: {shares_kernel: true, linear_frames: true, device_per_queue: true, peer_mac: true, watch_offloads: true}
)");
  const auto got = load_profiles(d.path(), load("  - {name: a, device: \"net_tap:t0\", profile: mine}"));
  ASSERT_EQ(got.mistakes, Lines{});
  const dpdk::Profile& p = got.by_port.at(0);
  EXPECT_EQ(p.name, "mine");
  EXPECT_EQ(p.driver, "net_tap");
  EXPECT_EQ(p.arguments, (std::map<std::string, std::string>{{"remote", "eth9"}, {"mac", "fixed"}}));
  EXPECT_EQ(p.receive_descriptors, 64);
  EXPECT_EQ(p.transmit_descriptors, 32768);
  EXPECT_TRUE(p.paired_queues && p.transmit_checksum && p.shares_kernel && p.linear_frames &&
              p.device_per_queue && p.peer_mac && p.watch_offloads);
  EXPECT_FALSE(p.stable_flows || p.receive_checksum);
}

TEST(Profiles, AllMistakesOfAllFilesAreNamed) {
  const Directory d;
  d.write("one.yaml", "driver: net_ring\nqueues: some\ndescriptors: {receive: 3, transit: 512}\n");
  d.write("two.yaml", "quirks: {peer_mac: yes}\n");
  d.write("three.yaml", "driver: net_tap\n");
  const auto got = load_profiles(d.path(), load(R"(  - {name: a, device: "net_ring:a", profile: one}
  - {name: b, device: "net_ring:b", profile: one}
  - {name: c, device: "net_ring:c", profile: two}
  - {name: d, device: "net_ring:d", profile: three}
  - {name: e, device: "net_ring:e", profile: four}
  - {name: f, device: "net_odd:f"})"));
  const std::string one = d.path() + "/one.yaml";
  const std::string two = d.path() + "/two.yaml";
  EXPECT_EQ(
      got.mistakes,
      (Lines{
          one + ":2:9: queues: \"some\" is not known here; must be paired or free",
          one + ":3:24: descriptors.receive: 3 is out of range; must be a whole number from 64 to 32768",
          one + ":3:27: descriptors.transit: unknown key; did you mean \"transmit\"?",
          two + ":1:1: driver: is missing; add e.g. `driver: net_af_packet`",
          two + ":1:20: quirks.peer_mac: \"yes\" is neither true nor false; write true or false",
          "f.yaml:6:46: ports[3].profile: profile " + d.path() +
              "/three.yaml is for driver \"net_tap\", the device is net_ring:d; must be a profile of that "
              "driver",
          "f.yaml:7:46: ports[4].profile: profile \"four\" has no file in " + d.path() +
              "; there are one, three, two",
          "f.yaml:8:23: ports[5].device: driver \"net_odd\" has no file in " + d.path() +
              "; there are one, three, two (or name a profile for it)",
      }));
}

TEST(Profiles, NonsenseIsNoProfile) {
  const Directory d;
  fs::create_directory(d.path() + "/folder.yaml");
  d.write("empty.yaml", "");
  d.write("broken.yaml", "driver: [");
  d.write("list.yaml", "- driver\n");
  for (const char* name : {"folder", "empty", "broken", "list"}) {
    const auto got = load_profiles(
        d.path(), load("  - {name: a, device: \"net_tap:t0\", profile: " + std::string(name) + "}"));
    ASSERT_EQ(got.mistakes.size(), 1U) << name;
    EXPECT_TRUE(got.mistakes[0].starts_with(d.path() + "/" + name + ".yaml:")) << got.mistakes[0];
  }
}

TEST(Profiles, DirectoryMustBeThere) {
  EXPECT_THROW(profile_directory("/nonexistent"), NoProfiles);
  const Directory d;
  EXPECT_EQ(profile_directory(d.path()), d.path());
}

}  // namespace
}  // namespace braid::daemon
