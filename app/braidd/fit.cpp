#include "fit.hpp"

#include <algorithm>
#include <bit>

#include "config/scalars.hpp"
#include "dpdk/pool.hpp"
#include "dpdk/port.hpp"
#include "tcp/segment.hpp"

namespace braid::daemon {

namespace {

constexpr std::uint32_t kMirrorBuffers =
    4096 - 1;  // two full rings of frames from the kernel, and those on their way
constexpr std::uint32_t kSpareBuffers = 1024;  // per worker, beyond what the ports' queues hold
// What is taken besides the buffers: about 0.5 MiB, 0.1 and 1.2 were measured. DPDK aborts the process where
// it finds no memory for an ethdev, so these are ample.
constexpr std::uint64_t kOfEal = 4ULL << 20;
constexpr std::uint64_t kOfPort = 1ULL << 20;
constexpr std::uint64_t kOfPool = 2ULL << 20;
constexpr std::uint64_t kMiB = 1ULL << 20;

std::uint64_t pool_memory(std::uint32_t buffers, std::uint16_t room) {
  const std::uint64_t ring = std::bit_ceil(buffers + 1ULL) * sizeof(void*);
  return dpdk::MbufPool::footprint(buffers, tcp::kSegmentPrivSize, room) + ring + kOfPool;
}

void check_buffers(const config::Loaded& loaded, const std::vector<dpdk::Profile>& profiles,
                   std::vector<config::Mistake>& out) {
  const config::Config& c = loaded.config;
  const BufferPlan plan = plan_buffers(c, profiles);
  const auto workers = std::to_string(c.workers.count);
  if (plan.per_worker < plan.least_per_worker) {
    const std::uint64_t least = std::uint64_t{plan.least_per_worker} * c.workers.count;
    out.push_back(loaded.places.mistake(
        "limits.packet_buffers", std::to_string(c.limits.packet_buffers) + " are too few for " + workers +
                                     " workers and the queues of these ports; must be at least " +
                                     std::to_string(least)));
  }
  if (plan.memory > c.dpdk.memory) {
    const std::string path =
        loaded.places.has("limits.packet_buffers") ? "limits.packet_buffers" : "dpdk.memory";
    out.push_back(loaded.places.mistake(
        path,
        std::to_string(c.limits.packet_buffers) + " packet buffers of " + std::to_string(plan.room) +
            " bytes do not fit into " + config::print_size(c.dpdk.memory) + "; give dpdk.memory at least " +
            config::print_size((plan.memory + kMiB - 1) / kMiB * kMiB) + " or limits.packet_buffers fewer"));
  }
}

void check_queues(const config::Loaded& loaded, const std::vector<dpdk::Profile>& profiles,
                  std::vector<config::Mistake>& out) {
  const config::Config& c = loaded.config;
  for (std::size_t i = 0; i < c.ports.size(); ++i) {
    if (profiles[i].takes(c.ports[i].queues, c.workers.count)) continue;
    out.push_back(
        loaded.places.mistake("ports[" + std::to_string(i) + "].queues",
                              std::to_string(c.ports[i].queues) + " queues, but " + profiles[i].driver +
                                  " has its queues in pairs, one per worker; " + "must be workers.count (" +
                                  std::to_string(c.workers.count) + ")"));
  }
}

}  // namespace

BufferPlan plan_buffers(const config::Config& config, const std::vector<dpdk::Profile>& profiles) {
  BufferPlan plan;
  plan.least_per_worker = kSpareBuffers;
  for (std::size_t i = 0; i < config.ports.size(); ++i) {
    plan.room =
        std::max(plan.room, dpdk::data_room(static_cast<std::uint16_t>(config.ports[i].mtu), profiles[i]));
    plan.least_per_worker +=
        static_cast<std::uint32_t>(profiles[i].receive_descriptors) + profiles[i].transmit_descriptors;
  }
  plan.per_worker = config.limits.packet_buffers / config.workers.count;
  plan.mirror = kMirrorBuffers;
  plan.memory = pool_memory(plan.per_worker, plan.room) * config.workers.count +
                pool_memory(plan.mirror, plan.room) + kOfPort * config.ports.size() + kOfEal;
  return plan;
}

std::vector<config::Mistake> check_fit(const config::Loaded& loaded,
                                       const std::vector<dpdk::Profile>& profiles) {
  std::vector<config::Mistake> out;
  check_queues(loaded, profiles, out);
  check_buffers(loaded, profiles, out);
  return out;
}

}  // namespace braid::daemon
