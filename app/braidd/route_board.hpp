// Hands route tables to the workers and frees old ones when no worker can look at them any more.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "dpdk/worker.hpp"
#include "wire/routes.hpp"

namespace braid::daemon {

class RouteBoard {
 public:
  // What stands for one worker: its task, and how many turns it has made.
  struct Seat {
    dpdk::Task* task = nullptr;
    const dpdk::Worker* worker = nullptr;
  };
  explicit RouteBoard(std::vector<Seat> seats) : seats_(std::move(seats)) {}

  void publish(std::unique_ptr<const wire::RouteTable> table) {
    for (const Seat& s : seats_) s.task->set_routes(table.get());
    if (current_ != nullptr) retired_.push_back({std::move(current_), turns()});
    current_ = std::move(table);
  }

  // Frees what no worker sees any more. A turn that ran while the table was replaced may use the old one, and
  // the next may have looked early; the one after that cannot.
  void reclaim() {
    if (retired_.empty()) return;
    const std::vector<std::uint64_t> now = turns();
    std::erase_if(retired_, [&now](const Retired& r) {
      for (std::size_t i = 0; i < now.size(); ++i) {
        if (now[i] < r.turns[i] + 2) return false;
      }
      return true;
    });
  }

  [[nodiscard]] const wire::RouteTable* current() const { return current_.get(); }
  [[nodiscard]] std::size_t retired() const { return retired_.size(); }

 private:
  struct Retired {
    std::unique_ptr<const wire::RouteTable> table;
    std::vector<std::uint64_t> turns;
  };
  [[nodiscard]] std::vector<std::uint64_t> turns() const {
    std::vector<std::uint64_t> out;
    for (const Seat& s : seats_) out.push_back(s.worker->turns());
    return out;
  }

  std::vector<Seat> seats_;
  std::unique_ptr<const wire::RouteTable> current_;
  std::vector<Retired> retired_;
};

}  // namespace braid::daemon
