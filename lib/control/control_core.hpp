// The control side of the daemon in one object: access log, metrics, operator's socket. The daemon makes it
// on the control core after EAL is up and before the workers start.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "control/access_log.hpp"
#include "control/api.hpp"
#include "control/log.hpp"
#include "control/metrics.hpp"
#include "control/sources.hpp"

namespace braid::control {

class ControlCore {
 public:
  // `rings`: the workers' access records. All arguments must outlive the object, and the object must be
  // destroyed after the worker threads have ended (see ApiServer).
  ControlCore(const Sources& sources, SessionSource& sessions, std::vector<AccessRing*> rings, Log& log);
  ~ControlCore();

  // Opens the metrics port and the operator's socket and starts the threads. Nothing on success, else what
  // is wrong, for people; nothing is left running then.
  std::optional<std::string> start();
  // Writes the records that are left, closes everything, joins. May be called twice.
  void stop();

  [[nodiscard]] std::uint16_t metrics_port() const { return metrics_.port(); }

 private:
  void run();

  const Sources& sources_;
  AccessLog access_;
  Collector collector_;
  MetricsServer metrics_;
  ApiServer api_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace braid::control
