#include "dpdk/mirror_link.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "dpdk/error.hpp"

namespace braid::dpdk {

Doorbell::Doorbell() : fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (fd_ < 0) throw Error(std::string("cannot make an eventfd: ") + std::strerror(errno));
}

Doorbell::~Doorbell() { close(fd_); }

void Doorbell::awake() {
  asleep_.store(false, std::memory_order_relaxed);
  eventfd_t value = 0;
  eventfd_read(fd_, &value);
}

void Doorbell::wake() {
  asleep_.store(false, std::memory_order_relaxed);
  eventfd_write(fd_, 1);
}

}  // namespace braid::dpdk
