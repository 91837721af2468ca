#include "control/control_core.hpp"

#include <pthread.h>

#include <chrono>
#include <utility>

namespace braid::control {

ControlCore::ControlCore(const Sources& sources, SessionSource& sessions, std::vector<AccessRing*> rings,
                         Log& log)
    : sources_(sources),
      access_(*sources.config, std::move(rings), log),
      collector_(sources, &access_.counts(), &log),
      metrics_(sources, collector_),
      api_(sources, sessions) {}

ControlCore::~ControlCore() { stop(); }

std::optional<std::string> ControlCore::start() {
  if (sources_.config->metrics.enabled)
    if (auto wrong = metrics_.start(sources_.config->metrics.listen)) return wrong;
  if (auto wrong = api_.start(sources_.config->control.socket)) {
    metrics_.stop();
    return wrong;
  }
  stop_.store(false, std::memory_order_relaxed);
  thread_ = std::thread([this] { run(); });
  return {};
}

void ControlCore::stop() {
  if (!thread_.joinable()) return;
  stop_.store(true, std::memory_order_relaxed);
  thread_.join();
  api_.stop();
  metrics_.stop();
  constexpr int kLastRounds = 64;  // bounded, even if a worker still runs
  for (int i = 0; i < kLastRounds && access_.drain() != 0; ++i) {
  }
}

void ControlCore::run() {
  pthread_setname_np(pthread_self(), "braid-access");
  // Long enough to cost nothing, short enough that a ring of a few thousand records does not fill.
  constexpr auto kPause = std::chrono::milliseconds(20);
  while (!stop_.load(std::memory_order_relaxed)) {
    if (access_.drain() == 0) std::this_thread::sleep_for(kPause);
  }
}

}  // namespace braid::control
