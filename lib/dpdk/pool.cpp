#include "dpdk/pool.hpp"

#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mbuf_pool_ops.h>

#include <utility>

#include "dpdk/error.hpp"

namespace braid::dpdk {

namespace {
constexpr unsigned kCache = 256;  // buffers per lcore and pool: eight bursts
}

namespace {

// The objects lie densely in one piece of memory: net_af_xdp takes the pool as its UMEM and sizes it by the
// number of buffers alone, so with page-aligned ones (EAL's default where a device does DMA) those beyond
// that size would be invalid to the kernel.
rte_mempool* make_dense_pool(const char* name, std::uint32_t buffers, std::uint16_t private_size,
                             std::uint16_t data_room) {
  const auto element = static_cast<unsigned>(sizeof(rte_mbuf) + private_size + data_room);
  rte_mempool* pool =
      rte_mempool_create_empty(name, buffers, element, kCache, sizeof(rte_pktmbuf_pool_private),
                               static_cast<int>(rte_socket_id()), RTE_MEMPOOL_F_NO_IOVA_CONTIG);
  if (pool == nullptr) return nullptr;
  rte_pktmbuf_pool_private form{};
  form.mbuf_data_room_size = data_room;
  form.mbuf_priv_size = private_size;
  if (const int failed = rte_mempool_set_ops_byname(pool, rte_mbuf_best_mempool_ops(), nullptr);
      failed != 0) {
    rte_errno = -failed;
    rte_mempool_free(pool);
    return nullptr;
  }
  rte_pktmbuf_pool_init(pool, &form);
  if (const int got = rte_mempool_populate_default(pool); got < 0) {
    rte_errno = -got;
    rte_mempool_free(pool);
    return nullptr;
  }
  rte_mempool_obj_iter(pool, rte_pktmbuf_init, nullptr);
  return pool;
}

rte_mempool* make_pool(const char* name, std::uint32_t buffers, std::uint16_t private_size,
                       std::uint16_t data_room, MbufPool::Use use) {
  if (use == MbufPool::Use::software) return make_dense_pool(name, buffers, private_size, data_room);
  return rte_pktmbuf_pool_create(name, buffers, kCache, private_size, data_room,
                                 static_cast<int>(rte_socket_id()));
}

}  // namespace

MbufPool::MbufPool(const std::string& name, std::uint32_t buffers, std::uint16_t private_size,
                   std::uint16_t data_room, Use use)
    : pool_(make_pool(name.c_str(), buffers, private_size, data_room, use)) {
  const bool pieces = pool_ != nullptr && use == Use::software && pool_->nb_mem_chunks != 1;
  if (pool_ != nullptr && !pieces) return;
  if (pieces) rte_mempool_free(std::exchange(pool_, nullptr));
  throw Error("no memory in one piece for the packet buffers " + name + " (" +
              std::to_string(footprint(buffers, private_size, data_room) >> 20) + " MiB, " +
              (pieces ? "memory is in pieces" : rte_strerror(rte_errno)) +
              "): raise dpdk.memory or lower limits.packet_buffers");
}

MbufPool::MbufPool(MbufPool&& other) noexcept : pool_(std::exchange(other.pool_, nullptr)) {}

MbufPool::~MbufPool() { rte_mempool_free(pool_); }

std::uint64_t MbufPool::footprint(std::uint32_t buffers, std::uint16_t private_size,
                                  std::uint16_t data_room) {
  const auto element = static_cast<std::uint32_t>(sizeof(rte_mbuf) + private_size + data_room);
  return static_cast<std::uint64_t>(rte_mempool_calc_obj_size(element, 0, nullptr)) * buffers;
}

}  // namespace braid::dpdk
