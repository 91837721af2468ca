// A world in virtual time: actors that want to do something at some instant, and devices that links join. The
// world jumps from event to event; nothing in it reads a clock.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "kit/packet.hpp"

namespace braid::kit {

using namespace std::chrono_literals;

class Actor {
 public:
  virtual ~Actor() = default;
  // When it next wants to act; kNever: not before something happens to it.
  [[nodiscard]] virtual Instant next_at() const = 0;
  virtual void act(Instant now) = 0;
  [[nodiscard]] virtual std::string name() const = 0;
};

// Something with ports that packets come in by.
class Device {
 public:
  virtual ~Device() = default;
  virtual void take(Instant now, unsigned port, Packet packet) = 0;
};

class Link;
struct LinkSpec;

class World {
 public:
  // Everything random in the world follows from `seed`; its clock starts at an instant that does too, so that
  // wrapping time stamps are met by some seeds.
  explicit World(std::uint64_t seed);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  [[nodiscard]] Instant now() const { return now_; }
  [[nodiscard]] Instant start() const { return start_; }
  // Time since the world's beginning.
  [[nodiscard]] Duration elapsed() const { return now_ - start_; }
  [[nodiscard]] std::uint64_t seed() const { return seed_; }

  void add(Actor& actor) { actors_.push_back(&actor); }
  void remove(Actor& actor) { std::erase(actors_, &actor); }
  // A link between port `pa` of `a` and port `pb` of `b`.
  Link& link(const LinkSpec& spec, Device& a, unsigned pa, Device& b, unsigned pb);
  // Runs `what` at `elapsed` since the beginning.
  void at(Duration elapsed, std::function<void()> what);

  // Runs until `done` or until `limit` has passed; true when `done` was the reason.
  bool run_until(const std::function<bool()>& done, Duration limit);
  void run_for(Duration d);
  // When something next happens; kNever. Never in the past.
  [[nodiscard]] Instant next_event() const;
  // Sets the clock to `to`, and lets everything happen that is due then.
  void advance(Instant to);

  [[nodiscard]] const std::vector<std::unique_ptr<Link>>& links() const { return links_; }
  // Called after each step of an actor, and with each packet that a device sends into a link.
  std::function<void(Actor&)> after_act{};
  std::function<void(const Device& from, const Packet&)> on_send{};

  // Writes each link's packets to a file and returns the names.
  std::vector<std::string> save_captures(const std::string& stem) const;

 private:
  std::uint64_t seed_;
  Instant start_;
  Instant now_;
  std::vector<Actor*> actors_;
  std::vector<std::unique_ptr<Link>> links_;
  std::multimap<Instant, std::function<void()>> plans_;
};

}  // namespace braid::kit
