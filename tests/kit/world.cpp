#include "kit/world.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.hpp"
#include "kit/link.hpp"

namespace braid::kit {

namespace {
constexpr Duration kWrapMicros = std::chrono::microseconds(1ULL << 32);

constexpr unsigned kStandstill = 200'000;

// A second before, or anywhere around, the wrap of the 32-bit microsecond clock.
Instant beginning(std::uint64_t seed) {
  Rng rng(seed);
  const auto offset = std::chrono::milliseconds(rng.below(7'200'000));
  if (seed % 4 == 0) return Instant(kWrapMicros - 1s - std::chrono::milliseconds(rng.below(1000)));
  return Instant(1s + offset);
}
}  // namespace

World::World(std::uint64_t seed) : seed_(seed), start_(beginning(seed)), now_(start_) {}

World::~World() = default;

Link& World::link(const LinkSpec& spec, Device& a, unsigned pa, Device& b, unsigned pb) {
  links_.push_back(std::make_unique<Link>(*this, spec, Link::End{&a, pa}, Link::End{&b, pb}));
  add(*links_.back());
  return *links_.back();
}

void World::at(Duration elapsed, std::function<void()> what) {
  plans_.emplace(start_ + elapsed, std::move(what));
}

Instant World::next_event() const {
  Instant next = plans_.empty() ? kNever : plans_.begin()->first;
  for (const Actor* a : actors_) next = std::min(next, a->next_at());
  return std::max(next, now_);
}

void World::advance(Instant to) {
  now_ = to;
  while (!plans_.empty() && plans_.begin()->first <= now_) {
    const auto what = std::move(plans_.begin()->second);
    plans_.erase(plans_.begin());
    what();
  }
  for (std::size_t i = 0; i < actors_.size(); ++i) {
    if (actors_[i]->next_at() > now_) continue;
    Actor& actor = *actors_[i];
    actor.act(now_);
    if (after_act) after_act(actor);
  }
}

bool World::run_until(const std::function<bool()>& done, Duration limit) {
  const Instant end = now_ + limit;
  unsigned still = 0;  // events since the clock last moved
  while (!done()) {
    const Instant next = next_event();
    still = next == now_ ? still + 1 : 0;
    if (still > kStandstill) {
      std::string who;
      for (std::size_t i = 0; i < actors_.size(); ++i)
        if (actors_[i]->next_at() <= now_) who += " " + actors_[i]->name();
      ADD_FAILURE() << "the world stands still at " << elapsed().count()
                    << " ns: want to act again and again:" << who;
      return false;
    }
    if (next > end) {
      now_ = end;
      return done();
    }
    advance(next);
  }
  return true;
}

void World::run_for(Duration d) {
  run_until([] { return false; }, d);
}

std::vector<std::string> World::save_captures(const std::string& stem) const {
  std::vector<std::string> names;
  for (const auto& link : links_) {
    const std::string name = stem + "-" + link->spec().name + ".pcapng";
    if (write_pcapng(name, link->spec().name, link->captured())) names.push_back(name);
  }
  return names;
}

}  // namespace braid::kit
