#include "wire/checksum.hpp"

#include <gtest/gtest.h>

#include "unit/wire/frames.hpp"
#include "wire/mptcp_options.hpp"

namespace braid::wire {
namespace {

using test::Bytes;

TEST(Checksum, Rfc1071Example) {  // RFC 1071 3: 0001 f203 f4f5 f6f7 sums up to ddf2
  EXPECT_EQ(ones_sum(test::hex("0001f203f4f5f6f7")), 0xddf2);
}

TEST(Checksum, EveryLengthAtEveryAlignmentAgreesWithTheNaiveSum) {
  Rng rng(1);
  const Bytes pool = test::random_bytes(rng, 1600);
  for (std::size_t offset = 0; offset < 33; ++offset) {
    for (std::size_t n = 0; n < 420; ++n) {
      const Bytes part(pool.begin() + static_cast<std::ptrdiff_t>(offset),
                       pool.begin() + static_cast<std::ptrdiff_t>(offset + n));
      ASSERT_EQ(ones_sum(ByteView(pool).subspan(offset, n)), test::naive_sum(part)) << offset << ' ' << n;
    }
  }
}

TEST(Checksum,
     ExtremesAgreeWithTheNaiveSum) {  // all carries, no carries, and blocks beyond one lane's capacity
  for (const int fill : {0x00, 0xff, 0x80, 0x7f}) {
    for (const std::size_t n : {1U, 2U, 1428U, 1460U, 65535U, 262'143U, 262'144U, 1'000'001U}) {
      const Bytes bytes(n, static_cast<std::byte>(fill));
      ASSERT_EQ(ones_sum(bytes), test::naive_sum(bytes)) << fill << ' ' << n;
    }
  }
}

TEST(Checksum, ZeroOnlyForZeroBytes) {
  EXPECT_EQ(ones_sum({}), 0U);
  EXPECT_EQ(ones_sum(Bytes(200, std::byte{0})), 0U);
  EXPECT_EQ(ones_sum(Bytes(200, std::byte{0xff})), 0xffffU);
}

TEST(Checksum, PartsAddUpAndCanBeRemoved) {
  Rng rng(2);
  for (int i = 0; i < 2000; ++i) {
    const Bytes whole = test::random_bytes(rng, 1 + rng.below(300));
    const std::size_t cut = rng.below(static_cast<std::uint32_t>(whole.size()) + 1);
    const ByteView view(whole);
    const auto head = ones_sum(view.first(cut));
    auto tail = ones_sum(view.subspan(cut));
    if (cut % 2 != 0) tail = sum_swap(tail);  // RFC 1071 2 (B)
    ASSERT_EQ(sum_add(head, tail), ones_sum(view));
    ASSERT_EQ(sum_sub(ones_sum(view), tail) % 0xffff, head % 0xffff);
  }
}

TEST(Checksum, PseudoHeaderAgreesWithItsBytes) {
  Rng rng(3);
  for (int i = 0; i < 1000; ++i) {
    const bool v4 = rng.below(2) == 0;
    const auto draw = [&] { return v4 ? Ip::v4(rng.next32()) : Ip::v6(rng.next() | 1, rng.next()); };
    const Ip a = draw();
    const Ip b = draw();
    const std::uint32_t length = rng.below(65536);
    Bytes bytes = test::address_bytes(a);
    test::append(bytes, test::address_bytes(b));
    test::append32(bytes, length);
    test::append32(bytes, 6);
    ASSERT_EQ(pseudo_header_sum(a, b, length), test::naive_sum(bytes));
  }
}

// RFC 8684 3.3.1, figure 11, added by hand: 0102+0304+0506+0708 (DSN) + 0000+0001 (subflow sequence) + 0004
// (length)
// + 0000 + 6162+6364 ("abcd") = d4df, complement 2b20.
TEST(DssChecksum, Rule25KnownVector) {
  EXPECT_EQ(dss_checksum(0x0102030405060708, 1, 4, ones_sum(test::hex("61626364"))), 0x2b20);
}

// First data segment of a Linux client: MP_CAPABLE with data length 5 and checksum a132, payload "hello"; the
// server's DATA_ACK that followed tells the data sequence number.
TEST(DssChecksum, Rule25AgreesWithTheLinuxKernel) {
  EXPECT_EQ(dss_checksum(16943138229509853981ULL - 5, 1, 5, ones_sum(test::hex("68656c6c6f"))), 0xa132);
}

TEST(DssChecksum, Rule25CoversEachFieldOfThePseudoHeader) {
  Rng rng(4);
  for (int i = 0; i < 500; ++i) {
    const std::uint64_t dsn = rng.next();
    const std::uint32_t ssn = rng.next32();
    const auto length = static_cast<std::uint16_t>(rng.below(1500));
    const Bytes payload = test::random_bytes(rng, length);
    Bytes bytes;
    test::append32(bytes, static_cast<std::uint32_t>(dsn >> 32));
    test::append32(bytes, static_cast<std::uint32_t>(dsn));
    test::append32(bytes, ssn);
    test::append16(bytes, length);
    test::append16(bytes, 0);
    test::append(bytes, payload);
    ASSERT_EQ(dss_checksum(dsn, ssn, length, ones_sum(payload)),
              static_cast<std::uint16_t>(~test::naive_sum(bytes)));
  }
}

}  // namespace
}  // namespace braid::wire
