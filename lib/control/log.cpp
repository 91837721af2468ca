#include "control/log.hpp"

#include <fmt/format.h>
#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <utility>

namespace braid::control {

namespace {

constexpr std::size_t kQueue = 8192;  // lines waiting for a slow reader of stderr

spdlog::level::level_enum level_of(config::LogLevel level) {
  switch (level) {
    case config::LogLevel::error:
      return spdlog::level::err;
    case config::LogLevel::warn:
      return spdlog::level::warn;
    case config::LogLevel::info:
      return spdlog::level::info;
    case config::LogLevel::debug:
      return spdlog::level::debug;
  }
  return spdlog::level::info;
}

// A JSON string's inside; bytes that are no valid UTF-8 cannot come from a checked config or our own words.
std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out += fmt::format("\\u{:04x}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

bool needs_quotes(std::string_view text) {
  if (text.empty()) return true;
  for (const char c : text)
    if (static_cast<unsigned char>(c) <= 0x20 || c == '"' || c == '=' || c == '\\') return true;
  return false;
}

std::string print(config::LogFormat format, const Field& field) {
  if (const auto* text = std::get_if<std::string_view>(&field.value)) {
    const bool quoted = format == config::LogFormat::json || needs_quotes(*text);
    return quoted ? '"' + escape(*text) + '"' : std::string(*text);
  }
  if (const auto* v = std::get_if<std::int64_t>(&field.value)) return fmt::to_string(*v);
  if (const auto* v = std::get_if<std::uint64_t>(&field.value)) return fmt::to_string(*v);
  if (const auto* v = std::get_if<double>(&field.value)) return fmt::format("{:.3f}", *v);
  return std::get<bool>(field.value) ? "true" : "false";
}

std::span<const Field> span_of(std::initializer_list<Field> fields) {
  return {fields.begin(), fields.size()};
}

}  // namespace

std::string format_event(config::LogFormat format, std::string_view event, std::span<const Field> fields) {
  const bool json = format == config::LogFormat::json;
  std::string out = json ? "\"event\":\"" + escape(event) + '"' : std::string(event);
  for (const Field& f : fields) {
    out += json ? fmt::format(",\"{}\":", f.key) : fmt::format(" {}=", f.key);
    out += print(format, f);
  }
  return out;
}

Log::Log(const config::Log& settings) : Log(settings, std::make_shared<spdlog::sinks::stderr_sink_mt>()) {}

Log::Log(const config::Log& settings, std::shared_ptr<spdlog::sinks::sink> sink)
    : format_(settings.format), pool_(std::make_shared<spdlog::details::thread_pool>(kQueue, 1U)) {
  const char* pattern = format_ == config::LogFormat::json
                            ? R"({"ts":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})"
                            : "%Y-%m-%dT%H:%M:%S.%eZ %l %v";
  sink->set_formatter(std::make_unique<spdlog::pattern_formatter>(pattern, spdlog::pattern_time_type::utc));
  logger_ = std::make_shared<spdlog::async_logger>("braid", std::move(sink), pool_,
                                                   spdlog::async_overflow_policy::overrun_oldest);
  logger_->set_level(level_of(settings.level));
  logger_->flush_on(spdlog::level::err);
}

Log::~Log() {
  logger_->flush();
  logger_.reset();
  pool_.reset();  // joins its thread, which first writes what is queued
}

void Log::event(config::LogLevel level, std::string_view name, std::span<const Field> fields) {
  const auto severity = level_of(level);
  if (!logger_->should_log(severity)) return;
  logger_->log(severity, spdlog::string_view_t(format_event(format_, name, fields)));
}

void Log::event(config::LogLevel level, std::string_view name, std::initializer_list<Field> fields) {
  event(level, name, span_of(fields));
}
void Log::error(std::string_view name, std::initializer_list<Field> fields) {
  event(config::LogLevel::error, name, span_of(fields));
}
void Log::warn(std::string_view name, std::initializer_list<Field> fields) {
  event(config::LogLevel::warn, name, span_of(fields));
}
void Log::info(std::string_view name, std::initializer_list<Field> fields) {
  event(config::LogLevel::info, name, span_of(fields));
}
void Log::debug(std::string_view name, std::initializer_list<Field> fields) {
  event(config::LogLevel::debug, name, span_of(fields));
}

std::uint64_t Log::lost() const { return pool_->overrun_counter(); }

}  // namespace braid::control
