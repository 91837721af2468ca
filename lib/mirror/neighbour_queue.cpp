#include "mirror/neighbour_queue.hpp"

#include <algorithm>

namespace braid::mirror {

bool NeighbourQueue::hold(const Neighbour& neighbour, const Held& held) {
  if (total_ == kTotal) return false;
  auto& queue = waiting_[neighbour];
  if (queue.size() == kPerNeighbour) return false;
  queue.push_back(held);
  ++total_;
  return true;
}

std::vector<NeighbourQueue::Held> NeighbourQueue::release(const Neighbour& neighbour) {
  const auto it = waiting_.find(neighbour);
  if (it == waiting_.end()) return {};
  std::vector<Held> out = std::move(it->second);
  waiting_.erase(it);
  total_ -= out.size();
  return out;
}

std::vector<NeighbourQueue::Held> NeighbourQueue::expire(Instant now) {
  std::vector<Held> out;
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    auto& queue = it->second;
    const auto keep =
        std::find_if(queue.begin(), queue.end(), [now](const Held& h) { return now - h.since <= kLimit; });
    out.insert(out.end(), queue.begin(), keep);
    queue.erase(queue.begin(), keep);
    it = queue.empty() ? waiting_.erase(it) : std::next(it);
  }
  total_ -= out.size();
  return out;
}

std::vector<NeighbourQueue::Held> NeighbourQueue::clear() {
  std::vector<Held> out;
  for (auto& [neighbour, queue] : waiting_) out.insert(out.end(), queue.begin(), queue.end());
  waiting_.clear();
  total_ = 0;
  return out;
}

Instant NeighbourQueue::next_due() const {
  Instant due = kNever;
  for (const auto& [neighbour, queue] : waiting_) due = std::min(due, queue.front().since + kLimit);
  return due;
}

}  // namespace braid::mirror
