// A fuzz target's input as a row of choices; what is beyond its end is 0.
#pragma once

#include <cstddef>
#include <cstdint>

namespace braid::fuzz {

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}

  template <class T>
  T take() {
    T v{};
    for (std::size_t i = 0; i < sizeof(T) && left_ != 0; ++i, --left_)
      v = static_cast<T>(static_cast<std::uint64_t>(v) << 8 | *data_++);
    return v;
  }
  // As of Rng, so that an input can stand for one.
  std::uint32_t next32() { return take<std::uint32_t>(); }
  std::uint32_t below(std::uint32_t bound) {
    return (bound <= 0x100     ? take<std::uint8_t>()
            : bound <= 0x10000 ? take<std::uint16_t>()
                               : take<std::uint32_t>()) %
           bound;
  }
  bool flag() { return (take<std::uint8_t>() & 1) != 0; }
  [[nodiscard]] bool empty() const { return left_ == 0; }

 private:
  const std::uint8_t* data_;
  std::size_t left_;
};

}  // namespace braid::fuzz
