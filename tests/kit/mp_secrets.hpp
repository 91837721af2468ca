// Tokens, initial data sequence numbers and HMACs straight from OpenSSL, as RFC 8684 3.1 and 3.2 write them:
// shares nothing with lib/mptcp/crypto.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/address.hpp"

namespace braid::kit {

std::uint32_t token_of(std::uint64_t key);
std::uint64_t idsn_of(std::uint64_t key);
// HMAC-SHA256 over `message` with the two keys, first the one of who sends the HMAC.
std::vector<std::uint8_t> hmac_of(std::uint64_t sender_key, std::uint64_t receiver_key,
                                  std::span<const std::uint8_t> message);
// The message of a join: the sender's nonce, then the receiver's.
std::vector<std::uint8_t> join_mac(std::uint64_t sender_key, std::uint64_t receiver_key,
                                   std::uint32_t sender_nonce, std::uint32_t receiver_nonce);
// Rightmost 64 bits over id, address, port (3.4.1).
std::uint64_t announce_mac(std::uint64_t sender_key, std::uint64_t receiver_key, std::uint8_t id,
                           const Ip& ip, std::uint16_t port);

}  // namespace braid::kit
