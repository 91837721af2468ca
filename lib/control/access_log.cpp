#include "control/access_log.hpp"

#include <array>
#include <span>

#include "control/session_id.hpp"

namespace braid::control {

namespace {

template <class E>
std::size_t index(E value) {
  return static_cast<std::size_t>(value);
}

double milliseconds(std::int64_t ns) { return static_cast<double>(ns) / 1e6; }

double joined_share(const relay::AccessRecord& r) {
  const auto total = r.bytes_up + r.bytes_down;
  return total == 0 ? 0.0 : 100.0 * static_cast<double>(r.bytes_joined) / static_cast<double>(total);
}

std::string cause(const relay::AccessRecord& r) {
  return std::string(relay::to_string(r.who)) + "/" + relay::to_string(r.phase);
}

// The fields point into the strings of this object.
struct Line {
  std::string id;
  std::string client;
  std::string bind;
  std::string server;
  std::string cause;
  std::array<Field, 17> fields;

  Line(const relay::AccessRecord& r, const std::string& listener)
      : id(print_session_id(r.id)),
        client(to_string(r.client)),
        bind(to_string(r.bind)),
        server(r.server.ip.is_unset() ? "none" : to_string(r.server)),
        cause(control::cause(r)),
        fields{Field{"id", id},
               Field{"client", client},
               Field{"bind", bind},
               Field{"listener", listener},
               Field{"server", server},
               Field{"mode", relay::to_string(r.kind)},
               Field{"subflows", unsigned{r.subflows_max}},
               Field{"bytes_up", r.bytes_up},
               Field{"bytes_down", r.bytes_down},
               Field{"joined_percent", joined_share(r)},
               Field{"duration_ms", milliseconds(r.duration_ns)},
               Field{"connect_ms", r.connect_ns < 0 ? -1.0 : milliseconds(r.connect_ns)},
               Field{"retransmitted", unsigned{r.retransmitted}},
               Field{"reinjected", unsigned{r.reinjected}},
               Field{"cause", cause},
               Field{"who", relay::to_string(r.who)},
               Field{"phase", relay::to_string(r.phase)}} {}
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;
};

}  // namespace

AccessCounts::AccessCounts(std::size_t listeners) : by_listener_(listeners) {}

void AccessCounts::add(const relay::AccessRecord& r) {
  const auto bump = [](std::atomic<std::uint64_t>& v) {
    v.store(v.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  };
  if (index(r.who) < kWho && index(r.phase) < kPhases) bump(by_cause_[index(r.who)][index(r.phase)]);
  if (r.listener < by_listener_.size() && index(r.kind) < kKinds)
    bump(by_listener_[r.listener][index(r.kind)]);
}

std::uint64_t AccessCounts::closed(relay::Who who, relay::Phase phase) const {
  return by_cause_[index(who)][index(phase)].load(std::memory_order_relaxed);
}

std::uint64_t AccessCounts::closed(std::size_t listener, relay::Kind kind) const {
  return by_listener_[listener][index(kind)].load(std::memory_order_relaxed);
}

std::string format_access(config::LogFormat format, const relay::AccessRecord& record,
                          const std::string& listener) {
  const Line line(record, listener);
  return format_event(format, "closed", line.fields);
}

AccessLog::AccessLog(const config::Config& config, std::vector<AccessRing*> rings, Log& log)
    : write_(config.log.access), rings_(std::move(rings)), log_(log), counts_(config.listeners.size()) {
  for (const auto& l : config.listeners) listeners_.push_back(l.name);
}

std::size_t AccessLog::drain() {
  std::size_t total = 0;
  std::array<relay::AccessRecord, 64> batch;
  for (AccessRing* ring : rings_) {
    std::size_t n = 1;
    // A share for each ring, so that no worker's records wait for another's.
    for (std::size_t taken = 0; n != 0 && taken < kMaxPerCall / rings_.size(); taken += n) {
      n = ring->pop(batch);
      total += n;
      for (const auto& record : std::span(batch).first(n)) {
        counts_.add(record);
        if (!write_) continue;
        const std::string none;
        const Line line(record, record.listener < listeners_.size() ? listeners_[record.listener] : none);
        log_.event(config::LogLevel::info, "closed", std::span<const Field>(line.fields));
      }
    }
  }
  return total;
}

}  // namespace braid::control
