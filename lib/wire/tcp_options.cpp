#include "wire/tcp_options.hpp"

#include <algorithm>

namespace braid::wire {

namespace {

enum Kind : std::uint8_t {
  kEnd = 0,
  kNop = 1,
  kMss = 2,
  kWindowScale = 3,
  kSackPermitted = 4,
  kSack = 5,
  kTimestamps = 8
};

// NOP NOP, timestamps, 10: how practically every segment in mid-connection begins (RFC 7323 appendix A).
constexpr std::uint32_t kAlignedTimestamps = 0x0101080a;

void read_timestamps(const std::byte* p, TcpOptions& out) {
  out.has_timestamps = true;
  out.ts_value = load_be<std::uint32_t>(p);
  out.ts_echo = load_be<std::uint32_t>(p + 4);
}

bool read_sack(ByteView body, TcpOptions& out) {
  if (body.empty() || body.size() % 8 != 0 || body.size() / 8 > out.sack.size()) return false;
  out.sack_count = static_cast<std::uint8_t>(body.size() / 8);
  for (std::size_t i = 0; i < out.sack_count; ++i) {
    out.sack[i].begin = SubSeq(load_be<std::uint32_t>(body.data() + i * 8));
    out.sack[i].end = SubSeq(load_be<std::uint32_t>(body.data() + i * 8 + 4));
  }
  return true;
}

// One option but for the one-byte kinds. False: malformed, or on a segment where it has no meaning.
bool read_option(std::uint8_t kind, ByteView option, std::uint8_t flags, std::size_t payload,
                 TcpOptions& out) {
  const ByteView body = option.subspan(2);
  const bool syn = (flags & kSyn) != 0;
  switch (kind) {
    case kMss:
      if (body.size() != 2 || !syn) return false;
      out.has_mss = true;
      out.mss = load_be<std::uint16_t>(body.data());
      return true;
    case kWindowScale:
      if (body.size() != 1 || !syn) return false;  // RFC 7323 2.2: only in a SYN
      out.has_window_scale = true;
      out.window_scale = std::min<std::uint8_t>(std::to_integer<std::uint8_t>(body[0]), 14);
      return true;
    case kSackPermitted:
      if (!body.empty() || !syn) return false;
      out.sack_permitted = true;
      return true;
    case kSack:
      return read_sack(body, out);
    case kTimestamps:
      if (body.size() != 8) return false;
      read_timestamps(body.data(), out);
      return true;
    case kMptcpKind:
      return parse_mptcp_option(option, flags, payload, out.mptcp);
    default:
      return true;
  }
}

}  // namespace

void parse_tcp_options(ByteView options, std::uint8_t tcp_flags, std::size_t payload_length,
                       TcpOptions& out) {
  out.has_mss = out.has_window_scale = out.sack_permitted = out.has_timestamps = false;
  out.sack_count = out.ignored = 0;
  out.mptcp.present = 0;
  const std::byte* p = options.data();
  std::size_t left = options.size();
  if (left >= 12 && load_be<std::uint32_t>(p) == kAlignedTimestamps) {
    read_timestamps(p + 4, out);
    p += 12;
    left -= 12;
  }
  while (left != 0) {
    const auto kind = std::to_integer<std::uint8_t>(*p);
    if (kind == kEnd) return;
    if (kind == kNop) {
      ++p;
      --left;
      continue;
    }
    const std::size_t length = left >= 2 ? std::to_integer<std::size_t>(p[1]) : 0;
    if (length < 2 || length > left) {
      ++out.ignored;
      return;
    }
    if (!read_option(kind, ByteView(p, length), tcp_flags, payload_length, out)) ++out.ignored;
    p += length;
    left -= length;
  }
}

}  // namespace braid::wire
