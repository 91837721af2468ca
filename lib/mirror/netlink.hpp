// An rtnetlink socket (libmnl) that is closed with its owner.
#pragma once

#include <cstdint>
#include <functional>

#include "mirror/requests.hpp"

struct mnl_socket;

namespace braid::mirror {

class Netlink {
 public:
  // `groups`: bit mask of RTMGRP_* to follow, 0 for a socket that only asks. Throws Error.
  explicit Netlink(unsigned groups);
  ~Netlink();
  Netlink(const Netlink&) = delete;
  Netlink& operator=(const Netlink&) = delete;

  [[nodiscard]] int fd() const;

  // Sends a request and waits for the kernel's answer. Returns 0 or the errno the kernel gave.
  int ask(Request request);

  using Visit = std::function<void(const nlmsghdr*)>;
  // Sends a dump request and shows every message of the answer. Returns 0, or an errno (EINTR: the tables
  // changed meanwhile and the answer may be inconsistent).
  int ask_all(Request request, const Visit& visit);

  // Shows the messages that have arrived, never waits. Returns 0, or ENOBUFS when the kernel had to drop
  // some.
  int receive(const Visit& visit);

 private:
  mnl_socket* socket_ = nullptr;
  std::uint32_t sequence_ = 0;
};

}  // namespace braid::mirror
