// TCP options in and out (RFC 9293 3.1, RFC 7323, RFC 2018, RFC 8684 3).
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/bytes.hpp"
#include "base/seq.hpp"
#include "wire/mptcp_options.hpp"

namespace braid::wire {

inline constexpr std::size_t kMaxOptionBytes = 40;

enum TcpFlag : std::uint8_t {
  kFin = 1,
  kSyn = 2,
  kRst = 4,
  kPsh = 8,
  kAck = 16,
  kUrg = 32,
  kEce = 64,
  kCwr = 128
};

struct SackBlock {
  SubSeq begin;  // first byte
  SubSeq end;    // after the last byte
};

struct TcpOptions {
  bool has_mss = false;
  bool has_window_scale = false;
  bool sack_permitted = false;
  bool has_timestamps = false;
  std::uint8_t window_scale = 0;  // clamped to 14 (RFC 7323 2.3)
  std::uint8_t sack_count = 0;
  std::uint8_t ignored = 0;  // options skipped as malformed or unknown MPTCP forms
  std::uint16_t mss = 0;
  std::uint32_t ts_value = 0;
  std::uint32_t ts_echo = 0;
  std::array<SackBlock, 4> sack;
  MptcpOptions mptcp;
};

// Parses the bytes between the fixed header and the payload. A malformed option is skipped and counted; one
// whose length cannot be trusted ends the walk, and what came before it stays valid.
void parse_tcp_options(ByteView options, std::uint8_t tcp_flags, std::size_t payload_length, TcpOptions& out);

// Collects options for one outgoing segment. Each call appends the whole option or, where 40 bytes do not
// suffice, leaves the buffer as it was and returns false.
class OptionBuffer {
 public:
  bool mss(std::uint16_t value);
  bool window_scale(std::uint8_t shift);
  bool sack_permitted();
  bool timestamps(std::uint32_t value, std::uint32_t echo);  // with two NOPs in front: 12 bytes
  // As many blocks as fit, at most 4, in the order given; returns how many were written.
  unsigned sack(std::span<const SackBlock> blocks);
  bool mp_capable(const MpCapable& o);  // form by `keys`, `has_data_length`, `has_checksum`
  bool mp_join_syn(const MpJoin& o);
  bool mp_join_syn_ack(const MpJoin& o);
  bool mp_join_ack(const MpJoin& o);
  bool dss(const Dss& o);
  bool add_addr(const AddAddr& o);
  bool remove_addr(std::span<const std::uint8_t> ids);
  bool mp_prio(bool backup);
  bool mp_fail(std::uint64_t dsn);
  bool mp_fastclose(std::uint64_t receiver_key);
  bool mp_tcprst(MpTcprst o);

  // Bytes with NOP padding up to a multiple of four.
  [[nodiscard]] ByteView padded();
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t room() const { return kMaxOptionBytes - size_; }

 private:
  std::byte* claim(std::size_t n);
  std::array<std::byte, kMaxOptionBytes> bytes_;
  std::size_t size_ = 0;
};

// Bytes a DSS option takes before padding.
constexpr std::size_t dss_size(const Dss& o) {
  std::size_t n = 4;
  if (o.has_ack) n += o.ack_is_8 ? 8 : 4;
  if (o.has_map) n += (o.dsn_is_8 ? 8U : 4U) + 6U + (o.has_checksum ? 2U : 0U);
  return n;
}

}  // namespace braid::wire
