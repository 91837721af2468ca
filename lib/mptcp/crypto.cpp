// The low-level SHA-256 context costs a sixth of the one-shot call and needs no allocation; OpenSSL 3 marks
// it deprecated, hence the API level below.
#define OPENSSL_API_COMPAT 0x10100000L
#include "mptcp/crypto.hpp"

#include <openssl/sha.h>

#include <cstring>

namespace braid::mptcp {

namespace {

using Digest = std::array<std::byte, SHA256_DIGEST_LENGTH>;

unsigned char* raw(std::byte* p) { return reinterpret_cast<unsigned char*>(p); }

// RFC 2104 with a 16-byte key: one block each for the inner and the outer pad.
Hmac hmac_sha256(std::uint64_t key_a, std::uint64_t key_b, ByteView message) {
  std::array<std::byte, SHA256_CBLOCK> pad{};
  store_be(pad.data(), key_a);
  store_be(pad.data() + 8, key_b);
  for (auto& b : pad) b ^= std::byte{0x36};
  SHA256_CTX sha;
  Digest inner;
  SHA256_Init(&sha);
  SHA256_Update(&sha, pad.data(), pad.size());
  SHA256_Update(&sha, message.data(), message.size());
  SHA256_Final(raw(inner.data()), &sha);
  for (auto& b : pad) b ^= std::byte{0x36 ^ 0x5c};
  Hmac out;
  SHA256_Init(&sha);
  SHA256_Update(&sha, pad.data(), pad.size());
  SHA256_Update(&sha, inner.data(), inner.size());
  SHA256_Final(raw(out.data()), &sha);
  return out;
}

}  // namespace

KeyHash hash_key(std::uint64_t key) {
  std::array<std::byte, 8> bytes;
  store_be(bytes.data(), key);
  SHA256_CTX sha;
  Digest digest;
  SHA256_Init(&sha);
  SHA256_Update(&sha, bytes.data(), bytes.size());
  SHA256_Final(raw(digest.data()), &sha);
  return {load_be<std::uint32_t>(digest.data()), DataSeq(load_be<std::uint64_t>(digest.data() + 24))};
}

Hmac join_hmac(const JoinSecrets& s) {
  std::array<std::byte, 8> nonces;
  store_be(nonces.data(), s.sender_nonce);
  store_be(nonces.data() + 4, s.receiver_nonce);
  return hmac_sha256(s.sender_key, s.receiver_key, nonces);
}

std::array<std::byte, 20> left160(const Hmac& h) {
  std::array<std::byte, 20> out;
  std::memcpy(out.data(), h.data(), out.size());
  return out;
}

std::uint64_t add_addr_hmac(std::uint64_t sender_key, std::uint64_t receiver_key, std::uint8_t id,
                            const Ip& ip, std::uint16_t port) {
  std::array<std::byte, 19> message;
  Writer w{message};
  w.be(id);
  if (ip.is_v4()) {
    w.be(ip.v4());
  } else {
    w.be(ip.hi);
    w.be(ip.lo);
  }
  w.be(port);
  const Hmac h = hmac_sha256(sender_key, receiver_key, {message.data(), w.written()});
  return load_be<std::uint64_t>(h.data() + h.size() - 8);
}

bool equal_constant_time(ByteView a, ByteView b) {
  if (a.size() != b.size()) return false;
  std::byte difference{0};
  for (std::size_t i = 0; i < a.size(); ++i) difference |= a[i] ^ b[i];
  return difference == std::byte{0};
}

}  // namespace braid::mptcp
