// A small running appliance as the control core sees it.
#pragma once

#include <memory>

#include "config/load.hpp"
#include "control/sources.hpp"

namespace braid::control {

struct Appliance {
  config::Config config;
  std::vector<std::unique_ptr<stats::WorkerStats>> workers;
  Sources sources;
  bool ready = true;
  bool draining = false;

  explicit Appliance(unsigned worker_count = 2) {
    config = config::load_file(BRAID_SOURCE_DIR "/config/multi-server.yaml").config;
    for (unsigned i = 0; i < worker_count; ++i) {
      workers.push_back(std::make_unique<stats::WorkerStats>());
      sources.workers.push_back(workers.back().get());
    }
    sources.config = &config;
    sources.build = {"0.1.0", "DPDK 22.11", "braidd -l 0,1"};
    sources.ready = [this] { return ready; };
    sources.draining = [this] { return draining; };
    sources.ports = [] {
      return std::vector<PortStats>{{"access", true, 10, 1000, 20, 2000, 1, 2, 3},
                                    {"core", false, 0, 0, 0, 0, 0, 0, 0}};
    };
    sources.pools = [] { return std::vector<PoolUse>{{"packets", 100, 65536}}; };
  }
  Appliance(const Appliance&) = delete;
  Appliance& operator=(const Appliance&) = delete;
};

}  // namespace braid::control
