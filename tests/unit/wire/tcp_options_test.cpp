#include "wire/tcp_options.hpp"

#include <gtest/gtest.h>

#include "fuzz/reemit.hpp"
#include "unit/wire/frames.hpp"

namespace braid::wire {
namespace {

using test::Bytes;
using test::hex;

TcpOptions parse(const Bytes& bytes, std::uint8_t flags = kAck, std::size_t payload = 0) {
  TcpOptions out;
  parse_tcp_options(bytes, flags, payload, out);
  return out;
}

TEST(TcpOptions, LinuxSyn) {
  const auto o = parse(hex("020405b4 0402 080a 00000001 00000000 01 030307 1e040101"), kSyn);
  EXPECT_TRUE(o.has_mss && o.sack_permitted && o.has_timestamps && o.has_window_scale);
  EXPECT_EQ(o.mss, 1460);
  EXPECT_EQ(o.window_scale, 7);
  EXPECT_EQ(o.ts_value, 1U);
  EXPECT_TRUE(o.mptcp.has(kMpCapable));
  EXPECT_EQ(o.ignored, 0);
}

TEST(TcpOptions, AlignedTimestampsThenDss) {
  const auto o = parse(hex("0101080a 01020304 05060708 1e080201 aabbccdd"));
  EXPECT_TRUE(o.has_timestamps);
  EXPECT_EQ(o.ts_value, 0x01020304U);
  EXPECT_EQ(o.ts_echo, 0x05060708U);
  EXPECT_EQ(o.ignored, 1) << "subtype 0 in this form is no MP_CAPABLE";
  const auto good = parse(hex("0101080a 01020304 05060708 1e082001 aabbccdd"));
  EXPECT_TRUE(good.mptcp.has(kMpDss));
  EXPECT_EQ(good.mptcp.dss.data_ack, 0xaabbccddU);
}

TEST(TcpOptions, TimestampsInAnyPlace) {
  for (const char* text : {"080a0102030405060708", "01080a0102030405060708", "0101080a0102030405060708",
                           "010101080a0102030405060708", "080a010203040506070800"}) {
    const auto o = parse(hex(text));
    EXPECT_TRUE(o.has_timestamps) << text;
    EXPECT_EQ(o.ts_echo, 0x05060708U) << text;
  }
}

TEST(TcpOptions, Rfc7323Clause23ScaleIsClampedTo14) {
  EXPECT_EQ(parse(hex("0303ff"), kSyn).window_scale, 14);
  EXPECT_EQ(parse(hex("03030e"), kSyn).window_scale, 14);
}

TEST(TcpOptions, SynOnlyOptionsElsewhereAreIgnored) {
  const auto o = parse(hex("020405b4 030307 0402"), kAck);
  EXPECT_FALSE(o.has_mss || o.has_window_scale || o.sack_permitted);
  EXPECT_EQ(o.ignored, 3);
}

TEST(TcpOptions, Rfc2018SackBlocks) {
  const auto o = parse(hex("0101 0512 00000001 00000002 00000003 00000004"));
  ASSERT_EQ(o.sack_count, 2);
  EXPECT_EQ(o.sack[1].begin.raw, 3U);
  EXPECT_EQ(o.sack[1].end.raw, 4U);
  EXPECT_EQ(parse(hex("0502")).ignored, 1);
  EXPECT_EQ(parse(hex("0509 01020304050607")).sack_count, 0);
}

TEST(TcpOptions, WrongSizesAreSkippedAndTheRestStands) {
  const auto o = parse(hex("0203ff 0304ffff 0403ff 0809 ffffffffffffff 020405b4"), kSyn);
  EXPECT_EQ(o.ignored, 4);
  EXPECT_TRUE(o.has_mss);
  EXPECT_FALSE(o.has_window_scale || o.sack_permitted || o.has_timestamps);
}

TEST(TcpOptions, UnknownKindsAreSkippedWithoutCounting) {
  const auto o = parse(hex("2206 01020304 fd04f989 020405b4"), kSyn);
  EXPECT_EQ(o.ignored, 0);
  EXPECT_TRUE(o.has_mss);
}

TEST(TcpOptions, EndOfListStopsTheWalk) { EXPECT_FALSE(parse(hex("00 020405b4"), kSyn).has_mss); }

TEST(TcpOptions, LengthThatCannotBeTrustedEndsTheWalk) {
  for (const char* text : {"020405b4 0300 0402", "020405b4 0301 0402", "020405b4 03090402", "020405b4 03"}) {
    const auto o = parse(hex(text), kSyn);
    EXPECT_TRUE(o.has_mss) << text;
    EXPECT_FALSE(o.sack_permitted) << text;
    EXPECT_EQ(o.ignored, 1) << text;
  }
}

TEST(TcpOptions, NothingOfAnEarlierSegmentStays) {
  TcpOptions o;
  parse_tcp_options(hex("020405b4 0402 080a0000000100000000 01 030307 1e040101"), kSyn, 0, o);
  parse_tcp_options(hex("050a 00000001 00000002 0300"), kAck, 0, o);
  parse_tcp_options({}, kAck, 0, o);
  EXPECT_FALSE(o.has_mss || o.has_window_scale || o.sack_permitted || o.has_timestamps);
  EXPECT_EQ(o.sack_count, 0);
  EXPECT_EQ(o.ignored, 0);
  EXPECT_EQ(o.mptcp.present, 0);
}

TEST(TcpOptions, EveryTruncationIsSafe) {
  const Bytes whole =
      hex("0101080a 01020304 05060708 1e1c201f 0102030405060708 1112131415161718 00000021 0594 cafe");
  for (std::size_t n = 0; n <= whole.size(); ++n) {
    const Bytes part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n));
    const auto o = parse(part);
    EXPECT_EQ(o.has_timestamps, n >= 12) << n;
    EXPECT_EQ(o.mptcp.has(kMpDss), n == whole.size()) << n;
  }
}

