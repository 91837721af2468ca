// Access log: takes the records of ended client connections out of the workers' rings, counts them for the
// metrics and writes one line each.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "base/spsc_ring.hpp"
#include "config/config.hpp"
#include "control/log.hpp"
#include "relay/access_record.hpp"

namespace braid::control {

using AccessRing = SpscRing<relay::AccessRecord>;

// Ended connections by cause and by listener. One writer (the access log), read by any thread.
class AccessCounts {
 public:
  static constexpr std::size_t kWho = 7;
  static constexpr std::size_t kPhases = 5;
  static constexpr std::size_t kKinds = 3;

  explicit AccessCounts(std::size_t listeners);
  void add(const relay::AccessRecord& record);
  [[nodiscard]] std::uint64_t closed(relay::Who who, relay::Phase phase) const;
  // `listener` is below listeners().
  [[nodiscard]] std::uint64_t closed(std::size_t listener, relay::Kind kind) const;
  [[nodiscard]] std::size_t listeners() const { return by_listener_.size(); }

 private:
  std::array<std::array<std::atomic<std::uint64_t>, kPhases>, kWho> by_cause_{};
  std::vector<std::array<std::atomic<std::uint64_t>, kKinds>> by_listener_;
};

// The record as the fields of one log line; durations in milliseconds, the joined share in percent.
std::string format_access(config::LogFormat format, const relay::AccessRecord& record,
                          const std::string& listener);

class AccessLog {
 public:
  // `rings`: one per worker; this object is their only reader. `log` may be shared with others.
  AccessLog(const config::Config& config, std::vector<AccessRing*> rings, Log& log);

  // Takes at most `kMaxPerCall` records and returns how many. One thread.
  std::size_t drain();
  [[nodiscard]] const AccessCounts& counts() const { return counts_; }

  static constexpr std::size_t kMaxPerCall = 4096;  // about; a batch is never split

 private:
  std::vector<std::string> listeners_;
  bool write_;
  std::vector<AccessRing*> rings_;
  Log& log_;
  AccessCounts counts_;
};

}  // namespace braid::control
