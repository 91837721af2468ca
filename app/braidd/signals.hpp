// Signals as values: blocked in every thread, read from a descriptor by the control thread.
#pragma once

namespace braid::daemon {

class Signals {
 public:
  // Blocks SIGTERM, SIGINT and SIGHUP in the calling thread and in those it makes. Throws std::runtime_error.
  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  [[nodiscard]] int fd() const { return fd_; }
  // The next signal that has arrived, 0: none.
  [[nodiscard]] int take() const;

 private:
  int fd_;
};

}  // namespace braid::daemon
