#include "kit/mp_secrets.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace braid::kit {

namespace {
void put(std::vector<std::uint8_t>& out, std::uint64_t value, unsigned bytes) {
  for (unsigned i = bytes; i-- > 0;) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}
std::uint64_t get(std::span<const std::uint8_t> bytes) {
  std::uint64_t v = 0;
  for (const auto b : bytes) v = v << 8 | b;
  return v;
}
std::vector<std::uint8_t> sha256(std::uint64_t key) {
  std::vector<std::uint8_t> message;
  put(message, key, 8);
  std::vector<std::uint8_t> digest(32);
  unsigned n = 0;
  EVP_Digest(message.data(), message.size(), digest.data(), &n, EVP_sha256(), nullptr);
  return digest;
}
}  // namespace

std::uint32_t token_of(std::uint64_t key) {
  const auto digest = sha256(key);
  return static_cast<std::uint32_t>(get(std::span(digest).first(4)));
}

std::uint64_t idsn_of(std::uint64_t key) {
  const auto digest = sha256(key);
  return get(std::span(digest).last(8));
}

std::vector<std::uint8_t> hmac_of(std::uint64_t sender_key, std::uint64_t receiver_key,
                                  std::span<const std::uint8_t> message) {
  std::vector<std::uint8_t> key;
  put(key, sender_key, 8);
  put(key, receiver_key, 8);
  std::vector<std::uint8_t> out(32);
  unsigned n = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), message.data(), message.size(), out.data(),
       &n);
  return out;
}

std::vector<std::uint8_t> join_mac(std::uint64_t sender_key, std::uint64_t receiver_key,
                                   std::uint32_t sender_nonce, std::uint32_t receiver_nonce) {
  std::vector<std::uint8_t> message;
  put(message, sender_nonce, 4);
  put(message, receiver_nonce, 4);
  return hmac_of(sender_key, receiver_key, message);
}

std::uint64_t announce_mac(std::uint64_t sender_key, std::uint64_t receiver_key, std::uint8_t id,
                           const Ip& ip, std::uint16_t port) {
  std::vector<std::uint8_t> message;
  put(message, id, 1);
  if (ip.is_v4()) {
    put(message, ip.v4(), 4);
  } else {
    put(message, ip.hi, 8);
    put(message, ip.lo, 8);
  }
  put(message, port, 2);
  const auto mac = hmac_of(sender_key, receiver_key, message);
  return get(std::span(mac).last(8));
}

}  // namespace braid::kit
