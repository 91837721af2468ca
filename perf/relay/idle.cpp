#include <rte_mempool.h>
#include <unistd.h>

#include <fstream>

#include "clients.hpp"
#include "scenarios.hpp"
#include "servers.hpp"

namespace braid::perf {

namespace {

std::uint64_t resident_bytes() {
  std::ifstream in("/proc/self/statm");
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  if (!(in >> total >> resident)) throw Broken("/proc/self/statm cannot be read");
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

// The models' and the buffers' own memory must be there before the measurement begins.
void touch_buffers(rte_mempool* pool) {
  rte_mempool_obj_iter(
      pool,
      [](rte_mempool*, void*, void* object, unsigned) {
        auto* m = static_cast<rte_mbuf*>(object);
        std::memset(m->buf_addr, 0, m->buf_len);
      },
      nullptr);
}

}  // namespace

IdleResult run_idle(const Bench& bench, std::uint32_t sessions) {
  constexpr unsigned kServerCount = 16;  // an upstream's most: local ports last longer
  touch_buffers(bench.buffers);
  World world(bench.buffers, bench.buffer_count, {.connections = sessions, .servers = kServerCount});
  Servers servers(world, kServerCount, 0);
  Clients clients(world, {.join = true}, sessions);
  const auto exchange = [&] {
    world.collect(kServers, [&](const wire::TcpFrame& f, rte_mbuf*) { servers.see(f); });
    world.collect(kClients, [&](const wire::TcpFrame& f, rte_mbuf*) { clients.see(f); });
  };

  const std::uint64_t before = resident_bytes();
  world.start();
  for (std::uint64_t turn = 0; clients.ready() < sessions || servers.established() < sessions; ++turn) {
    if (turn > sessions) throw Broken("clients do not get connected:\n" + describe(world.engine().stats()));
    for (unsigned i = 0; i < 4 && clients.opened() < sessions; ++i) clients.open();
    world.turn(std::chrono::milliseconds(1));
    exchange();
  }
  for (unsigned i = 0; i < 3000; ++i) {  // half a minute: handshake timers go, delayed answers come
    world.turn(std::chrono::milliseconds(10));
    exchange();
  }
  const std::uint64_t after = resident_bytes();
  world.expect_smooth();
  const auto use = world.engine().use();
  if (use.pairs != sessions || use.subflows != 2 * sessions || use.streams != sessions)
    throw Broken("sessions did not stay established:\n" + describe(world.engine().stats()));
  return {static_cast<double>(after - before) / sessions, sessions, rte_mempool_in_use_count(bench.buffers)};
}

}  // namespace braid::perf
