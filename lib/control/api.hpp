// The operator's socket: newline-delimited JSON over a Unix stream socket. docs/configuration.md (control)
// and the comment in api.cpp describe the protocol. One thread serves all clients with poll(2); a client
// that does not read costs about kMaxQueued bytes and is closed after Times::idle.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "control/sources.hpp"

namespace braid::control {

class ApiServer {
 public:
  static constexpr std::size_t kMaxLine = 64 * 1024;    // bytes of one request
  static constexpr std::size_t kMaxSkipped = 16 << 20;  // bytes of one line before its sender is closed
  static constexpr std::size_t kMaxClients = 16;
  static constexpr std::size_t kMaxQueued = 256 * 1024;  // answer bytes waiting before a listing pauses
  static constexpr std::size_t kPage = 64;               // sessions copied per request to a worker

  struct Times {
    std::chrono::milliseconds idle{30'000};   // a silent or stuck client is closed after this
    std::chrono::milliseconds worker{2'000};  // a worker that has not answered by then has stalled
  };

  // Both must outlive the server; and the server must be destroyed after the worker threads have ended,
  // because a worker may still hold one of its requests.
  ApiServer(const Sources& sources, SessionSource& sessions);
  ApiServer(const Sources& sources, SessionSource& sessions, Times times);
  ~ApiServer();
  ApiServer(const ApiServer&) = delete;
  ApiServer& operator=(const ApiServer&) = delete;

  // Binds `path` (mode 0600; a missing parent directory is made, a socket nobody serves is replaced) and
  // starts the thread. Nothing on success, else what is wrong, for people.
  std::optional<std::string> start(const std::string& path);
  // Closes all clients, removes the socket, joins the thread. May be called twice.
  void stop();

 private:
  class Loop;
  const Sources& sources_;
  SessionSource& sessions_;
  Times times_;
  std::string path_;
  std::unique_ptr<Loop> loop_;
  std::thread thread_;
};

}  // namespace braid::control
