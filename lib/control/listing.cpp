#include "control/listing.hpp"

#include <algorithm>

namespace braid::control {

Mailboxes::Mailboxes(SessionSource& source, std::size_t page) : source_(source) {
  for (unsigned i = 0; i < source.workers(); ++i) {
    slots_.push_back(std::make_unique<Slot>());
    slots_.back()->sessions.resize(page);
  }
}

Mailboxes::Step Mailboxes::advance(Listing& listing, SteadyTime now, std::chrono::milliseconds patience) {
  if (listing.worker >= slots_.size()) return Step::complete;
  Slot& slot = *slots_[listing.worker];
  if (!listing.waiting) {
    listing.waiting = true;
    slot.turns.push_back(listing.id);
  }
  if (slot.posted && (slot.owner == listing.id || slot.owner == 0) &&
      slot.request.done.load(std::memory_order_acquire)) {
    slot.posted = false;
    if (slot.owner == listing.id) return take(slot, listing);
  }
  if (!slot.posted && slot.turns.front() == listing.id) {
    slot.request.cursor = listing.cursor;
    slot.request.out = slot.sessions;
    slot.request.filled = 0;
    slot.request.next = 0;
    slot.request.done.store(false, std::memory_order_relaxed);
    if (!source_.post(listing.worker, slot.request)) return Step::stopped;
    slot.posted = true;
    slot.owner = listing.id;
    slot.since = now;
  }
  return slot.posted && now - slot.since > patience ? Step::stalled : Step::wait;
}

Mailboxes::Step Mailboxes::take(Slot& slot, Listing& listing) {
  slot.turns.pop_front();
  listing.waiting = false;
  page_ = std::span(slot.sessions).first(std::min<std::size_t>(slot.request.filled, slot.sessions.size()));
  listing.total += page_.size();
  listing.cursor = slot.request.next;
  if (listing.cursor == 0) ++listing.worker;
  return Step::page;
}

void Mailboxes::abandon(const Listing& listing) {
  if (!listing.waiting || listing.worker >= slots_.size()) return;
  Slot& slot = *slots_[listing.worker];
  std::erase(slot.turns, listing.id);
  if (slot.owner == listing.id) slot.owner = 0;
}

}  // namespace braid::control
