// Open addressing from a 32-bit hash to a 32-bit value, eight bytes a slot, a fixed size, deletion without
// tombstones. What a value stands for, and whether it is the one looked for, its user says.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

namespace braid::engine {

class HashIndex {
 public:
  static constexpr std::uint32_t kNone = 0xffffffff;

  // Room for `entries` at a load of at most two thirds.
  explicit HashIndex(std::uint32_t entries)
      : mask_(std::bit_ceil(entries + entries / 2 + 8) - 1),
        slots_(mask_ + 1, Slot{0, kNone}),
        most_(entries) {}

  // First value under `hash` that `same` accepts, or kNone.
  template <class Same>
  [[nodiscard]] std::uint32_t find(std::uint32_t hash, Same&& same) const {
    for (std::uint32_t i = hash & mask_; slots_[i].value != kNone; i = (i + 1) & mask_)
      if (slots_[i].hash == hash && same(slots_[i].value)) return slots_[i].value;
    return kNone;
  }
  void prefetch(std::uint32_t hash) const { __builtin_prefetch(&slots_[hash & mask_]); }

  // False: the table is full. The caller has made sure that the entry is new.
  bool insert(std::uint32_t hash, std::uint32_t value) {
    if (size_ >= most_) return false;
    std::uint32_t i = hash & mask_;
    while (slots_[i].value != kNone) i = (i + 1) & mask_;
    slots_[i] = {hash, value};
    ++size_;
    return true;
  }

  // Removes the entry of exactly this hash and value; false when there is none.
  bool erase(std::uint32_t hash, std::uint32_t value) {
    std::uint32_t i = hash & mask_;
    while (slots_[i].hash != hash || slots_[i].value != value) {
      if (slots_[i].value == kNone) return false;
      i = (i + 1) & mask_;
    }
    // Entries behind the gap move up when their own place is not between the gap and them (Knuth 6.4 R).
    for (std::uint32_t j = (i + 1) & mask_; slots_[j].value != kNone; j = (j + 1) & mask_) {
      const std::uint32_t home = slots_[j].hash & mask_;
      if (((j - home) & mask_) < ((j - i) & mask_)) continue;
      slots_[i] = slots_[j];
      i = j;
    }
    slots_[i].value = kNone;
    --size_;
    return true;
  }

  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const Slot& s : slots_)
      if (s.value != kNone) visit(s.value);
  }

  [[nodiscard]] std::uint32_t size() const { return size_; }
  [[nodiscard]] std::size_t memory_bytes() const { return slots_.size() * sizeof(Slot); }

 private:
  struct Slot {
    std::uint32_t hash;
    std::uint32_t value;
  };
  std::uint32_t mask_;
  std::vector<Slot> slots_;
  std::uint32_t size_ = 0;
  std::uint32_t most_;
};

}  // namespace braid::engine
