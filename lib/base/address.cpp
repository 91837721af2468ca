#include "base/address.hpp"

#include <arpa/inet.h>

#include <charconv>
#include <cstdio>
#include <cstring>

#include "base/bytes.hpp"

namespace braid {

bool Ip::is_unicast() const {
  if (is_v4()) {
    const auto first = v4() >> 24;
    return first != 0 && first < 224;
  }
  return !is_unset() && (hi >> 56) != 0xff;
}

bool Ip::is_link_local() const { return is_v4() ? (v4() >> 16) == 0xa9fe : (hi >> 54) == (0xfe80ULL >> 6); }

bool Prefix::contains(const Ip& a) const {
  if (a.is_v4() != ip.is_v4()) return false;
  unsigned bits = ip.is_v4() ? length + 96U : length;
  if (bits == 0) return true;
  const auto mask = [](unsigned n) { return n == 0 ? 0 : ~0ULL << (64 - n); };
  const auto hi_mask = mask(bits >= 64 ? 64 : bits);
  const auto lo_mask = mask(bits > 64 ? bits - 64 : 0);
  return (a.hi & hi_mask) == (ip.hi & hi_mask) && (a.lo & lo_mask) == (ip.lo & lo_mask);
}

bool Prefix::is_no_host(const Ip& a) const {
  if (!a.is_v4() || length > 30 || !contains(a)) return false;
  const std::uint32_t host = ~0U >> length;
  return (a.v4() & host) == 0 || (a.v4() & host) == host;
}

std::optional<Ip> parse_ip(std::string_view text) {
  char buf[INET6_ADDRSTRLEN];
  if (text.empty() || text.size() >= sizeof buf || text.find('\0') != std::string_view::npos) return {};
  std::memcpy(buf, text.data(), text.size());
  buf[text.size()] = '\0';
  std::array<std::byte, 16> raw{};
  if (inet_pton(AF_INET, buf, raw.data()) == 1) return Ip::v4(load_be<std::uint32_t>(raw.data()));
  if (inet_pton(AF_INET6, buf, raw.data()) == 1)
    return Ip::v6(load_be<std::uint64_t>(raw.data()), load_be<std::uint64_t>(raw.data() + 8));
  return {};
}

std::optional<Mac> parse_mac(std::string_view text) {
  if (text.size() != 17) return {};
  Mac mac;
  for (std::size_t i = 0; i < 6; ++i) {
    const char* p = text.data() + i * 3;
    if (i < 5 && p[2] != ':') return {};
    const auto [end, err] = std::from_chars(p, p + 2, mac.bytes[i], 16);
    if (err != std::errc{} || end != p + 2) return {};
  }
  return mac;
}

namespace {
std::optional<unsigned> parse_number(std::string_view text, unsigned max) {
  unsigned v = 0;
  const auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), v);
  if (text.empty() || err != std::errc{} || end != text.data() + text.size() || v > max) return {};
  if (text.size() > 1 && text.front() == '0') return {};
  return v;
}
}  // namespace

std::optional<Prefix> parse_prefix(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return {};
  const auto ip = parse_ip(text.substr(0, slash));
  if (!ip) return {};
  const auto length = parse_number(text.substr(slash + 1), ip->is_v4() ? 32 : 128);
  if (!length) return {};
  return Prefix{*ip, static_cast<std::uint8_t>(*length)};
}

std::optional<Endpoint> parse_endpoint(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return {};
  auto host = text.substr(0, colon);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto ip = parse_ip(host);
  const auto port = parse_number(text.substr(colon + 1), 65535);
  if (!ip || !port || ip->is_v4() == bracketed) return {};
  return Endpoint{*ip, static_cast<std::uint16_t>(*port)};
}

std::string to_string(const Ip& ip) {
  std::array<std::byte, 16> raw{};
  char buf[INET6_ADDRSTRLEN];
  if (ip.is_v4()) {
    store_be(raw.data(), ip.v4());
    return inet_ntop(AF_INET, raw.data(), buf, sizeof buf);
  }
  store_be(raw.data(), ip.hi);
  store_be(raw.data() + 8, ip.lo);
  return inet_ntop(AF_INET6, raw.data(), buf, sizeof buf);
}

std::string to_string(const Mac& mac) {
  char buf[18];
  const auto& b = mac.bytes;
  std::snprintf(buf, sizeof buf, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
  return buf;
}

std::string to_string(const Prefix& prefix) {
  return to_string(prefix.ip) + "/" + std::to_string(prefix.length);
}

std::string to_string(const Endpoint& endpoint) {
  const auto host = to_string(endpoint.ip);
  return (endpoint.ip.is_v4() ? host : "[" + host + "]") + ":" + std::to_string(endpoint.port);
}

std::string to_string(const Flow& flow) { return to_string(flow.remote) + " > " + to_string(flow.local); }

}  // namespace braid
