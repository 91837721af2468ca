// Prometheus metrics: families built from the workers' counters at scrape time, and the HTTP server that
// hands them out together with the health answers.
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/access_log.hpp"
#include "control/log.hpp"
#include "control/sources.hpp"

struct mg_context;

namespace braid::control {

// Reads `sources` at every call of Collect; all counters are read with relaxed loads, so a scrape never
// disturbs a worker. docs/metrics.md lists the families.
class Collector final : public prometheus::Collectable {
 public:
  // `access` and `log` may be null: their families are then zero.
  Collector(const Sources& sources, const AccessCounts* access, const Log* log);
  [[nodiscard]] std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const Sources& sources_;
  const AccessCounts* access_;
  const Log* log_;
};

// Serves GET /metrics (text format), /healthz (200 while the process runs its control threads) and /readyz
// (200 or 503) on its own two threads.
class MetricsServer {
 public:
  MetricsServer(const Sources& sources, const Collector& collector);
  ~MetricsServer();
  MetricsServer(const MetricsServer&) = delete;
  MetricsServer& operator=(const MetricsServer&) = delete;

  // `sources` and `collector` must outlive the server. Nothing on success, else what is wrong, for people.
  std::optional<std::string> start(const Endpoint& listen);
  // The port that is bound (of use after listening on port 0); 0 when not started.
  [[nodiscard]] std::uint16_t port() const;
  void stop();

 private:
  const Sources& sources_;
  const Collector& collector_;
  Endpoint listen_;
  mg_context* server_ = nullptr;
};

}  // namespace braid::control
