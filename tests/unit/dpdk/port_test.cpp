// Ports, queues and workers on a port in memory (net_ring): what is sent comes back. EAL runs without
// hugepages and without privileges.
#include "dpdk/port.hpp"

#include <gtest/gtest.h>
#include <rte_mbuf.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>

#include "dpdk/clock.hpp"
#include "dpdk/eal.hpp"
#include "dpdk/error.hpp"
#include "dpdk/pool.hpp"
#include "dpdk/queue_io.hpp"
#include "dpdk/worker.hpp"
#include "wire/ethernet.hpp"

namespace braid::dpdk {
namespace {

using stats::Counter;
using stats::Drop;

constexpr std::uint32_t kPoolSize = 4095;

Profile ring_profile() {
  Profile p;
  p.name = p.driver = "net_ring";
  p.paired_queues = true;
  return p;
}

struct Rig : testing::Test {
  MbufPool pool{"test", kPoolSize, 64, 2176, MbufPool::Use::software};
  std::vector<Port> ports;
  MirrorLink link;
  Doorbell bell;
  stats::WorkerStats stats;

  ~Rig() override { EXPECT_EQ(pool.in_use(), 0U) << "buffers leaked"; }

  void open(Profile profile = ring_profile()) {
    ports.emplace_back(PortSettings{"t", "net_ring", "r", 1, 1, 1500}, std::move(profile));
    ports.front().start({pool.get()});
  }
  QueueIo io(std::uint32_t pps = 1000) { return {0, ports, pool.get(), link, bell, pps, stats}; }

