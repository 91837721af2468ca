#include "dpdk_log.hpp"

#include <rte_log.h>

#include <stdexcept>

namespace braid::daemon {

namespace {

ssize_t write_cookie(void* self, const char* text, std::size_t size) {
  static_cast<DpdkLog*>(self)->take({text, size});
  return static_cast<ssize_t>(size);
}

}  // namespace

DpdkLog::DpdkLog(control::Log& log) : log_(log) {
  cookie_io_functions_t io{};
  io.write = write_cookie;
  stream_ = fopencookie(this, "w", io);
  if (stream_ == nullptr) throw std::runtime_error("cannot take over DPDK's log");
  setvbuf(stream_, nullptr, _IOLBF, BUFSIZ);
  rte_openlog_stream(stream_);
}

DpdkLog::~DpdkLog() {
  rte_openlog_stream(nullptr);
  std::fclose(stream_);
}

// The stream's lock keeps callers apart.
void DpdkLog::take(std::string_view text) {
  for (const char c : text) {
    if (c != '\n') {
      line_ += c;
      continue;
    }
    if (!line_.empty()) log_.info("dpdk", {{"text", line_}});
    line_.clear();
  }
}

}  // namespace braid::daemon
