#include "engine/presence.hpp"

#include <algorithm>

#include "engine/engine.hpp"

namespace braid::engine {

Presence::Presence(const std::vector<relay::Listener>& listeners) : here_(listeners.size(), ~0ULL) {
  for (std::size_t l = 0; l < listeners.size(); ++l)
    for (std::size_t i = 0; i < listeners[l].announce_addresses.size(); ++i)
      addresses_.push_back({.ip = listeners[l].announce_addresses[i].ip, .listener = l, .bit = 1ULL << i});
}

bool Presence::look(Instant now, const wire::RouteTable& routes) {
  if (routes.generation != generation_) read(now, routes);
  return now >= due_ && settle(now);
}

void Presence::read(Instant now, const wire::RouteTable& routes) {
  generation_ = routes.generation;
  due_ = kNever;
  for (Address& a : addresses_) {
    a.ours |= routes.is_local(a.ip);
    const bool is_here = !a.ours || routes.is_served(a.ip);
    const bool was_here = (here_[a.listener] & a.bit) != 0;
    a.turns = is_here == was_here ? kNever : std::min(a.turns, now + kMoment);
    due_ = std::min(due_, a.turns);
  }
}

bool Presence::settle(Instant now) {
  bool changed = false;
  due_ = kNever;
  for (Address& a : addresses_) {
    if (a.turns <= now) {
      here_[a.listener] ^= a.bit;
      a.turns = kNever;
      changed = true;
    }
    due_ = std::min(due_, a.turns);
  }
  return changed;
}

std::uint64_t Engine::addresses_here(const mptcp::Session& session) const {
  const auto* pair = static_cast<const relay::Pair*>(session.user);
  if (pair == nullptr) return ~0ULL;  // its pair is gone, and soon so is it
  return presence_.here(static_cast<std::size_t>(&pair->listener() - settings_.relay->listeners.data()));
}

// After a change all sessions are told, a few each time.
void Engine::tell_addresses() {
  constexpr unsigned kPerTurn = 64;
  if (presence_.look(ctx_.now, *ctx_.routes)) pairs_to_tell_ = static_cast<std::uint32_t>(pair_live_.size());
  for (unsigned i = 0; i < kPerTurn && pairs_to_tell_ != 0; ++i, --pairs_to_tell_) {
    if (++last_told_ >= pair_live_.size()) last_told_ = 0;
    if (pair_live_[last_told_] == 0) continue;
    auto* session = dynamic_cast<mptcp::Session*>(&pairs_.at(last_told_)->client());
    if (session != nullptr) session->addresses_changed(ctx_);
  }
}

}  // namespace braid::engine
