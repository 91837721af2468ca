// Big-endian cursors that cannot overrun: after a short read or write `ok()` is false and stays false.
#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace braid {

using ByteView = std::span<const std::byte>;
using ByteSpan = std::span<std::byte>;

static_assert(std::endian::native == std::endian::little, "byte orders are swapped unconditionally");

template <std::unsigned_integral T>
constexpr T from_be(T v) {
  if constexpr (sizeof(T) == 1) {
    return v;
  } else if constexpr (sizeof(T) == 2) {
    return __builtin_bswap16(v);
  } else if constexpr (sizeof(T) == 4) {
    return __builtin_bswap32(v);
  } else {
    return __builtin_bswap64(v);
  }
}

// Unchecked big-endian load and store, for offsets that a length check already covers.
template <std::unsigned_integral T>
inline T load_be(const std::byte* p) {
  T v;
  std::memcpy(&v, p, sizeof v);
  return from_be(v);
}

template <std::unsigned_integral T>
inline void store_be(std::byte* p, T v) {
  v = from_be(v);
  std::memcpy(p, &v, sizeof v);
}

class Reader {
 public:
  explicit Reader(ByteView bytes) : rest_(bytes) {}

  template <std::unsigned_integral T>
  T be() {
    if (rest_.size() < sizeof(T)) {
      fail();
      return {};
    }
    const T v = load_be<T>(rest_.data());
    rest_ = rest_.subspan(sizeof(T));
    return v;
  }

  ByteView take(std::size_t n) {
    if (rest_.size() < n) {
      fail();
      return {};
    }
    const auto out = rest_.first(n);
    rest_ = rest_.subspan(n);
    return out;
  }

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] std::size_t left() const { return rest_.size(); }

 private:
  void fail() {
    ok_ = false;
    rest_ = {};
  }
  ByteView rest_;
  bool ok_ = true;
};

class Writer {
 public:
  explicit Writer(ByteSpan room) : begin_(room.data()), rest_(room) {}

  template <std::unsigned_integral T>
  void be(T v) {
    if (rest_.size() < sizeof(T)) {
      ok_ = false;
      return;
    }
    store_be(rest_.data(), v);
    rest_ = rest_.subspan(sizeof(T));
  }

  void bytes(ByteView v) {
    if (rest_.size() < v.size()) {
      ok_ = false;
      return;
    }
    if (!v.empty()) std::memcpy(rest_.data(), v.data(), v.size());
    rest_ = rest_.subspan(v.size());
  }

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] std::size_t written() const { return static_cast<std::size_t>(rest_.data() - begin_); }
  [[nodiscard]] std::size_t left() const { return rest_.size(); }

 private:
  std::byte* begin_;
  ByteSpan rest_;
  bool ok_ = true;
};

}  // namespace braid
