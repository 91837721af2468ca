// EAL's words of the command line become the configuration's values.
#include "eal_words.hpp"

#include <gtest/gtest.h>

namespace braid::daemon {
namespace {

config::Loaded load(const std::string& more = "") {
  auto loaded = config::load_text(R"(version: 1
ports: [{name: wan, device: "net_ring:r0", addresses: [198.18.0.10/24]}]
listeners: [{name: web, bind: 198.18.0.10:80, upstream: origin}]
upstreams: [{name: origin, servers: [{address: "198.18.0.2:80"}]}]
)" + more,
                                  "f.yaml");
  EXPECT_TRUE(loaded.ok()) << config::to_string(loaded.mistakes.at(0), "f.yaml");
  return loaded;
}

using Words = std::vector<std::string>;

TEST(EalWords, FirstCoreIsTheMainOne) {
  for (const Words& given : {Words{"-l", "3-5"}, Words{"-l3-5"}, Words{"-l", "3,4,5"}, Words{"--lcores=3-5"},
                             Words{"--lcores", "3-5"}, Words{"-c", "0x38"}, Words{"-c38"}}) {
    auto loaded = load("workers: {count: 2}\n");
    Words rest = given;
    EXPECT_EQ(take_eal_words(rest, loaded), "") << given[0];
    EXPECT_EQ(rest, Words{});
    EXPECT_EQ(loaded.config.dpdk.main_core, 3U) << given[0];
    EXPECT_EQ(loaded.config.workers.cores, (std::vector<unsigned>{4, 5})) << given[0];
  }
}

TEST(EalWords, TheMainCoreMayBeAnother) {
  auto loaded = load();
  Words given{"--main-lcore=5", "-l", "4-5"};
  EXPECT_EQ(take_eal_words(given, loaded), "");
  EXPECT_EQ(loaded.config.dpdk.main_core, 5U);
  EXPECT_EQ(loaded.config.workers.cores, (std::vector<unsigned>{4}));
}

TEST(EalWords, MemoryAndName) {
  auto loaded = load();
  Words given{"-m", "1024", "--file-prefix=other", "--log-level=8", "--vdev", "net_ring7"};
  EXPECT_EQ(take_eal_words(given, loaded), "");
  EXPECT_EQ(loaded.config.dpdk.memory, 1024ULL << 20);
  EXPECT_EQ(loaded.config.dpdk.file_prefix, "other");
  EXPECT_EQ(given, (Words{"--log-level=8", "--vdev", "net_ring7"}));
}

TEST(EalWords, MemoryPerSocketStaysForEal) {
  auto loaded = load();
  Words given{"--socket-mem", "512,256", "-n4"};
  EXPECT_EQ(take_eal_words(given, loaded), "");
  EXPECT_EQ(loaded.config.dpdk.memory, 768ULL << 20);
  EXPECT_EQ(given, (Words{"--socket-mem", "512,256", "-n4"}));
}

TEST(EalWords, WhatTheFileGivesTooClashes) {
  struct Case {
    const char* file;
    Words given;
    const char* place;
  };
  const Case cases[] = {
      {"workers: {cores: \"1\"}\n", {"-l", "0-1"}, "f.yaml:5:18: workers.cores: "},
      {"dpdk: {main_core: 0}\n", {"-l", "0-1"}, "f.yaml:5:19: dpdk.main_core: "},
      {"dpdk: {main_core: 0}\n", {"--main-lcore", "0"}, "f.yaml:5:19: dpdk.main_core: "},
      {"dpdk: {memory: 512MiB}\n", {"-m1024"}, "f.yaml:5:16: dpdk.memory: "},
      {"dpdk: {memory: 512MiB}\n", {"--socket-mem=1024"}, "f.yaml:5:16: dpdk.memory: "},
      {"dpdk: {file_prefix: a}\n", {"--file-prefix=b"}, "f.yaml:5:21: dpdk.file_prefix: "},
  };
  for (const Case& c : cases) {
    auto loaded = load(c.file);
    Words given = c.given;
    const std::string wrong = take_eal_words(given, loaded);
    EXPECT_NE(wrong.find(c.place), std::string::npos) << c.given[0] << ": " << wrong;
  }
}

TEST(EalWords, NonsenseIsNamed) {
  for (const Words& given :
       {Words{"-l"}, Words{"-l", ""}, Words{"-l", "5-2"}, Words{"--lcores=(0,1)@2"}, Words{"-c", "0"},
        Words{"-c", "0xg"}, Words{"-c", "0x11112222333344445555"}, Words{"-m", "-1"},
        Words{"-m9999999999999999"}, Words{"--socket-mem=1,"}, Words{"--socket-mem="},
        Words{"--main-lcore=x"}, Words{"--main-lcore=1", "-l0,2"}, Words{"-l0"}, Words{"-l0-1", "-c3"},
        Words{"-m1", "--socket-mem=1"}}) {
    auto loaded = load();
    Words rest = given;
    EXPECT_NE(take_eal_words(rest, loaded), "") << given[0];
  }
}

}  // namespace
}  // namespace braid::daemon
