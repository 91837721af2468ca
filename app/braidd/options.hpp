// braidd's command line: `braidd [EAL argument...] -- --config FILE` or `braidd --config FILE`.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace braid::daemon {

// Exit codes (sysexits.h); a service manager must not restart after kBadConfig.
enum Exit : int { kClean = 0, kUsage = 64, kUnavailable = 69, kBadConfig = 78 };

struct Options {
  std::string program;
  std::string config;
  bool check = false;            // validate the configuration only
  std::string drivers_config;    // directory of port profiles; empty: the default places
  std::vector<std::string> eal;  // arguments before `--`
};

struct Parsed {
  std::optional<Options> options;  // unset: end with `exit` after showing `text`
  int exit = kClean;
  std::string text;
};

Parsed parse_options(const std::vector<std::string>& arguments);

}  // namespace braid::daemon
