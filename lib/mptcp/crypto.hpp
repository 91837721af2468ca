// Keys, tokens and HMACs of MPTCP version 1 (RFC 8684 3.1, 3.2, 3.4.1), all on SHA-256.
#pragma once

#include <array>
#include <cstdint>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/seq.hpp"

namespace braid::mptcp {

struct KeyHash {
  std::uint32_t token = 0;  // most significant 32 bits of SHA-256(key)
  DataSeq idsn;             // least significant 64 bits; the first payload byte is idsn + 1
};
KeyHash hash_key(std::uint64_t key);

using Hmac = std::array<std::byte, 32>;

// Who sends an HMAC puts its own key and nonce first (3.2); the other side therefore swaps both.
struct JoinSecrets {
  std::uint64_t sender_key = 0;
  std::uint64_t receiver_key = 0;
  std::uint32_t sender_nonce = 0;
  std::uint32_t receiver_nonce = 0;
};
Hmac join_hmac(const JoinSecrets& s);

// Leftmost 64 bits, as in the SYN/ACK of an MP_JOIN.
inline std::uint64_t left64(const Hmac& h) { return load_be<std::uint64_t>(h.data()); }
// Leftmost 160 bits, as in its third ACK.
std::array<std::byte, 20> left160(const Hmac& h);

// Rightmost 64 bits of the HMAC over id, address and port (0 when absent), as in ADD_ADDR. The keys: the
// sender's of the option, then the receiver's.
std::uint64_t add_addr_hmac(std::uint64_t sender_key, std::uint64_t receiver_key, std::uint8_t id,
                            const Ip& ip, std::uint16_t port);

// Compares all bytes in a time that does not depend on where they differ.
bool equal_constant_time(ByteView a, ByteView b);

}  // namespace braid::mptcp
