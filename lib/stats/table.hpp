// A table of counters indexed by a closed enum. One writer; any thread may read. Written with relaxed plain
// stores, so the generated code has no locked instruction.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace braid::stats {

template <class Id>  // Id: an enum class with a last member `count_`
class Table {
 public:
  static constexpr std::size_t kSize = static_cast<std::size_t>(Id::count_);

  void add(Id id, std::uint64_t n = 1) { set(id, slot(id) + n); }
  void set(Id id, std::uint64_t value) { std::atomic_ref(slot(id)).store(value, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t operator[](Id id) const {
    auto& s = const_cast<std::uint64_t&>(values_[static_cast<std::size_t>(id)]);
    return std::atomic_ref(s).load(std::memory_order_relaxed);
  }

 private:
  std::uint64_t& slot(Id id) { return values_[static_cast<std::size_t>(id)]; }
  std::array<std::uint64_t, kSize> values_{};
};

struct Description {
  const char* name;  // the metric label or the family's stem, snake_case
  const char* text;  // one English line for help texts and `braidctl`
};

}  // namespace braid::stats
