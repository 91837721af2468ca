// DPDK's own log, line by line into ours, with event name "dpdk".
#pragma once

#include <cstdio>
#include <string>

#include "control/log.hpp"

namespace braid::daemon {

class DpdkLog {
 public:
  // Before EAL starts. `log` must outlive the object. Throws std::runtime_error.
  explicit DpdkLog(control::Log& log);
  ~DpdkLog();
  DpdkLog(const DpdkLog&) = delete;
  DpdkLog& operator=(const DpdkLog&) = delete;

  void take(std::string_view text);

 private:
  control::Log& log_;
  std::string line_;
  std::FILE* stream_;
};

}  // namespace braid::daemon
