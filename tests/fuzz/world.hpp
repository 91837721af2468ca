// What targets that run a whole world share: the kit's own checks, and the end that every world must come to.
#pragma once

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "fuzz/input.hpp"
#include "kit/lab.hpp"

namespace braid::fuzz {

[[noreturn]] inline void broken(const char* what, std::uint64_t number = 0) {
  std::fprintf(stderr, "broken: %s (%llu)\n", what, static_cast<unsigned long long>(number));
  std::abort();
}

// Short time-outs and small tables, so that a world ends soon and meets its bounds.
inline void set_bounds(relay::Settings& r, engine::Settings& e) {
  using namespace std::chrono_literals;
  r.idle = 60s;
  r.half_closed = 30s;
  r.listeners[0].profile.hold = 20s;
  e.timeouts.user = 60s;
  e.connections = 8;
  e.handshakes = 8;
}

// The operator asks for the sessions, and gets them.
inline void list_sessions(kit::Lab& l) {
  using namespace std::chrono_literals;
  std::array<engine::SessionInfo, 4> room;
  for (unsigned worker = 0; worker < l.gateway->workers(); ++worker) {
    engine::ListRequest request;
    request.out = room;
    if (!l.gateway->engine(worker).post(request)) broken("a request finds no room");
    // An engine that has nothing to do is given its turn by whoever asks.
    l.gateway->act(l.world.now());
    l.world.run_until([&request] { return request.done.load(); }, 1s);
    if (!request.done.load()) broken("a request is never answered", worker);
    if (request.filled > room.size()) broken("more sessions than room", request.filled);
  }
}

// What is left of each worker's objects, to begin the search with.
inline void print_use(kit::Lab& l) {
  for (unsigned worker = 0; worker < l.gateway->workers(); ++worker) {
    const auto use = l.gateway->engine(worker).use();
    std::fprintf(
        stderr,
        "worker %u: %u streams, %u subflows, %u sessions, %u pairs, %u redirects, %u flows, %u tokens\n",
        worker, use.streams, use.subflows, use.sessions, use.pairs, use.redirects, use.flows, use.tokens);
  }
}

// When both sides have gone silently, every session ends by its time-outs.
inline void expect_end(kit::Lab& l) {
  using namespace std::chrono_literals;
  if (l.client) l.client->die();
  for (auto& s : l.servers) s->die();
  if (!l.run([&l] { return l.gateway->in_use() == 0; }, 500s)) {
    print_use(l);
    const char* folder = std::getenv("BRAID_TEST_OUTPUT");
    l.world.save_captures(std::string(folder != nullptr ? folder : "/tmp") + "/braid-fuzz");
    broken("objects outlive every time-out", l.gateway->in_use());
  }
  if (l.gateway->counter(stats::Counter::invariant) != 0) broken("an invariant");
  l.close();  // its checks are the kit's, which end the process here
}

// Runs `world` once on the input; the kit's failed expectations end the process.
template <class World>
void run_world(World&& world, const std::uint8_t* data, std::size_t size) {
  GTEST_FLAG_SET(break_on_failure, true);
  kit::pool();
  const auto before = kit::buffers_in_use();
  Input in(data, size);
  world(in);
  if (kit::buffers_in_use() != before) broken("packet buffers leaked", kit::buffers_in_use() - before);
}

}  // namespace braid::fuzz