  rte_mbuf* frame(std::uint8_t fill, std::uint16_t bytes) {
    rte_mbuf* m = rte_pktmbuf_alloc(pool.get());
    std::memset(rte_pktmbuf_append(m, bytes), fill, bytes);
    return m;
  }
  // Two buffers as one frame.
  rte_mbuf* chain() {
    rte_mbuf* m = frame(1, 60);
    EXPECT_EQ(rte_pktmbuf_chain(m, frame(2, 100)), 0);
    return m;
  }
};

// net_af_xdp takes a pool for a UMEM of `buffers` times their size: with gaps between them, the later ones
// lay outside and the port fell silent once they came into use.
TEST_F(Rig, PoolLiesDenselyInOnePiece) {
  struct Extent {
    std::uintptr_t low = UINTPTR_MAX, high = 0;
  } extent;
  rte_mempool_obj_iter(
      pool.get(),
      [](rte_mempool*, void* opaque, void* object, unsigned) {
        auto& e = *static_cast<Extent*>(opaque);
        const auto at = reinterpret_cast<std::uintptr_t>(object);
        e.low = std::min(e.low, at);
        e.high = std::max(e.high, at);
      },
      &extent);
  const rte_mempool* p = pool.get();
  const std::size_t size = p->header_size + p->elt_size + p->trailer_size;
  EXPECT_EQ(extent.high - extent.low, size * (kPoolSize - 1));
}

TEST_F(Rig, FramesGoOutAndComeIn) {
  open();
  QueueIo q = io();
  q.begin_turn(Instant{});
  rte_mbuf* out[2] = {frame(1, 60), frame(2, 61)};
  EXPECT_FALSE(q.worked());
  ASSERT_EQ(q.transmit(0, out, 2), 2U);
  EXPECT_TRUE(q.worked());
  rte_mbuf* in[32];
  ASSERT_EQ(q.receive(0, in, 32), 2U);
  EXPECT_EQ(in[0]->pkt_len, 60U);
  EXPECT_EQ(in[1]->pkt_len, 61U);
  rte_pktmbuf_free_bulk(in, 2);
  EXPECT_EQ(ports.front().counters().tx_packets, 2U);
  EXPECT_TRUE(ports.front().link_up());
}

TEST_F(Rig, OuterTagGetsItsTypeBackWhereTheFileSaysThatTwoStand) {
  PortSettings settings{"t", "net_ring", "r", 1, 1, 1500};
  settings.service_vlans = {20, 10};
  ports.emplace_back(settings, ring_profile());
  ports.front().start({pool.get()});
  QueueIo q = io();
  q.begin_turn(Instant{});
  const auto tagged = [&](std::uint16_t outer, std::uint16_t inner_type) {
    rte_mbuf* m = frame(0, 60);
    auto* at = rte_pktmbuf_mtod_offset(m, std::byte*, 12);
    store_be(at, wire::kEtherVlan);
    store_be(at + 2, static_cast<std::uint16_t>(0x6000 | outer));
    store_be(at + 4, inner_type);
    return m;
  };
  rte_mbuf* out[3] = {tagged(10, wire::kEtherVlan), tagged(11, wire::kEtherVlan),
                      tagged(10, wire::kEtherIpv4)};
  ASSERT_EQ(q.transmit(0, out, 3), 3U);
  rte_mbuf* in[32];
  ASSERT_EQ(q.receive(0, in, 32), 3U);
  const auto type = [&](unsigned i) {
    return load_be<std::uint16_t>(rte_pktmbuf_mtod_offset(in[i], std::byte*, 12));
  };
  EXPECT_EQ(type(0), wire::kEtherServiceVlan);
  EXPECT_EQ(type(1), wire::kEtherVlan) << "another VLAN";
  EXPECT_EQ(type(2), wire::kEtherVlan) << "one tag alone";
  rte_pktmbuf_free_bulk(in, 3);
}

TEST_F(Rig, FramesInPiecesAreCopiedForPortsThatWantOne) {
  Profile p = ring_profile();
  p.linear_frames = true;
  open(p);
  QueueIo q = io();
  q.begin_turn(Instant{});
  rte_mbuf* whole = frame(3, 70);
  rte_mbuf* clone = rte_pktmbuf_clone(whole, pool.get());
  rte_mbuf* out[3] = {chain(), clone, whole};
  ASSERT_EQ(q.transmit(0, out, 3), 3U);
  rte_mbuf* in[32];
  ASSERT_EQ(q.receive(0, in, 32), 3U);
  EXPECT_EQ(in[0]->nb_segs, 1);
  EXPECT_EQ(in[0]->pkt_len, 160U);
  EXPECT_EQ(rte_pktmbuf_mtod(in[0], std::uint8_t*)[59], 1);
  EXPECT_EQ(rte_pktmbuf_mtod(in[0], std::uint8_t*)[60], 2);
  EXPECT_TRUE(RTE_MBUF_DIRECT(in[1]));
  EXPECT_EQ(rte_pktmbuf_mtod(in[1], std::uint8_t*)[69], 3);
  EXPECT_EQ(in[2], whole) << "no needless copy";
  rte_pktmbuf_free_bulk(in, 3);
}

TEST_F(Rig, WhatTheFullPortDoesNotTakeStaysWithTheCaller) {
  Profile p = ring_profile();
  p.linear_frames = true;
  open(p);
  QueueIo q = io();
  q.begin_turn(Instant{});
  unsigned sent = 0;
  while (sent < kPoolSize / 2) {
    rte_mbuf* one = frame(1, 60);
    if (q.transmit(0, &one, 1) == 0) {
      rte_pktmbuf_free(one);
      break;
    }
    ++sent;
  }
  ASSERT_GT(sent, 0U);
  ASSERT_LT(sent, kPoolSize / 2) << "the ring never filled";
  rte_mbuf* piece = chain();
  EXPECT_EQ(q.transmit(0, &piece, 1), 0U);
  EXPECT_EQ(piece->nb_segs, 2) << "the caller's frame is untouched";
  rte_pktmbuf_free(piece);
  rte_mbuf* in[32];
  while (const unsigned n = q.receive(0, in, 32)) rte_pktmbuf_free_bulk(in, n);
}

TEST_F(Rig, MirrorIsRateLimited) {
  open();
  QueueIo q = io(320);  // bursts of 32
  q.begin_turn(Instant{} + std::chrono::seconds(1));
  for (int i = 0; i < 40; ++i) EXPECT_TRUE(q.punt(0, frame(1, 60)));
  EXPECT_EQ(stats.drops[Drop::mirror_limit], 8U);
  EXPECT_EQ(link.to_kernel.size(), 32U);
  ToKernel item;
  while (link.to_kernel.pop({&item, 1}) == 1) rte_pktmbuf_free(item.frame);
}

TEST_F(Rig, FullMirrorRingLeavesTheFrameWithTheCaller) {
  open();
  QueueIo q = io(1'000'000);
  q.begin_turn(Instant{} + std::chrono::seconds(1));
  for (std::size_t i = 0; i < MirrorLink::kDepth; ++i) ASSERT_TRUE(q.punt(0, frame(1, 60)));
  rte_mbuf* extra = frame(1, 60);
  EXPECT_FALSE(q.punt(0, extra));
  EXPECT_FALSE(q.resolve({.next = Ip::v4(1)}, extra));
  rte_pktmbuf_free(extra);
  ToKernel item;
  while (link.to_kernel.pop({&item, 1}) == 1) rte_pktmbuf_free(item.frame);
}

TEST_F(Rig, KernelsFramesLeaveAndLossesAreCounted) {
  open();
  QueueIo q = io();
  ASSERT_TRUE(link.to_port.push({frame(9, 64), 0}));
  link.unresolved.store(3);
  link.refused.store(2);
  q.begin_turn(Instant{});
  q.begin_turn(Instant{});
  EXPECT_EQ(stats.counters[Counter::injected], 1U);
  EXPECT_EQ(stats.drops[Drop::neighbour_queue], 3U);
  EXPECT_EQ(stats.drops[Drop::mirror_full], 2U);
  rte_mbuf* in[32];
  ASSERT_EQ(q.receive(0, in, 32), 1U);
  rte_pktmbuf_free(in[0]);
}

TEST_F(Rig, DoorbellRingsOnlyForASleeper) {
  eventfd_t value = 0;
  bell.ring();
  EXPECT_LT(eventfd_read(bell.fd(), &value), 0) << "nobody slept";
  bell.about_to_sleep();
  bell.ring();
  bell.ring();
  EXPECT_EQ(eventfd_read(bell.fd(), &value), 0);
  EXPECT_EQ(value, 1U) << "one ring wakes";
  bell.awake();
}

TEST_F(Rig, QueuesInPairsMustEqualWorkers) {
  try {
    const Port p({"t", "net_ring", "r", 2, 1, 1500}, ring_profile());
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("workers.count"), std::string::npos) << e.what();
  }
}

TEST_F(Rig, MissingInterfaceIsNamed) {
  try {
    const Port p({"t", "net_af_packet", "nowhere0", 1, 1, 1500}, ring_profile());
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("nowhere0 not found"), std::string::npos) << e.what();
  }
}

