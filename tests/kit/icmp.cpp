#include "kit/icmp.hpp"

#include <algorithm>

namespace braid::kit {

namespace {

void put16(Packet& p, std::size_t at, std::uint32_t v) {
  p[at] = static_cast<std::byte>(v >> 8);
  p[at + 1] = static_cast<std::byte>(v);
}

// RFC 1071 by the book, over [from, to).
std::uint32_t sum(const Packet& p, std::size_t from, std::size_t to) {
  std::uint32_t s = 0;
  for (std::size_t i = from; i < to; ++i) {
    const auto byte = std::to_integer<std::uint32_t>(p[i]);
    s += (i - from) % 2 == 0 ? byte << 8 : byte;
  }
  return s;
}

std::uint32_t checksum(std::uint32_t s) {
  while (s >> 16 != 0) s = (s & 0xffff) + (s >> 16);
  return ~s & 0xffff;
}

constexpr std::size_t kEthernet = 14;

Packet ethernet_back(const Packet& dropped) {
  Packet p(dropped.begin() + 6, dropped.begin() + 12);  // to who sent it
  p.insert(p.end(), dropped.begin(), dropped.begin() + 6);
  p.insert(p.end(), dropped.begin() + 12, dropped.begin() + 14);
  return p;
}

void append(Packet& p, const Packet& from, std::size_t at, std::size_t n) {
  const auto begin = from.begin() + static_cast<std::ptrdiff_t>(at);
  p.insert(p.end(), begin, begin + static_cast<std::ptrdiff_t>(std::min(n, from.size() - at)));
}

}  // namespace

namespace {

struct Word {
  int type_v4, code_v4, type_v6;
  std::uint16_t mtu = 0;
};

Packet about(const Packet& dropped, const Word& word) {
  Packet p = ethernet_back(dropped);
  const bool v4 = std::to_integer<int>(dropped[kEthernet]) >> 4 == 4;
  const std::size_t header = v4 ? 20 : 40;
  p.resize(kEthernet + header + 8);
  if (v4) {
    append(p, dropped, kEthernet, 28);
    p[14] = std::byte{0x45};
    put16(p, 16, static_cast<std::uint32_t>(p.size() - kEthernet));
    p[22] = std::byte{64};
    p[23] = std::byte{1};
    std::copy_n(dropped.begin() + 30, 4, p.begin() + 26);  // from its destination, for all that matters
    std::copy_n(dropped.begin() + 26, 4, p.begin() + 30);
    put16(p, 24, checksum(sum(p, kEthernet, kEthernet + 20)));
    p[34] = static_cast<std::byte>(word.type_v4);
    p[35] = static_cast<std::byte>(word.code_v4);
    put16(p, 40, word.mtu);
    put16(p, 36, checksum(sum(p, 34, p.size())));
    return p;
  }
  append(p, dropped, kEthernet, 1232);
  p[14] = std::byte{0x60};
  const auto length = static_cast<std::uint32_t>(p.size() - kEthernet - 40);
  put16(p, 18, length);
  p[20] = std::byte{58};
  p[21] = std::byte{64};
  std::copy_n(dropped.begin() + 38, 16, p.begin() + 22);
  std::copy_n(dropped.begin() + 22, 16, p.begin() + 38);
  p[54] = static_cast<std::byte>(word.type_v6);
  put16(p, 60, word.mtu);
  put16(p, 56, checksum(sum(p, 22, 54) + length + 58 + sum(p, 54, p.size())));
  return p;
}

}  // namespace

Packet too_big(const Packet& dropped, std::uint16_t mtu) { return about(dropped, {3, 4, 2, mtu}); }

Packet unreachable(const Packet& dropped) { return about(dropped, {3, 1, 1}); }

}  // namespace braid::kit
