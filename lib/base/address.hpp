// Addresses as values. IPv4 is kept as an IPv4-mapped IPv6 address (RFC 4291 2.5.5.2), so that tables and
// tuples have one form; `is_v4()` tells which header a packet gets.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace braid {

// Packed to two bytes' alignment: a Flow then takes 36 bytes, and every connection holds one.
struct [[gnu::packed, gnu::aligned(2)]] Ip {
  std::uint64_t hi = 0;  // host order, most significant 64 bits
  std::uint64_t lo = 0;

  static constexpr Ip v4(std::uint32_t host_order) { return {0, 0x0000'ffff'0000'0000ULL | host_order}; }
  static constexpr Ip v6(std::uint64_t hi, std::uint64_t lo) { return {hi, lo}; }

  [[nodiscard]] constexpr bool is_v4() const { return hi == 0 && (lo >> 32) == 0xffff; }
  [[nodiscard]] constexpr std::uint32_t v4() const { return static_cast<std::uint32_t>(lo); }
  [[nodiscard]] constexpr bool is_unset() const { return hi == 0 && lo == 0; }
  // Group addresses, the limited broadcast and 0/8 can be no end of a TCP connection (RFC 9293 3.9.2.3).
  [[nodiscard]] bool is_unicast() const;
  [[nodiscard]] bool is_link_local() const;

  friend constexpr bool operator==(const Ip& a, const Ip& b) { return a.hi == b.hi && a.lo == b.lo; }
  friend constexpr std::strong_ordering operator<=>(const Ip& a, const Ip& b) {
    const std::uint64_t ah = a.hi, bh = b.hi, al = a.lo, bl = b.lo;
    return ah != bh ? ah <=> bh : al <=> bl;
  }
};

struct Mac {
  std::array<std::uint8_t, 6> bytes{};
  [[nodiscard]] constexpr bool is_group() const { return (bytes[0] & 1) != 0; }
  friend constexpr auto operator<=>(const Mac&, const Mac&) = default;
};

struct Endpoint {
  Ip ip;
  std::uint16_t port = 0;  // host order
  friend constexpr auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

// A TCP connection's name as one end sees it.
struct Flow {
  Endpoint local;
  Endpoint remote;
  friend constexpr auto operator<=>(const Flow&, const Flow&) = default;
};

// `length` counts in the address's own family: 0..32 for IPv4, 0..128 for IPv6.
struct Prefix {
  Ip ip;
  std::uint8_t length = 0;
  [[nodiscard]] bool contains(const Ip& a) const;
  // The first and the last address of an IPv4 network, which name all of it and no host (RFC 1122 3.2.1.3); a
  // network of one or two addresses has none (RFC 3021).
  [[nodiscard]] bool is_no_host(const Ip& a) const;
  friend constexpr auto operator<=>(const Prefix&, const Prefix&) = default;
};

// Text to value; nothing on any error. No surrounding blanks, no scope id, no octal trick: what
// inet_pton(3) accepts, and for endpoints "192.0.2.1:80" or "[2001:db8::1]:80".
std::optional<Ip> parse_ip(std::string_view text);
std::optional<Mac> parse_mac(std::string_view text);
std::optional<Prefix> parse_prefix(std::string_view text);
std::optional<Endpoint> parse_endpoint(std::string_view text);

std::string to_string(const Ip& ip);
std::string to_string(const Mac& mac);
std::string to_string(const Prefix& prefix);
std::string to_string(const Endpoint& endpoint);
std::string to_string(const Flow& flow);

}  // namespace braid
