// One command from question to output.
#pragma once

#include <cstdio>
#include <string>

namespace braidctl {

// Exit codes (sysexits).
inline constexpr int kOk = 0;
inline constexpr int kUsage = 64;        // EX_USAGE
inline constexpr int kUnavailable = 69;  // EX_UNAVAILABLE: no daemon there
inline constexpr int kProtocol = 76;     // EX_PROTOCOL: it answered with an error, or not to the end
inline constexpr int kOutput = 74;       // EX_IOERR: the output could not be written

struct Options {
  std::string socket = "/run/braid/braid.sock";
  std::string command;  // info, sessions, stats or drops
  bool json = false;
  bool all = false;  // counters that are zero too
};

// Asks the daemon and writes its answer to `out`, messages to `err`. A reader that closes `out` early is no
// error. SIGPIPE must be ignored by the caller.
int run(const Options& options, std::FILE* out, std::FILE* err);

}  // namespace braidctl
