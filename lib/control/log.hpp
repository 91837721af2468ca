// Event log: one line per event on stderr, as `key=value` text or as JSON with the same keys. Never blocks
// the caller: a line that finds the queue full replaces the oldest and is counted.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "config/config.hpp"

namespace spdlog {
class async_logger;
namespace details {
class thread_pool;
}
namespace sinks {
class sink;
}
}  // namespace spdlog

namespace braid::control {

struct Field {
  std::string_view key;
  std::variant<std::string_view, std::int64_t, std::uint64_t, double, bool> value;

  Field(std::string_view k, std::string_view v) : key(k), value(v) {}
  Field(std::string_view k, const std::string& v) : key(k), value(std::string_view(v)) {}
  Field(std::string_view k, const char* v) : key(k), value(std::string_view(v)) {}
  Field(std::string_view k, bool v) : key(k), value(v) {}
  Field(std::string_view k, double v) : key(k), value(v) {}
  Field(std::string_view k, int v) : key(k), value(std::int64_t{v}) {}
  Field(std::string_view k, unsigned v) : key(k), value(std::uint64_t{v}) {}
  Field(std::string_view k, long v) : key(k), value(std::int64_t{v}) {}
  Field(std::string_view k, unsigned long v) : key(k), value(std::uint64_t{v}) {}
};

// The event's part of a line, without time stamp and level: `event key=value …`, with values quoted where
// they hold blanks, quotes or control characters; or `"event":"…","key":value,…`.
std::string format_event(config::LogFormat format, std::string_view event, std::span<const Field> fields);

class Log {
 public:
  // Writes to stderr. Starts one thread: create it on a control core.
  explicit Log(const config::Log& settings);
  // Writes to `sink` instead (tests).
  Log(const config::Log& settings, std::shared_ptr<spdlog::sinks::sink> sink);
  ~Log();  // writes what is queued
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // Any thread but a worker's.
  void event(config::LogLevel level, std::string_view event, std::initializer_list<Field> fields = {});
  void event(config::LogLevel level, std::string_view event, std::span<const Field> fields);
  void error(std::string_view name, std::initializer_list<Field> fields = {});
  void warn(std::string_view name, std::initializer_list<Field> fields = {});
  void info(std::string_view name, std::initializer_list<Field> fields = {});
  void debug(std::string_view name, std::initializer_list<Field> fields = {});

  [[nodiscard]] std::uint64_t lost() const;  // lines replaced before they were written

 private:
  config::LogFormat format_;
  std::shared_ptr<spdlog::details::thread_pool> pool_;
  std::shared_ptr<spdlog::async_logger> logger_;
};

}  // namespace braid::control
