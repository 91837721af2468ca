// A slab of equal objects with a hard bound, allocated once. Objects keep their address and their index.
// Memory is touched only as far as the highest index ever used, so a generous bound costs nothing until
// reached.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <utility>

namespace braid {

template <class T>
class Pool {
 public:
  explicit Pool(std::uint32_t capacity) : capacity_(capacity), slots_(allocate(capacity)) {}
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // A new object, or nullptr when the bound is reached (or a test asked for failures).
  template <class... Args>
  T* get(Args&&... args) {
    if ((fail_every_ != 0 && ++asked_ % fail_every_ == 0) || (refuse_ != nullptr && refuse_())) {
      ++refused_;
      return nullptr;
    }
    Slot* slot = free_;
    if (slot != nullptr) {
      free_ = slot->next;
    } else if (touched_ < capacity_) {
      slot = &slots_.get()[touched_++];
    } else {
      ++refused_;
      return nullptr;
    }
    ++in_use_;
    return ::new (static_cast<void*>(slot)) T(std::forward<Args>(args)...);
  }

  void put(T* object) {
    object->~T();
    auto* slot = reinterpret_cast<Slot*>(object);
    slot->next = free_;
    free_ = slot;
    --in_use_;
  }

  [[nodiscard]] std::uint32_t index_of(const T* object) const {
    return static_cast<std::uint32_t>(reinterpret_cast<const Slot*>(object) - slots_.get());
  }
  // Only for an index that a live object returned.
  [[nodiscard]] T* at(std::uint32_t index) const { return reinterpret_cast<T*>(&slots_.get()[index]); }

  [[nodiscard]] std::uint32_t in_use() const { return in_use_; }
  [[nodiscard]] std::uint32_t capacity() const { return capacity_; }
  [[nodiscard]] std::uint64_t refused() const { return refused_; }

  // Test hook: every n-th request fails (0: none).
  void fail_every(std::uint32_t n) {
    fail_every_ = n;
    asked_ = 0;
  }
  // Test hook: asked before each request, true: it fails. nullptr: none is asked.
  void refuse_when(bool (*refuse)()) { refuse_ = refuse; }

 private:
  union Slot {
    Slot* next;
    alignas(alignof(T)) std::byte bytes[sizeof(T)];
  };
  struct Free {
    void operator()(Slot* p) const { std::free(p); }
  };
  static constexpr std::size_t kAlign = alignof(Slot) > 64 ? alignof(Slot) : 64;

  static std::unique_ptr<Slot, Free> allocate(std::uint32_t n) {
    const std::size_t bytes = (sizeof(Slot) * n + kAlign - 1) / kAlign * kAlign;
    auto* p = static_cast<Slot*>(std::aligned_alloc(kAlign, bytes == 0 ? kAlign : bytes));
    if (p == nullptr) throw std::bad_alloc();
    return std::unique_ptr<Slot, Free>(p);
  }

  std::uint32_t capacity_;
  std::uint32_t touched_ = 0;
  std::uint32_t in_use_ = 0;
  std::uint32_t fail_every_ = 0;
  bool (*refuse_)() = nullptr;
  std::uint64_t asked_ = 0;
  std::uint64_t refused_ = 0;
  Slot* free_ = nullptr;
  std::unique_ptr<Slot, Free> slots_;
};

}  // namespace braid
