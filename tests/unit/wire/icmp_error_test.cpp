#include "wire/icmp_error.hpp"

#include <gtest/gtest.h>

#include "frames.hpp"

namespace braid::wire {
namespace {

using test::Bytes;
using test::hex;

// A router at 198.18.9.9 says 1,400 about a segment 198.18.0.1:80 > 198.18.1.2:31000, seq 0x01020304.
Bytes v4() {
  return hex(
      "020000000001 020000000002 0800"
      "45000038 00000000 4001 e57b c6120909 c6120001"
      "0304 9b1a 0000 0578"
      "450005dc 00004000 4006 0000 c6120001 c6120102"
      "0050 7918 01020304");
}

// 2001:db8::9 says 1,280 about 2001:db8::1 port 80 > 2001:db8::2 port 31000.
Bytes v6() {
  Bytes b =
      hex("020000000001 020000000002 86dd"
          "60000000 0038 3a 40 20010db8000000000000000000000009 20010db8000000000000000000000001"
          "0200 0000 00000500"
          "60000000 05b4 06 40 20010db8000000000000000000000001 20010db8000000000000000000000002"
          "0050 7918 01020304");
  Bytes pseudo(b.begin() + 22, b.begin() + 54);
  test::append32(pseudo, 0x38);
  test::append32(pseudo, 58);
  pseudo.insert(pseudo.end(), b.begin() + 54, b.end());
  test::set16(b, 56, static_cast<std::uint16_t>(~test::naive_sum(pseudo)));
  return b;
}

// With sums that are right whatever was changed.
Bytes mended(Bytes b) {
  test::set16(b, 24, 0);
  test::set16(b, 24, static_cast<std::uint16_t>(~test::naive_sum(Bytes(b.begin() + 14, b.begin() + 34))));
  test::set16(b, 36, 0);
  test::set16(b, 36, static_cast<std::uint16_t>(~test::naive_sum(Bytes(b.begin() + 34, b.end()))));
  return b;
}

TEST(IcmpError, SaysWhichSegmentAndHowMuchPasses) {
  const auto a = parse_icmp_error(mended(v4()));
  ASSERT_TRUE(a.has_value());
  EXPECT_EQ(a->flow, (Flow{{Ip::v4(0xc6120001), 80}, {Ip::v4(0xc6120102), 31000}}));
  EXPECT_EQ(a->seq, SubSeq(0x01020304));
  EXPECT_EQ(a->mtu, 1400);
  const auto b = parse_icmp_error(v6());
  ASSERT_TRUE(b.has_value());
  EXPECT_EQ(b->flow.local, parse_endpoint("[2001:db8::1]:80").value());
  EXPECT_EQ(b->flow.remote, parse_endpoint("[2001:db8::2]:31000").value());
  EXPECT_EQ(b->mtu, 1280);
}

TEST(IcmpError, SaysThatNobodyIsThere) {
  Bytes host = v4();
  host[35] = std::byte{1};
  const auto a = parse_icmp_error(mended(host));
  ASSERT_TRUE(a.has_value());
  EXPECT_EQ(a->kind, IcmpError::Kind::unreachable);
  EXPECT_EQ(a->seq, SubSeq(0x01020304));
  Bytes v6_host = v6();
  v6_host[54] = std::byte{1};
  v6_host[56] =
      static_cast<std::byte>(std::to_integer<unsigned>(v6_host[56]) + 1);  // the checksum of one less
  const auto b = parse_icmp_error(v6_host);
  ASSERT_TRUE(b.has_value());
  EXPECT_EQ(b->kind, IcmpError::Kind::unreachable);
}

TEST(IcmpError, TruncatedOrDamagedSaysNothing) {
  for (const Bytes& whole : {mended(v4()), v6()}) {
    for (std::size_t n = 0; n < whole.size(); ++n)
      EXPECT_FALSE(parse_icmp_error(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n))))
          << n;
    for (std::size_t i = whole.size() - 30; i < whole.size(); ++i) {
      Bytes damaged = whole;
      damaged[i] ^= std::byte{0x40};
      EXPECT_FALSE(parse_icmp_error(damaged)) << i;
    }
  }
}

TEST(IcmpError, OtherErrorsAndOtherProtocolsSayNothing) {
  struct Change {
    std::size_t at;
    int value;
  };
  for (const Change c : {Change{34, 11}, Change{35, 16}, Change{23, 17}, Change{51, 17}, Change{42, 0x65},
                         Change{42, 0x44}, Change{20, 0x20}, Change{12, 9}}) {
    Bytes b = v4();
    b[c.at] = static_cast<std::byte>(c.value);
    EXPECT_FALSE(parse_icmp_error(mended(b))) << c.at;
  }
}

TEST(IcmpError, RandomBytesAreHarmless) {
  Rng rng(7);
  for (unsigned i = 0; i < 20'000; ++i) {
    Bytes b = test::random_bytes(rng, rng.below(120));
    if (b.size() > 24) {
      test::set16(b, 12, (i & 1U) != 0 ? 0x0800U : 0x86ddU);
      b[14] = static_cast<std::byte>((i & 1U) != 0 ? 0x45 : 0x60);
    }
    parse_icmp_error(b);
  }
}

}  // namespace
}  // namespace braid::wire
