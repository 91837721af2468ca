#include "kit/profiles.hpp"

#include <algorithm>
#include <array>

namespace braid::kit {

namespace {

// Bytes that leave at `rate` (bit/s) in that time.
std::size_t worth(Duration time, double rate) {
  return static_cast<std::size_t>(rate / 8 * static_cast<double>(time.count()) / 1e9);
}

LinkSpec mobile() {
  LinkSpec s{.name = "mobile", .delay = 25ms, .queue = worth(300ms, 30e6)};
  s.trace = std::make_shared<const Trace>(Trace::mobile(30e6, 1));
  return s;
}

// Delays are one way; queues in time are measured at the rate toward the client.
const std::array<LinkSpec, 9>& all() {
  static const std::array<LinkSpec, 9> list{
      LinkSpec{.name = "dsl", .rate = 20e6, .rate_up = 5e6, .delay = 12ms, .queue = worth(100ms, 20e6)},
      LinkSpec{.name = "lte",
               .rate = 50e6,
               .rate_up = 20e6,
               .delay = 25ms,
               .jitter = 8ms,
               .queue = worth(150ms, 50e6),
               .fade = 0.002},
      LinkSpec{.name = "satellite",
               .rate = 100e6,
               .rate_up = 10e6,
               .delay = 30ms,
               .queue = worth(100ms, 100e6),
               .hole = 300ms,
               .hole_every = 15s},
      LinkSpec{.name = "wifi",
               .rate = 30e6,
               .delay = 5ms,
               .queue = worth(100ms, 30e6),
               .loss = 0.03,
               .reorder = 0.01,
               .displacement = 10ms},
      LinkSpec{.name = "bloat", .rate = 5e6, .delay = 10ms, .queue = worth(1s, 5e6)},
      LinkSpec{.name = "shallow", .rate = 10e6, .delay = 10ms, .queue_packets = 50},
      LinkSpec{.name = "flaky",
               .rate = 20e6,
               .delay = 15ms,
               .queue = worth(100ms, 20e6),
               .hole = 2s,
               .hole_every = 20s},
      LinkSpec{
          .name = "asymmetric", .rate = 50e6, .rate_up = 0.5e6, .delay = 10ms, .queue = worth(100ms, 50e6)},
      mobile(),
  };
  return list;
}

}  // namespace

std::optional<LinkSpec> profile(std::string_view name) {
  const auto found =
      std::find_if(all().begin(), all().end(), [&](const LinkSpec& s) { return s.name == name; });
  if (found == all().end()) return {};
  return *found;
}

std::vector<std::string> profile_names() {
  std::vector<std::string> names;
  for (const LinkSpec& s : all()) names.push_back(s.name);
  return names;
}

}  // namespace braid::kit
