// MPTCP version 1 options (RFC 8684 3). Parsed values are host order. A form that no rule of the RFC
// allows is not represented: it is counted as ignored and the segment continues without it.
#pragma once

#include <array>
#include <cstdint>

#include "base/address.hpp"
#include "base/bytes.hpp"

namespace braid::wire {

inline constexpr std::uint8_t kMptcpKind = 30;

enum class MpSubtype : std::uint8_t {
  capable = 0,
  join = 1,
  dss = 2,
  add_addr = 3,
  remove_addr = 4,
  prio = 5,
  fail = 6,
  fastclose = 7,
  tcprst = 8
};

// Bits of `MptcpOptions::present`, one per form; several may stand on one segment (3.3: DSS with others).
enum MpPresent : std::uint16_t {
  kMpCapable = 1 << 0,
  kMpJoinSyn = 1 << 1,
  kMpJoinSynAck = 1 << 2,
  kMpJoinAck = 1 << 3,
  kMpDss = 1 << 4,
  kMpAddAddr = 1 << 5,
  kMpRemoveAddr = 1 << 6,
  kMpPrio = 1 << 7,
  kMpFail = 1 << 8,
  kMpFastclose = 1 << 9,
  kMpTcprst = 1 << 10
};

// 3.1. Sizes 4 (SYN), 12 (SYN/ACK), 20 (third ACK), 22 (with data), 24 (with data and checksum).
struct MpCapable {
  std::uint8_t version = 1;
  bool checksum_required = false;  // A
  bool extension = false;          // B: must be zero, else the option is to be refused
  bool no_join_initial = false;    // C
  bool hmac_sha256 = true;         // H
  std::uint8_t keys = 0;           // 0, 1 (sender's) or 2 (sender's, receiver's)
  bool has_data_length = false;
  bool has_checksum = false;
  std::uint16_t data_length = 0;
  std::uint16_t checksum = 0;
  std::uint64_t sender_key = 0;
  std::uint64_t receiver_key = 0;
};

// 3.2. SYN: token, nonce. SYN/ACK: hmac64, nonce. ACK: hmac160.
struct MpJoin {
  bool backup = false;
  std::uint8_t address_id = 0;
  std::uint32_t token = 0;
  std::uint32_t nonce = 0;
  std::uint64_t hmac64 = 0;             // leftmost 64 bits
  std::array<std::byte, 20> hmac160{};  // leftmost 160 bits
};

// 3.3. `ssn` is relative to the subflow's ISN; 4-byte forms carry the low half in `data_ack`/`dsn`.
struct Dss {
  bool has_ack = false;
  bool ack_is_8 = false;
  bool has_map = false;
  bool dsn_is_8 = false;
  bool data_fin = false;
  bool has_checksum = false;
  std::uint16_t length = 0;
  std::uint16_t checksum = 0;
  std::uint32_t ssn = 0;
  std::uint64_t data_ack = 0;
  std::uint64_t dsn = 0;
};

// 3.4.1. `port` 0: absent. `hmac` is absent (0) on an echo.
struct AddAddr {
  bool echo = false;
  std::uint8_t id = 0;
  std::uint16_t port = 0;
  Ip ip;
  std::uint64_t hmac = 0;  // rightmost 64 bits
};

struct RemoveAddr {  // 3.4.2
  std::uint8_t count = 0;
  std::array<std::uint8_t, 37> ids{};
};

struct MpTcprst {  // 3.6
  bool transient = false;
  std::uint8_t reason = 0;
};

struct MptcpOptions {
  std::uint16_t present = 0;  // MpPresent bits; the members of absent forms hold garbage
  Dss dss;
  MpCapable capable;
  MpJoin join;
  AddAddr add_addr;
  RemoveAddr remove_addr;
  bool prio_backup = false;  // 3.3.8
  MpTcprst tcprst;
  std::uint64_t fail_dsn = 0;       // 3.7
  std::uint64_t fastclose_key = 0;  // 3.5: the key of the receiver of the option

  [[nodiscard]] bool has(MpPresent form) const { return (present & form) != 0; }
};

// Parses one option's body. `option`: the whole option, kind and length byte included. `tcp_flags` and
// `payload_length` tell forms of equal size apart (rule 1). False: nothing was recorded, count as ignored. Of
// two options of one subtype the first counts.
bool parse_mptcp_option(ByteView option, std::uint8_t tcp_flags, std::size_t payload_length,
                        MptcpOptions& out);

// DSS checksum (3.3.1): over the pseudo header (full 64-bit DSN, 32-bit SSN, length, zero) and all mapped
// bytes, whose folded sum is `payload_sum`. The value to write, or to compare with.
std::uint16_t dss_checksum(std::uint64_t dsn, std::uint32_t ssn, std::uint16_t length,
                           std::uint16_t payload_sum);

}  // namespace braid::wire