// Counts its turns; asks for its next turn an hour ahead.
struct Sleeper final : Task {
  Instant poll(Instant now, engine::Io&) override {
    turns.fetch_add(1);
    return now + std::chrono::hours(1);
  }
  stats::WorkerStats& stats() override { return counters; }
  void set_routes(const wire::RouteTable*) override {}
  void drain() override { drained.store(true); }
  bool end_some(Instant, engine::Io&) override { return ended.fetch_add(1) == 2; }
  stats::WorkerStats counters;
  std::atomic<unsigned> turns{0};
  std::atomic<bool> drained{false};
  std::atomic<int> ended{0};
};

TEST_F(Rig, WorkerTurnsUnderEveryIdlePolicy) {
  open();
  QueueIo q = io();
  const TscClock clock;
  for (const IdlePolicy policy : {IdlePolicy{Idle::spin, {}}, IdlePolicy{Idle::pause, {}},
                                  IdlePolicy{Idle::sleep, std::chrono::microseconds(50)}}) {
    Sleeper task;
    Worker worker(1, task, q, clock, policy);
    worker.start();
    while (task.turns.load() < 100)
      std::this_thread::yield();  // naps end although the next alarm is far away
    EXPECT_FALSE(task.drained.load());
    worker.drain();
    while (!task.drained.load()) std::this_thread::yield();
    worker.stop();
    worker.stop();
    EXPECT_EQ(task.ended.load(), 3) << "asked until nothing is left";
    EXPECT_EQ(worker.turns(), task.turns.load());
  }
}

TEST(Clock, AdvancesFromItsEpoch) {
  const TscClock clock;
  const Instant a = clock.now();
  const Instant b = clock.now();
  EXPECT_GE(a, Instant{} + std::chrono::seconds(1));
  EXPECT_GE(b, a);
}

}  // namespace
}  // namespace braid::dpdk

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  braid::dpdk::EalSettings s;
  s.worker_cores = {0};
  s.memory = 64 << 20;
  s.hugepages = braid::dpdk::Hugepages::off;
  s.file_prefix = "test";
  s.command_arguments = {"--log-level=3"};
  const braid::dpdk::Eal eal(argv[0], braid::dpdk::eal_arguments(s, 0));
  return RUN_ALL_TESTS();
}
