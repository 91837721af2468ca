// Reading of sessions out of the workers, page by page, for several clients of the API server. Each worker
// has one mailbox, so there is one request per worker; clients take turns.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "control/sources.hpp"

namespace braid::control {

using SteadyTime = std::chrono::steady_clock::time_point;

// How far one client's listing has come.
struct Listing {
  std::uint64_t id = 0;  // unique among all listings ever begun, not 0
  unsigned worker = 0;
  std::uint32_t cursor = 0;
  bool waiting = false;     // asked for a page, or waits for its turn
  std::uint64_t total = 0;  // sessions handed out
};

class Mailboxes {
 public:
  enum class Step : std::uint8_t { page, wait, complete, stalled, stopped };

  Mailboxes(SessionSource& source, std::size_t page);

  // Brings the listing one step on. After `page`, the sessions are in `page()` until the next call;
  // `stalled`: listing.worker has not answered a request within `patience`; `stopped`: it does not run.
  Step advance(Listing& listing, SteadyTime now, std::chrono::milliseconds patience);
  // The listing ends before it is complete.
  void abandon(const Listing& listing);
  [[nodiscard]] std::span<const engine::SessionInfo> page() const { return page_; }

 private:
  struct Slot {
    engine::ListRequest request;
    std::vector<engine::SessionInfo> sessions;
    std::deque<std::uint64_t> turns;  // listings that wait, the next one first
    bool posted = false;              // the worker has the request
    std::uint64_t owner = 0;          // listing it was posted for; 0: abandoned
    SteadyTime since{};               // when it was posted
  };
  Step take(Slot& slot, Listing& listing);

  SessionSource& source_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::span<const engine::SessionInfo> page_;
};

}  // namespace braid::control
