#include "kit/eal.hpp"

#include <rte_eal.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "kit/faults.hpp"
#include "tcp/segment.hpp"

namespace braid::kit {

namespace {

// DPDK's ring, with a question before each buffer: rte_pktmbuf_alloc() is inline and has no other seam.
const rte_mempool_ops& ring() {
  static const rte_mempool_ops* const found = [] {
    for (unsigned i = 0; i < rte_mempool_ops_table.num_ops; ++i)
      if (std::string_view(rte_mempool_ops_table.ops[i].name) == "ring_mp_mc")
        return &rte_mempool_ops_table.ops[i];
    std::fputs("DPDK has no ring_mp_mc\n", stderr);
    std::exit(2);
  }();
  return *found;
}

rte_mempool_ops counted_ring() {
  rte_mempool_ops ops{};
  std::strcpy(ops.name, "braid_counted");
  ops.alloc = [](rte_mempool* mp) { return ring().alloc(mp); };
  ops.free = [](rte_mempool* mp) { ring().free(mp); };
  ops.enqueue = [](rte_mempool* mp, void* const* objects, unsigned n) {
    return ring().enqueue(mp, objects, n);
  };
  ops.dequeue = [](rte_mempool* mp, void** objects, unsigned n) {
    return refuse_allocation() ? -ENOENT : ring().dequeue(mp, objects, n);
  };
  ops.get_count = [](const rte_mempool* mp) { return ring().get_count(mp); };
  return ops;
}

rte_mempool* start() {
  std::array<const char*, 9> words{"test",          "--no-huge", "--no-pci", "--no-shconf", "--no-telemetry",
                                   "--log-level=4", "-m",        "256",      "--lcores=0"};
  std::array<std::string, words.size()> copies;
  std::array<char*, words.size() + 1> argv{};
  for (std::size_t i = 0; i < words.size(); ++i) {
    copies[i] = words[i];
    argv[i] = copies[i].data();
  }
  if (rte_eal_init(static_cast<int>(words.size()), argv.data()) < 0) {
    std::fputs("EAL does not start: no test can run\n", stderr);
    std::exit(2);
  }
  std::atexit([] { rte_eal_cleanup(); });
  const rte_mempool_ops counted = counted_ring();
  rte_mempool_register_ops(&counted);
  rte_mempool* p = rte_pktmbuf_pool_create_by_ops("test", kBuffers, 0, tcp::kSegmentPrivSize, 2176,
                                                  SOCKET_ID_ANY, counted.name);
  if (p == nullptr) {
    std::fputs("no memory for the packet buffers of the tests\n", stderr);
    std::exit(2);
  }
  return p;
}

std::uint32_t withheld = 0;

}  // namespace

std::uint32_t buffers_withheld() { return withheld; }

rte_mempool* pool() {
  static rte_mempool* const p = start();
  return p;
}

std::uint32_t buffers_in_use() { return rte_mempool_in_use_count(pool()); }

Shortage::Shortage(std::uint32_t left) : taken_(nullptr) {
  while (rte_mempool_avail_count(pool()) > left) {
    rte_mbuf* m = rte_pktmbuf_alloc(pool());
    m->next = static_cast<rte_mbuf*>(taken_);
    taken_ = m;
    ++withheld;
  }
}

Shortage::~Shortage() {
  auto* m = static_cast<rte_mbuf*>(taken_);
  while (m != nullptr) {
    rte_mbuf* next = m->next;
    m->next = nullptr;
    rte_pktmbuf_free(m);
    --withheld;
    m = next;
  }
}

}  // namespace braid::kit
