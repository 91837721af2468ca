// Time stamps for code of a few hundred cycles, and what noisy rounds are reduced to.
#pragma once

#include <rte_cycles.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace braid::perf {

// Cycles of the time stamp counter. Nothing before the call runs on after it, nothing behind it begins
// earlier.
inline std::uint64_t stamp() {
#if defined(__x86_64__)
  _mm_lfence();
  const std::uint64_t t = __rdtsc();
  _mm_lfence();
  return t;
#else
  return rte_rdtsc_precise();
#endif
}

// The value below which `share` of all lie (0.5: the median); 0 of none.
inline double quantile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  const auto at = static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size()));
  const auto where = values.begin() + std::min(at, static_cast<std::ptrdiff_t>(values.size()) - 1);
  std::nth_element(values.begin(), where, values.end());
  return *where;
}
inline double median(const std::vector<double>& values) { return quantile(values, 0.5); }

}  // namespace braid::perf
