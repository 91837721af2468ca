#include "wire/mptcp_options.hpp"

#include <gtest/gtest.h>

#include <map>

#include "fuzz/reemit.hpp"
#include "unit/wire/frames.hpp"

namespace braid::wire {
namespace {

using test::Bytes;
using test::hex;

struct Parsed {
  bool ok;
  MptcpOptions o;
};

Parsed parse(const Bytes& option, std::uint8_t flags, std::size_t payload = 0) {
  Parsed p{};
  p.ok = parse_mptcp_option(option, flags, payload, p.o);
  EXPECT_EQ(p.ok, p.o.present != 0);
  return p;
}

// An option of `subtype` with `size` bytes; byte 2's low half and byte 3 as given.
Bytes option(unsigned subtype, std::size_t size, unsigned low = 0, unsigned byte3 = 0) {
  Bytes out(size, std::byte{0x11});
  out[0] = std::byte{30};
  out[1] = static_cast<std::byte>(size);
  out[2] = static_cast<std::byte>(subtype << 4 | low);
  if (size > 3) out[3] = static_cast<std::byte>(byte3);
  return out;
}

constexpr std::uint8_t kSynAck = kSyn | kAck;

TEST(MpCapable, Rfc8684Clause31Syn) {
  const auto p = parse(hex("1e 04 01 01"), kSyn);
  ASSERT_TRUE(p.o.has(kMpCapable));
  EXPECT_EQ(p.o.capable.version, 1);
  EXPECT_EQ(p.o.capable.keys, 0);
  EXPECT_TRUE(p.o.capable.hmac_sha256);
  EXPECT_FALSE(p.o.capable.checksum_required || p.o.capable.extension || p.o.capable.no_join_initial);
}

TEST(MpCapable, Rfc8684Clause31SynAck) {
  const auto p = parse(hex("1e 0c 01 a1 0102030405060708"), kSynAck);
  ASSERT_TRUE(p.o.has(kMpCapable));
  EXPECT_EQ(p.o.capable.keys, 1);
  EXPECT_EQ(p.o.capable.sender_key, 0x0102030405060708U);
  EXPECT_TRUE(p.o.capable.checksum_required);
  EXPECT_TRUE(p.o.capable.no_join_initial);
}

TEST(MpCapable, Rfc8684Clause31ThirdAck) {
  const auto p = parse(hex("1e 14 01 01 0102030405060708 1112131415161718"), kAck);
  ASSERT_TRUE(p.o.has(kMpCapable));
  EXPECT_EQ(p.o.capable.keys, 2);
  EXPECT_EQ(p.o.capable.sender_key, 0x0102030405060708U);
  EXPECT_EQ(p.o.capable.receiver_key, 0x1112131415161718U);
  EXPECT_FALSE(p.o.capable.has_data_length);
}

TEST(MpCapable, Rule1AckWithDataIs22Or24Bytes) {
  const auto plain = parse(hex("1e 16 01 01 0102030405060708 1112131415161718 0594"), kAck | kPsh, 1428);
  ASSERT_TRUE(plain.o.has(kMpCapable));
  EXPECT_TRUE(plain.o.capable.has_data_length);
  EXPECT_EQ(plain.o.capable.data_length, 1428);
  EXPECT_FALSE(plain.o.capable.has_checksum);
  const auto sum = parse(hex("1e 18 01 81 0102030405060708 1112131415161718 0594 beef"), kAck, 1428);
  ASSERT_TRUE(sum.o.has(kMpCapable));
  EXPECT_TRUE(sum.o.capable.has_checksum);
  EXPECT_EQ(sum.o.capable.checksum, 0xbeef);
}

TEST(MpCapable, Rule8ChecksumIsJudgedByLengthNotByFlagA) {
  const auto p = parse(hex("1e 16 01 81 0102030405060708 1112131415161718 0594"), kAck, 1428);
  ASSERT_TRUE(p.o.has(kMpCapable));
  EXPECT_TRUE(p.o.capable.checksum_required);
  EXPECT_FALSE(p.o.capable.has_checksum);
  EXPECT_EQ(p.o.capable.checksum, 0);
}

TEST(MpCapable, Rule8FlagBIsRecorded) { EXPECT_TRUE(parse(hex("1e 04 01 41"), kSyn).o.capable.extension); }

TEST(MpCapable, Rule9OtherVersionsAreRecordedForTheAnswer) {
  const auto v0 = parse(hex("1e 0c 00 01 0102030405060708"), kSyn);
  ASSERT_TRUE(v0.o.has(kMpCapable));
  EXPECT_EQ(v0.o.capable.version, 0);
  EXPECT_FALSE(parse(hex("1e 04 00 01"), kSyn).ok) << "version 0 brings its key in the SYN";
  const auto v2 = parse(hex("1e 08 02 01 01020304"), kSyn);
  ASSERT_TRUE(v2.o.has(kMpCapable));
  EXPECT_EQ(v2.o.capable.version, 2);
}

TEST(MpCapable, Rule9HmacFlagIsRecorded) {
  EXPECT_FALSE(parse(hex("1e 04 01 00"), kSyn).o.capable.hmac_sha256);
}

// Every subtype at every length: only the sizes of the RFC are taken, each for the right segment.
struct Sweep {
  const char* name;
  unsigned subtype;
  unsigned low;
  unsigned byte3;
  std::uint8_t flags;
  std::size_t payload;
  std::map<std::size_t, std::uint16_t> accepted;  // size to form
};

class ExactLength : public testing::TestWithParam<Sweep> {};

TEST_P(ExactLength, Rule20OtherSizesAreIgnored) {
  const Sweep& s = GetParam();
  for (std::size_t size = 3; size <= 40; ++size) {
    const auto p = parse(option(s.subtype, size, s.low, s.byte3), s.flags, s.payload);
    const auto want = s.accepted.find(size);
    EXPECT_EQ(p.o.present, want == s.accepted.end() ? 0 : want->second) << "size " << size;
  }
}

std::map<std::size_t, std::uint16_t> remove_addr_sizes() {
  std::map<std::size_t, std::uint16_t> out;
  for (std::size_t n = 4; n <= 40; ++n) out[n] = kMpRemoveAddr;
  return out;
}

INSTANTIATE_TEST_SUITE_P(
    Forms, ExactLength,
    testing::Values(
        Sweep{"capable_syn", 0, 1, 1, kSyn, 0, {{4, kMpCapable}}},
        Sweep{"capable_synack", 0, 1, 1, kSynAck, 0, {{12, kMpCapable}}},
        Sweep{"capable_ack", 0, 1, 1, kAck, 0, {{20, kMpCapable}}},
        Sweep{"capable_data", 0, 1, 1, kAck, 5, {{22, kMpCapable}, {24, kMpCapable}}},
        Sweep{"capable_noack", 0, 1, 1, 0, 0, {}},
        Sweep{"capable_v0_syn", 0, 0, 1, kSyn, 0, {{12, kMpCapable}}},
        Sweep{"join_syn", 1, 0, 9, kSyn, 0, {{12, kMpJoinSyn}}},
        Sweep{"join_synack", 1, 0, 9, kSynAck, 0, {{16, kMpJoinSynAck}}},
        Sweep{"join_ack", 1, 0, 0, kAck, 0, {{24, kMpJoinAck}}}, Sweep{"join_noack", 1, 0, 0, 0, 0, {}},
        Sweep{"dss_empty", 2, 0, 0x00, kAck, 0, {{4, kMpDss}}},
        Sweep{"dss_ack4", 2, 0, 0x01, kAck, 0, {{8, kMpDss}}},
        Sweep{"dss_ack8", 2, 0, 0x03, kAck, 0, {{12, kMpDss}}},
        Sweep{"dss_a_without_A", 2, 0, 0x02, kAck, 0, {{4, kMpDss}}},
        Sweep{"dss_m_without_M", 2, 0, 0x08, kAck, 0, {{4, kMpDss}}},
        Sweep{"dss_map4", 2, 0, 0x04, kAck, 9, {{14, kMpDss}, {16, kMpDss}}},
        Sweep{"dss_map8", 2, 0, 0x0c, kAck, 9, {{18, kMpDss}, {20, kMpDss}}},
        Sweep{"dss_map4_ack4", 2, 0, 0x05, kAck, 9, {{18, kMpDss}, {20, kMpDss}}},
        Sweep{"dss_map4_ack8", 2, 0, 0x07, kAck, 9, {{22, kMpDss}, {24, kMpDss}}},
        Sweep{"dss_map8_ack4", 2, 0, 0x0d, kAck, 9, {{22, kMpDss}, {24, kMpDss}}},
        Sweep{"dss_map8_ack8_fin", 2, 0, 0x1f, kAck, 9, {{26, kMpDss}, {28, kMpDss}}},
        Sweep{"dss_on_syn", 2, 0, 0x01, kSynAck, 0, {}},
        Sweep{"add_addr",
              3,
              0,
              7,
              kAck,
              0,
              {{16, kMpAddAddr}, {18, kMpAddAddr}, {28, kMpAddAddr}, {30, kMpAddAddr}}},
        Sweep{"add_addr_echo",
              3,
              1,
              7,
              kAck,
              0,
              {{8, kMpAddAddr}, {10, kMpAddAddr}, {20, kMpAddAddr}, {22, kMpAddAddr}}},
        Sweep{"remove_addr", 4, 0, 7, kAck, 0, remove_addr_sizes()},
        Sweep{"prio", 5, 1, 7, kAck, 0, {{3, kMpPrio}}}, Sweep{"fail", 6, 0, 0, kAck, 0, {{12, kMpFail}}},
        Sweep{"fastclose", 7, 0, 0, kAck, 0, {{12, kMpFastclose}}},
        Sweep{"fastclose_rst", 7, 0, 0, kRst, 0, {{12, kMpFastclose}}},
        Sweep{"tcprst", 8, 1, 5, kRst | kAck, 0, {{4, kMpTcprst}}},
        Sweep{"tcprst_without_rst", 8, 1, 5, kAck, 0, {}}, Sweep{"unknown_9", 9, 0, 0, kAck, 0, {}},
        Sweep{"experimental_15", 15, 0, 0, kAck, 0, {}}),
    [](const auto& p) { return p.param.name; });

TEST(MpJoin, Rule13SynHasTokenAndNonce) {
  const auto p = parse(hex("1e 0c 11 05 aabbccdd 01020304"), kSyn);
  ASSERT_TRUE(p.o.has(kMpJoinSyn));
  EXPECT_TRUE(p.o.join.backup);
  EXPECT_EQ(p.o.join.address_id, 5);
  EXPECT_EQ(p.o.join.token, 0xaabbccddU);
  EXPECT_EQ(p.o.join.nonce, 0x01020304U);
}

TEST(MpJoin, Rule13SynAckHas64BitsOfHmac) {
  const auto p = parse(hex("1e 10 10 06 0102030405060708 a1a2a3a4"), kSynAck);
  ASSERT_TRUE(p.o.has(kMpJoinSynAck));
  EXPECT_FALSE(p.o.join.backup);
  EXPECT_EQ(p.o.join.address_id, 6);
  EXPECT_EQ(p.o.join.hmac64, 0x0102030405060708U);
  EXPECT_EQ(p.o.join.nonce, 0xa1a2a3a4U);
}

TEST(MpJoin, Rule13ThirdAckHas160BitsOfHmac) {
  const auto p = parse(hex("1e 18 10 00 000102030405060708090a0b0c0d0e0f10111213"), kAck);
  ASSERT_TRUE(p.o.has(kMpJoinAck));
  for (std::size_t i = 0; i < 20; ++i) EXPECT_EQ(std::to_integer<std::size_t>(p.o.join.hmac160[i]), i);
}

TEST(Dss, Rfc8684Clause33FullForm) {
  const auto p = parse(hex("1e 1c 20 1f 0102030405060708 1112131415161718 00000021 0594 cafe"), kAck, 1427);
  ASSERT_TRUE(p.o.has(kMpDss));
  const Dss& d = p.o.dss;
  EXPECT_TRUE(d.has_ack && d.ack_is_8 && d.has_map && d.dsn_is_8 && d.data_fin && d.has_checksum);
  EXPECT_EQ(d.data_ack, 0x0102030405060708U);
  EXPECT_EQ(d.dsn, 0x1112131415161718U);
  EXPECT_EQ(d.ssn, 0x21U);
  EXPECT_EQ(d.length, 1428);
  EXPECT_EQ(d.checksum, 0xcafe);
}

TEST(Dss, Rfc8684Clause33ShortForm) {
  const auto p = parse(hex("1e 12 20 05 01020304 11121314 00000021 0594"), kAck, 1428);
  ASSERT_TRUE(p.o.has(kMpDss));
  EXPECT_FALSE(p.o.dss.ack_is_8 || p.o.dss.dsn_is_8 || p.o.dss.has_checksum || p.o.dss.data_fin);
  EXPECT_EQ(p.o.dss.data_ack, 0x01020304U);
  EXPECT_EQ(p.o.dss.dsn, 0x11121314U);
}

TEST(Dss, Rule6MappingWithoutDataAck) {
  const auto p = parse(hex("1e 12 20 0c 1112131415161718 00000001 0004"), kAck, 4);
  ASSERT_TRUE(p.o.has(kMpDss));
  EXPECT_FALSE(p.o.dss.has_ack);
  EXPECT_EQ(p.o.dss.ssn, 1U);
}

TEST(Dss, Clause333DataFinNeedsAMapping) {
  const auto p = parse(hex("1e 08 20 11 01020304"), kAck);
  ASSERT_TRUE(p.o.has(kMpDss));
  EXPECT_FALSE(p.o.dss.data_fin);
  EXPECT_EQ(p.o.dss.data_ack, 0x01020304U);
}

TEST(Dss, ReservedBitsAreIgnored) {  // 3.3: reserved, zero when sent, ignored when received
  EXPECT_TRUE(parse(hex("1e 08 2f e1 01020304"), kAck).o.has(kMpDss));
}

TEST(AddAddr, Rule14Forms) {
  const auto v4 = parse(hex("1e 12 30 07 c6120105 01bb 0102030405060708"), kAck);
  ASSERT_TRUE(v4.o.has(kMpAddAddr));
  EXPECT_EQ(v4.o.add_addr.ip, Ip::v4(0xc6120105));
  EXPECT_EQ(v4.o.add_addr.port, 443);
  EXPECT_EQ(v4.o.add_addr.id, 7);
  EXPECT_EQ(v4.o.add_addr.hmac, 0x0102030405060708U);
  const auto echo = parse(hex("1e 14 31 07 20010db8000000000000000000000005"), kAck);
  ASSERT_TRUE(echo.o.has(kMpAddAddr));
  EXPECT_TRUE(echo.o.add_addr.echo);
  EXPECT_EQ(echo.o.add_addr.ip, Ip::v6(0x20010db800000000, 5));
  EXPECT_EQ(echo.o.add_addr.port, 0);
}

TEST(AddAddr, MappedAddressInTheIpv6FormIsIgnored) {
  EXPECT_FALSE(parse(hex("1e 14 31 07 00000000000000000000ffffc6120105"), kAck).ok);
}

TEST(RemoveAddr, Rule18IsAList) {
  const auto p = parse(hex("1e 06 40 01 02 ff"), kAck);
  ASSERT_TRUE(p.o.has(kMpRemoveAddr));
  ASSERT_EQ(p.o.remove_addr.count, 3);
  EXPECT_EQ(p.o.remove_addr.ids[0], 1);
  EXPECT_EQ(p.o.remove_addr.ids[1], 2);
  EXPECT_EQ(p.o.remove_addr.ids[2], 255);
}

TEST(MpPrio, Rule32HasNoAddressId) {
  EXPECT_TRUE(parse(hex("1e 03 51"), kAck).o.prio_backup);
  EXPECT_FALSE(parse(hex("1e 03 50"), kAck).o.prio_backup);
}

TEST(MpFail, Rule26StatesTheDataSequence) {
  EXPECT_EQ(parse(hex("1e 0c 60 00 0102030405060708"), kAck | kRst).o.fail_dsn, 0x0102030405060708U);
}

TEST(MpFastclose, Rule37CarriesTheReceiversKey) {
  EXPECT_EQ(parse(hex("1e 0c 70 00 0102030405060708"), kAck).o.fastclose_key, 0x0102030405060708U);
}

TEST(MpTcprst, Rule36OnlyOnRst) {
  const auto p = parse(hex("1e 04 81 05"), kRst);
  EXPECT_TRUE(p.o.tcprst.transient);
  EXPECT_EQ(p.o.tcprst.reason, 5);
  EXPECT_FALSE(parse(hex("1e 04 81 05"), kAck).ok);
}

TEST(MptcpOptions, FirstOfTwoEqualSubtypesCounts) {
  MptcpOptions o;
  ASSERT_TRUE(parse_mptcp_option(hex("1e 08 20 01 01020304"), kAck, 0, o));
  EXPECT_FALSE(parse_mptcp_option(hex("1e 08 20 01 0a0b0c0d"), kAck, 0, o));
  EXPECT_EQ(o.dss.data_ack, 0x01020304U);
}

TEST(MptcpOptions, SeveralSubtypesStandOnOneSegment) {  // 3.3
  MptcpOptions o;
  ASSERT_TRUE(parse_mptcp_option(hex("1e 08 20 01 01020304"), kAck, 0, o));
  ASSERT_TRUE(parse_mptcp_option(hex("1e 03 51"), kAck, 0, o));
  EXPECT_EQ(o.present, kMpDss | kMpPrio);
}

TEST(MptcpOptions, BodyShorterThanItsSubtypeIsIgnored) {
  MptcpOptions o;
  EXPECT_FALSE(parse_mptcp_option(hex("1e 02"), kAck, 0, o));
  EXPECT_FALSE(parse_mptcp_option({}, kAck, 0, o));
}

// Random bodies of right sizes: what is taken must survive emission and a second parse.
TEST(MptcpOptions, RandomBodiesSurviveReemission) {
  Rng rng(11);
  int taken = 0;
  for (int i = 0; i < 200'000; ++i) {
    Bytes bytes = test::random_bytes(rng, 3 + rng.below(38));
    bytes[0] = std::byte{30};
    bytes[1] = static_cast<std::byte>(bytes.size());
    bytes[2] &= std::byte{0x8f};  // subtypes 0-8 and a few unknown ones
    if (rng.below(2) == 0)
      bytes[2] = (bytes[2] & std::byte{0x0f}) | static_cast<std::byte>(rng.below(9) << 4);
    const auto flags = static_cast<std::uint8_t>(rng.next());
    const std::size_t payload = rng.below(2) == 0 ? 0 : rng.below(1500);
    TcpOptions out;
    parse_tcp_options(bytes, flags, payload, out);
    taken += out.mptcp.present != 0 ? 1 : 0;
    ASSERT_EQ(fuzz::check_reemission(out, flags, payload), "");
  }
  EXPECT_GT(taken, 5000);
}

}  // namespace
}  // namespace braid::wire
