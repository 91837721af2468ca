// What packetdrill asks of a TCP stack in a shared object (its option --so_filename): a table of functions,
// filled in by a function of the name packetdrill_interface_init. Order and types are packetdrill's.
#pragma once

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>

namespace braid::drill {

// Each function's first argument is `state`. Results and errno are those of the system call of that name.
struct Interface {
  template <class Result, class... Arguments>
  using Call = Result (*)(void* state, Arguments...);

  void* state;
  Call<void> free;
  Call<int, int, int, int> socket;
  Call<int, int, const sockaddr*, socklen_t> bind;
  Call<int, int, int> listen;
  Call<int, int, sockaddr*, socklen_t*> accept;
  Call<int, int, const sockaddr*, socklen_t> connect;
  Call<ssize_t, int, void*, size_t> read;
  Call<ssize_t, int, const iovec*, int> readv;
  Call<ssize_t, int, void*, size_t, int> recv;
  Call<ssize_t, int, void*, size_t, int, sockaddr*, socklen_t*> recvfrom;
  Call<ssize_t, int, msghdr*, int> recvmsg;
  Call<ssize_t, int, const void*, size_t> write;
  Call<ssize_t, int, const iovec*, int> writev;
  Call<ssize_t, int, const void*, size_t, int> send;
  Call<ssize_t, int, const void*, size_t, int, const sockaddr*, socklen_t> sendto;
  Call<ssize_t, int, const msghdr*, int> sendmsg;
  int (*fcntl)(void* state, int fd, int command, ...);
  int (*ioctl)(void* state, int fd, unsigned long request, ...);
  Call<int, int> close;
  Call<int, int, int> shutdown;
  Call<int, int, int, int, void*, socklen_t*> getsockopt;
  Call<int, int, int, int, const void*, socklen_t> setsockopt;
  Call<int, pollfd*, nfds_t, int> poll;
  // An IP packet for the stack.
  Call<int, const void*, size_t> netdev_send;
  // The next IP packet from the stack, `*size` bytes of room; when none comes, 0 bytes.
  Call<int, void*, size_t*, long long*> netdev_receive;
  Call<int, useconds_t> usleep;
  Call<int, timeval*, struct timezone*> gettimeofday;
  Call<int, int> epoll_create;
  Call<int, int, int, int, epoll_event*> epoll_ctl;
  Call<int, int, epoll_event*, int, int> epoll_wait;
  Call<int, int*> pipe;
  Call<int, int, off64_t*, int, off64_t*, size_t, unsigned> splice;
};

}  // namespace braid::drill

// Fills in `out`; `flags` are those of --so_flags, words with commas between them (docs/packetdrill.md).
extern "C" void packetdrill_interface_init(const char* flags, braid::drill::Interface* out);
