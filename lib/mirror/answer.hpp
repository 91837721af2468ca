// An answer to one rtnetlink request, over several reads. It is read to its end even when the tables have
// changed meanwhile (mnl_cb_run would stop there, and the rest would pass for the answer to the next
// request).
#pragma once

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#include <cerrno>
#include <cstdint>

#include "mirror/netlink.hpp"

namespace braid::mirror {

class Answer {
 public:
  // `sequence`: of the request. `visit` sees every message but the last one's status and outlives the object.
  Answer(std::uint32_t sequence, const Netlink::Visit& visit) : sequence_(sequence), visit_(visit) {}

  // What one read brought, `left` bytes of it; aligned as nlmsghdr.
  void take(const void* data, int left) {
    const auto* message = static_cast<const nlmsghdr*>(data);
    for (; !complete_ && mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
      if (message->nlmsg_seq != sequence_) continue;  // left over from a request that failed
      if ((message->nlmsg_flags & NLM_F_DUMP_INTR) != 0) error_ = EINTR;
      if (message->nlmsg_type == NLMSG_ERROR) {
        error_ = -static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(message))->error;
        complete_ = true;
      } else if (message->nlmsg_type == NLMSG_DONE) {
        complete_ = true;
      } else {
        visit_(message);
        complete_ = (message->nlmsg_flags & NLM_F_MULTI) == 0;
      }
    }
  }
  [[nodiscard]] bool complete() const { return complete_; }
  // 0 or the kernel's errno; EINTR: the answer may be inconsistent.
  [[nodiscard]] int error() const { return error_; }

 private:
  std::uint32_t sequence_;
  const Netlink::Visit& visit_;
  bool complete_ = false;
  int error_ = 0;
};

}  // namespace braid::mirror
