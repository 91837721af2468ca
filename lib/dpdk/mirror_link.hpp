// The rings between one worker and the control thread that serves the kernel mirror. Each ring has one writer
// and one reader; the frames in them belong to the ring.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/address.hpp"
#include "base/spsc_ring.hpp"
#include "wire/routes.hpp"

struct rte_mbuf;

namespace braid::dpdk {

// Wakes the control thread out of poll(2), only when it sleeps.
class Doorbell {
 public:
  Doorbell();  // throws Error
  ~Doorbell();
  Doorbell(const Doorbell&) = delete;
  Doorbell& operator=(const Doorbell&) = delete;

  // The sleeper's side: fd() is readable once someone rang.
  [[nodiscard]] int fd() const { return fd_; }
  void about_to_sleep() { asleep_.store(true, std::memory_order_seq_cst); }
  void awake();

  // Any worker's side. A wake-up may be missed when the sleeper is just falling asleep: it must not sleep
  // longer than it can bear (kMaxSleep). In exchange no locked instruction runs while it is awake.
  void ring() {
    if (asleep_.load(std::memory_order_relaxed)) wake();
  }
  static constexpr int kMaxSleepMs = 10;

 private:
  void wake();
  int fd_;
  alignas(64) std::atomic<bool> asleep_{false};
};

struct ToKernel {
  rte_mbuf* frame = nullptr;
  std::uint8_t port = 0;
  bool resolve = false;  // `next` is to be resolved on `link` and the frame then sent out of the port
  wire::LinkId link = 0;
  Ip next;
};

struct ToPort {
  rte_mbuf* frame = nullptr;
  std::uint8_t port = 0;
};

struct MirrorLink {
  static constexpr std::size_t kDepth = 1024;
  SpscRing<ToKernel> to_kernel{kDepth};
  SpscRing<ToPort> to_port{kDepth};
  // Frames of this worker that waited for a neighbour in vain; written by the control thread, and counted by
  // the worker among its drops.
  alignas(64) std::atomic<std::uint64_t> unresolved{0};
  // The same for frames that the kernel did not take.
  std::atomic<std::uint64_t> refused{0};
};

}  // namespace braid::dpdk