TEST(TcpOptions, RandomBytesSurviveReemission) {
  Rng rng(21);
  for (int i = 0; i < 200'000; ++i) {
    Bytes bytes = test::random_bytes(rng, rng.below(41));
    for (auto& b : bytes)  // mostly bytes that mean something
      if (rng.below(3) != 0) b = static_cast<std::byte>(rng.below(34));
    const auto flags = static_cast<std::uint8_t>(rng.next());
    const std::size_t payload = rng.below(3);
    ASSERT_EQ(fuzz::check_reemission(parse(bytes, flags, payload), flags, payload), "");
  }
}

TEST(OptionBuffer, PadsWithNopsToFourBytes) {
  OptionBuffer b;
  EXPECT_TRUE(b.mp_prio(true));
  const ByteView v = b.padded();
  ASSERT_EQ(v.size(), 4U);
  EXPECT_EQ(std::to_integer<int>(v[3]), 1);
  EXPECT_EQ(b.padded().size(), 4U);
}

TEST(OptionBuffer, WhatDoesNotFitLeavesTheBufferAsItWas) {
  OptionBuffer b;
  MpJoin join;
  ASSERT_TRUE(b.timestamps(1, 2));
  ASSERT_TRUE(b.mp_join_ack(join));
  ASSERT_EQ(b.room(), 4U);
  EXPECT_FALSE(b.mp_fastclose(1));
  EXPECT_FALSE(b.timestamps(1, 2));
  EXPECT_EQ(b.sack(std::array{SackBlock{SubSeq(1), SubSeq(2)}}), 0U);
  const std::array<std::uint8_t, 2> ids{1, 2};
  EXPECT_FALSE(b.remove_addr(ids));
  EXPECT_EQ(b.size(), 36U);
  EXPECT_TRUE(b.mp_tcprst({true, 2}));
  EXPECT_EQ(b.room(), 0U);
}

TEST(OptionBuffer, Rule31TimestampsAndFullDssFillTheSpace) {
  OptionBuffer b;
  Dss d;
  d.has_ack = d.ack_is_8 = d.has_map = d.dsn_is_8 = d.has_checksum = true;
  EXPECT_EQ(dss_size(d), 28U);
  EXPECT_TRUE(b.timestamps(1, 2));
  EXPECT_TRUE(b.dss(d));
  EXPECT_EQ(b.room(), 0U);
}

TEST(OptionBuffer, Rule31SackBesideADataAck) {
  const std::array blocks{SackBlock{SubSeq(1), SubSeq(2)}, SackBlock{SubSeq(3), SubSeq(4)},
                          SackBlock{SubSeq(5), SubSeq(6)}, SackBlock{SubSeq(7), SubSeq(8)},
                          SackBlock{SubSeq(9), SubSeq(10)}};
  for (const bool wide : {true, false}) {
    OptionBuffer b;
    Dss d;
    d.has_ack = true;
    d.ack_is_8 = wide;
    ASSERT_TRUE(b.timestamps(1, 2));
    ASSERT_TRUE(b.dss(d));
    EXPECT_EQ(b.sack(blocks), wide ? 1U : 2U);
    EXPECT_LE(b.padded().size(), kMaxOptionBytes);
  }
  OptionBuffer alone;
  EXPECT_EQ(alone.sack(blocks), 4U);
  OptionBuffer none;
  EXPECT_EQ(none.sack({}), 0U);
  EXPECT_EQ(none.size(), 0U);
}

TEST(OptionBuffer, Rule31AddAddrIpv6WithPortLeavesNoRoomForTimestamps) {
  OptionBuffer b;
  AddAddr a;
  a.ip = Ip::v6(0x20010db800000000, 1);
  a.port = 443;
  ASSERT_TRUE(b.add_addr(a));
  EXPECT_EQ(b.size(), 30U);
  EXPECT_FALSE(b.timestamps(1, 2));
}

TEST(OptionBuffer, WireBytesOfTheHandshake) {
  const auto bytes = [](OptionBuffer& b) {
    const ByteView v = b.padded();
    return Bytes(v.begin(), v.end());
  };
  OptionBuffer syn;
  syn.mss(1460);
  syn.sack_permitted();
  syn.window_scale(7);
  syn.mp_capable({});
  EXPECT_EQ(bytes(syn), hex("020405b4 0402 030307 1e040101 010101"));
  OptionBuffer ack;
  MpCapable m;
  m.keys = 2;
  m.sender_key = 0x0102030405060708;
  m.receiver_key = 0x1112131415161718;
  m.has_data_length = m.has_checksum = m.checksum_required = true;
  m.data_length = 0x0594;
  m.checksum = 0xbeef;
  ack.mp_capable(m);
  EXPECT_EQ(bytes(ack), hex("1e180181 0102030405060708 1112131415161718 0594 beef"));
}

}  // namespace
}  // namespace braid::wire
