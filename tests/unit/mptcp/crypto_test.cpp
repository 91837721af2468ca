// Keys, tokens and HMACs against values computed by OpenSSL's own calls, and against published ones.
#include "mptcp/crypto.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "base/random.hpp"
#include "kit/mp_secrets.hpp"

namespace braid::mptcp {
namespace {

TEST(Crypto, TokenAndIdsnOfAKnownKey) {
  // printf '\0\0\0\0\0\0\0\1' | sha256sum
  //   cd2662154e6d76b2b2b92e70c0cac3ccf534f9b74eb5b89819ec509083d00a50
  const KeyHash h = hash_key(1);
  EXPECT_EQ(h.token, 0xcd266215U);
  EXPECT_EQ(h.idsn.raw, 0x19ec509083d00a50ULL);
}

TEST(Crypto, TokenAndIdsnAgreeWithOpenSsl) {
  Rng rng(5);
  for (int i = 0; i < 200; ++i) {
    const std::uint64_t key = rng.next();
    const KeyHash h = hash_key(key);
    EXPECT_EQ(h.token, kit::token_of(key));
    EXPECT_EQ(h.idsn.raw, kit::idsn_of(key));
  }
}

TEST(Crypto, JoinHmacAgreesWithOpenSsl) {
  Rng rng(6);
  for (int i = 0; i < 200; ++i) {
    const std::uint64_t a = rng.next();
    const std::uint64_t b = rng.next();
    const std::uint32_t na = rng.next32();
    const std::uint32_t nb = rng.next32();
    const Hmac h = join_hmac({a, b, na, nb});
    const auto want = kit::join_mac(a, b, na, nb);
    EXPECT_EQ(std::memcmp(h.data(), want.data(), 32), 0);
    EXPECT_EQ(std::memcmp(left160(h).data(), want.data(), 20), 0);
    std::uint64_t left = 0;
    for (int k = 0; k < 8; ++k) left = left << 8 | want[static_cast<std::size_t>(k)];
    EXPECT_EQ(left64(h), left);
    EXPECT_NE(left64(join_hmac({b, a, na, nb})), left) << "the order of the keys matters";
    EXPECT_NE(left64(join_hmac({a, b, nb, na})), left) << "the order of the nonces matters";
  }
}

TEST(Crypto, AnnouncementHmacAgreesWithOpenSsl) {
  Rng rng(7);
  for (int i = 0; i < 200; ++i) {
    const std::uint64_t a = rng.next();
    const std::uint64_t b = rng.next();
    const Ip ip = i % 2 == 0 ? Ip::v4(rng.next32()) : Ip::v6(rng.next(), rng.next());
    const auto id = static_cast<std::uint8_t>(rng.below(256));
    const auto port = static_cast<std::uint16_t>(i % 3 == 0 ? 0 : rng.below(65536));
    EXPECT_EQ(add_addr_hmac(a, b, id, ip, port), kit::announce_mac(a, b, id, ip, port));
  }
}

TEST(Crypto, ComparisonSeesEveryByte) {
  std::array<std::byte, 20> a{};
  auto b = a;
  EXPECT_TRUE(equal_constant_time(a, b));
  for (auto& byte : b) {
    byte = std::byte{1};
    EXPECT_FALSE(equal_constant_time(a, b));
    byte = std::byte{0};
  }
  EXPECT_FALSE(equal_constant_time(a, ByteView(b).first(19)));
}

}  // namespace
}  // namespace braid::mptcp
