#include "dpdk_log.hpp"

#include <rte_log.h>

#include <stdexcept>

namespace braid::daemon {

namespace {

ssize_t write_cookie(void* self, const char* text, std::size_t size) {
  static_cast<DpdkLog*>(self)->take({text, size});
  return static_cast<ssize_t>(size);
}

// Of the message that is being written. rte_log_cur_msg_loglevel() is -1 outside of one (panic).
config::LogLevel level_now() {
  const int level = rte_log_cur_msg_loglevel();
  if (level <= static_cast<int>(RTE_LOG_ERR)) return config::LogLevel::error;
  if (level == static_cast<int>(RTE_LOG_WARNING)) return config::LogLevel::warn;
  return level == static_cast<int>(RTE_LOG_DEBUG) ? config::LogLevel::debug : config::LogLevel::info;
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
    if (!line_.empty()) log_.event(level_now(), "dpdk", {{"text", line_}});
    line_.clear();
  }
}

}  // namespace braid::daemon
