// A pool of packet buffers with an owner.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <string>

namespace braid::dpdk {

class MbufPool {
 public:
  // Who reads and writes the buffers: software alone (virtual devices), or a NIC by DMA.
  enum class Use : std::uint8_t { software, dma };

  // `private_size`: bytes of private area per buffer; `data_room`: bytes of buffer, headroom included. Throws
  // Error that names the memory needed.
  MbufPool(const std::string& name, std::uint32_t buffers, std::uint16_t private_size,
           std::uint16_t data_room, Use use);
  ~MbufPool();
  MbufPool(MbufPool&& other) noexcept;
  MbufPool& operator=(MbufPool&&) = delete;

  [[nodiscard]] rte_mempool* get() const { return pool_; }
  [[nodiscard]] const char* name() const { return pool_->name; }
  [[nodiscard]] std::uint32_t size() const { return pool_->size; }
  [[nodiscard]] std::uint32_t in_use() const { return rte_mempool_in_use_count(pool_); }

  // Bytes of EAL memory that such a pool takes, roughly.
  static std::uint64_t footprint(std::uint32_t buffers, std::uint16_t private_size, std::uint16_t data_room);

 private:
  rte_mempool* pool_;
};

}  // namespace braid::dpdk
