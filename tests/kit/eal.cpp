#include "kit/eal.hpp"

#include <rte_eal.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "tcp/segment.hpp"

namespace braid::kit {

namespace {

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
  rte_mempool* p = rte_pktmbuf_pool_create("test", kBuffers, 0, tcp::kSegmentPrivSize, 2176, SOCKET_ID_ANY);
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
