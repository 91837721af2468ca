#include "stats/counters.hpp"

namespace braid::stats {

namespace {
#define X(id, text) Description{#id, text},
constexpr Description kDrops[] = {BRAID_DROPS(X)};
constexpr Description kCounters[] = {BRAID_COUNTERS(X)};
constexpr Description kFallbacks[] = {BRAID_FALLBACKS(X)};
constexpr Description kJoins[] = {BRAID_JOINS(X)};
constexpr Description kRstReasons[] = {BRAID_RST_REASONS(X)};
#undef X
}  // namespace

std::span<const Description> descriptions(Drop) { return kDrops; }
std::span<const Description> descriptions(Counter) { return kCounters; }
std::span<const Description> descriptions(Fallback) { return kFallbacks; }
std::span<const Description> descriptions(Join) { return kJoins; }
std::span<const Description> descriptions(RstReason) { return kRstReasons; }

}  // namespace braid::stats
