// Frames for tests, built by means that share no code with the library under test.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/random.hpp"

namespace braid::wire::test {

using Bytes = std::vector<std::byte>;

inline Bytes raw(std::initializer_list<int> values) {
  Bytes out;
  for (const int v : values) out.push_back(static_cast<std::byte>(v));
  return out;
}

// Bytes of a hexadecimal text; blanks are ignored.
inline Bytes hex(std::string_view text) {
  Bytes out;
  int half = -1;
  for (const char c : text) {
    if (c == ' ') continue;
    const int digit = c <= '9' ? c - '0' : c - 'a' + 10;
    if (half < 0) {
      half = digit;
    } else {
      out.push_back(static_cast<std::byte>(half << 4 | digit));
      half = -1;
    }
  }
  return out;
}

inline Bytes random_bytes(Rng& rng, std::size_t n) {
  Bytes out(n);
  for (auto& b : out) b = static_cast<std::byte>(rng.next());
  return out;
}

inline void append(Bytes& out, const Bytes& more) { out.insert(out.end(), more.begin(), more.end()); }
inline void append16(Bytes& out, unsigned v) {
  append(out, raw({static_cast<int>(v >> 8 & 0xff), static_cast<int>(v & 0xff)}));
}
inline void append32(Bytes& out, std::uint32_t v) {
  append16(out, v >> 16);
  append16(out, v & 0xffff);
}
inline void set16(Bytes& out, std::size_t at, unsigned v) {
  out[at] = static_cast<std::byte>(v >> 8);
  out[at + 1] = static_cast<std::byte>(v);
}

// RFC 1071, one word after the other.
inline std::uint16_t naive_sum(const Bytes& bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    sum += std::to_integer<std::uint32_t>(bytes[i]) << 8;
    if (i + 1 < bytes.size()) sum += std::to_integer<std::uint32_t>(bytes[i + 1]);
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<std::uint16_t>(sum);
}

inline Bytes address_bytes(const Ip& ip) {
  Bytes out;
  if (!ip.is_v4()) {
    for (const std::uint64_t half : {ip.hi, ip.lo}) {
      append32(out, static_cast<std::uint32_t>(half >> 32));
      append32(out, static_cast<std::uint32_t>(half));
    }
  } else {
    append32(out, ip.v4());
  }
  return out;
}

// A frame by parts. `build()` fills in lengths and right checksums.
struct FrameSpec {
  Ip source = Ip::v4(0xc6120102);
  Ip destination = Ip::v4(0xc6120001);
  std::uint8_t flags = 0x10;
  std::uint8_t tos = 0;
  std::uint16_t fragment = 0x4000;  // IPv4 flags and offset
  std::uint8_t protocol = 6;        // behind extension headers
  Bytes ip_options;                 // IPv4
  std::uint8_t first_next = 6;      // IPv6: what the fixed header announces
  Bytes extensions;                 // IPv6, chained by the caller
  Bytes options;
  Bytes payload;
  Bytes padding;  // behind the IP packet

  [[nodiscard]] Bytes segment() const {
    Bytes tcp;
    append16(tcp, 40000);
    append16(tcp, 443);
    append32(tcp, 0x01020304);
    append32(tcp, 0x0a0b0c0d);
    append16(tcp, static_cast<unsigned>((20 + options.size()) / 4 << 12 | flags));
    append16(tcp, 0x7fff);
    append32(tcp, 0);
    append(tcp, options);
    append(tcp, payload);
    Bytes pseudo = address_bytes(source);
    append(pseudo, address_bytes(destination));
    append32(pseudo, static_cast<std::uint32_t>(tcp.size()));
    append32(pseudo, 6);
    append(pseudo, tcp);
    set16(tcp, 16, static_cast<std::uint16_t>(~naive_sum(pseudo)));
    return tcp;
  }

  [[nodiscard]] Bytes build() const {
    Bytes out = hex("020000000001 020000000002");
    const Bytes tcp = segment();
    append16(out, source.is_v4() ? 0x0800 : 0x86dd);
    append(out, source.is_v4() ? ipv4(tcp.size()) : ipv6(tcp.size()));
    append(out, tcp);
    append(out, padding);
    return out;
  }

 private:
  [[nodiscard]] Bytes ipv4(std::size_t tcp_length) const {
    const std::size_t header = 20 + ip_options.size();
    Bytes ip = raw({static_cast<int>(0x40 | header / 4), tos});
    append16(ip, static_cast<unsigned>(header + tcp_length));
    append16(ip, 0x1234);
    append16(ip, fragment);
    append(ip, raw({61, protocol, 0, 0}));
    append(ip, address_bytes(source));
    append(ip, address_bytes(destination));
    append(ip, ip_options);
    set16(ip, 10, static_cast<std::uint16_t>(~naive_sum(ip)));
    return ip;
  }
  [[nodiscard]] Bytes ipv6(std::size_t tcp_length) const {
    Bytes ip;
    append32(ip, 0x60000000U | static_cast<std::uint32_t>(tos) << 20 | 0xabcde);
    append16(ip, static_cast<unsigned>(extensions.size() + tcp_length));
    append(ip, raw({first_next, 61}));
    append(ip, address_bytes(source));
    append(ip, address_bytes(destination));
    append(ip, extensions);
    return ip;
  }
};

inline FrameSpec v6_spec() {
  FrameSpec s;
  s.source = Ip::v6(0x2001'0db8'0000'0001, 2);
  s.destination = Ip::v6(0x2001'0db8'0000'0002, 1);
  return s;
}

}  // namespace braid::wire::test
