#include "wire/frame.hpp"

#include <gtest/gtest.h>

#include "fuzz/reemit.hpp"
#include "unit/wire/frames.hpp"

namespace braid::wire {
namespace {

using test::Bytes;
using test::FrameSpec;
using test::hex;
using test::v6_spec;

FrameKind kind_of(const Bytes& frame, Trust trust = Trust::verify) {
  TcpFrame out;
  return parse_frame(frame, trust, out);
}
FrameKind kind_of(const FrameSpec& spec) { return kind_of(spec.build()); }

FrameSpec with_data(FrameSpec spec, std::size_t n = 1428) {
  Rng rng(n);
  spec.options = hex("0101080a 01020304 05060708 1e162005 aabbccdd 11121314 00000001 0594 0101");
  spec.options[13] = std::byte{18};
  spec.payload = test::random_bytes(rng, n);
  return spec;
}

class BothFamilies : public testing::TestWithParam<bool> {
 protected:
  static FrameSpec spec() { return GetParam() ? v6_spec() : FrameSpec{}; }
  static std::size_t ip_header() { return GetParam() ? kIpv6Header : kIpv4Header; }
};
INSTANTIATE_TEST_SUITE_P(Ip, BothFamilies, testing::Bool(),
                         [](const auto& p) { return p.param ? "v6" : "v4"; });

TEST_P(BothFamilies, DataSegmentIsTakenApart) {
  FrameSpec s = with_data(spec());
  s.tos = 0xb9;  // ECN 1
  s.flags = kAck | kPsh | kCwr;
  for (const Trust trust : {Trust::verify, Trust::checksum_good}) {
    TcpFrame f;
    ASSERT_EQ(parse_frame(s.build(), trust, f), FrameKind::tcp);
    EXPECT_EQ(f.flow.remote, (Endpoint{s.source, 40000}));
    EXPECT_EQ(f.flow.local, (Endpoint{s.destination, 443}));
    EXPECT_EQ(f.seq.raw, 0x01020304U);
    EXPECT_EQ(f.ack.raw, 0x0a0b0c0dU);
    EXPECT_EQ(f.window, 0x7fff);
    EXPECT_EQ(f.flags, kAck | kPsh | kCwr);
    EXPECT_EQ(f.ecn, 1);
    EXPECT_EQ(f.l3_offset, 14);
    EXPECT_EQ(f.l4_offset, 14 + ip_header());
    EXPECT_EQ(f.payload_offset, 14 + ip_header() + 20 + s.options.size());
    EXPECT_EQ(f.payload_length, 1428);
    EXPECT_EQ(f.payload_sum, test::naive_sum(s.payload));
    EXPECT_EQ(to_string(f.source_mac), "02:00:00:00:00:02");
    EXPECT_TRUE(f.options.has_timestamps);
    EXPECT_TRUE(f.options.mptcp.has(kMpDss));
    EXPECT_EQ(f.seq_length(), 1428U);
  }
}

TEST_P(BothFamilies, PayloadSumIsRightForEveryLength) {
  for (std::size_t n = 0; n < 300; ++n) {
    const FrameSpec s = with_data(spec(), n);
    for (const Trust trust : {Trust::verify, Trust::checksum_good}) {
      TcpFrame f;
      f.payload_sum = 0xdead;
      ASSERT_EQ(parse_frame(s.build(), trust, f), FrameKind::tcp);
      ASSERT_EQ(f.payload_sum, test::naive_sum(s.payload)) << n;
    }
  }
}

TEST_P(BothFamilies, EveryTruncationIsRefused) {
  const FrameSpec s = with_data(spec(), 40);
  const Bytes whole = s.build();
  for (std::size_t n = 0; n < whole.size(); ++n) {
    const Bytes part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n));
    const FrameKind want = n < 14 + ip_header() ? FrameKind::short_frame : FrameKind::bad_ip_header;
    for (const Trust trust : {Trust::verify, Trust::checksum_good})
      ASSERT_EQ(kind_of(part, trust), want) << n;
  }
  EXPECT_EQ(kind_of(whole), FrameKind::tcp);
}

TEST_P(BothFamilies, EverySingleBitErrorInTheSegmentIsFound) {
  const Bytes whole = with_data(spec(), 64).build();
  for (std::size_t i = 14 + ip_header(); i < whole.size(); ++i) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      Bytes broken = whole;
      broken[i] ^= static_cast<std::byte>(1U << bit);
      const FrameKind kind = kind_of(broken);
      ASSERT_TRUE(kind == FrameKind::bad_tcp_checksum ||
                  (i == 14 + ip_header() + 12 && kind == FrameKind::bad_tcp_header))
          << i << ' ' << bit << ' ' << static_cast<int>(kind);
    }
  }
}

TEST_P(BothFamilies, EthernetPaddingIsIgnored) {
  FrameSpec s = spec();
  s.padding = Bytes(6, std::byte{0xff});
  TcpFrame f;
  ASSERT_EQ(parse_frame(s.build(), Trust::verify, f), FrameKind::tcp);
  EXPECT_EQ(f.payload_length, 0);
  EXPECT_EQ(f.payload_sum, 0);
}

TEST_P(BothFamilies, ImpossibleDataOffset) {
  Bytes frame = spec().build();
  const std::size_t at = 14 + ip_header() + 12;
  for (const int offset : {0, 4, 6, 15}) {
    frame[at] = static_cast<std::byte>(offset << 4);
    EXPECT_EQ(kind_of(frame), FrameKind::bad_tcp_header) << offset;
  }
}

TEST_P(BothFamilies, LandAttackIsRefused) {
  FrameSpec s = spec();
  s.source = s.destination;
  EXPECT_EQ(kind_of(s), FrameKind::bad_source);
}

TEST_P(BothFamilies, WrittenHeadersAreParsedBack) {
  Rng rng(5);
  for (int i = 0; i < 3000; ++i) {
    FrameSpec base = spec();
    Bytes payload = test::random_bytes(rng, rng.below(4) == 0 ? 0 : rng.below(1461));
    Bytes room(kMaxHeaders);
    test::append(room, payload);
    FrameOut out;
    out.flow = {{base.source, static_cast<std::uint16_t>(rng.next())},
                {base.destination, static_cast<std::uint16_t>(rng.next())}};
    out.source = Mac{{2, 0, 0, 0, 0, 9}};
    out.destination = Mac{{2, 0, 0, 0, 0, 8}};
    out.seq = SubSeq(rng.next32());
    out.ack = SubSeq(rng.next32());
    out.window = static_cast<std::uint16_t>(rng.next());
    out.flags = static_cast<std::uint8_t>(rng.next());
    out.ecn = static_cast<std::uint8_t>(rng.below(4));
    out.ip = {static_cast<std::uint8_t>(rng.below(64)), static_cast<std::uint8_t>(1 + rng.below(255))};
    for (std::uint32_t tags = rng.below(3); tags != 0; --tags)
      out.vlan.push(rng.below(2) == 0 ? kEtherVlan : kEtherServiceVlan,
                    static_cast<std::uint16_t>(1 + rng.below(4094)));
    out.payload_length = static_cast<std::uint16_t>(payload.size());
    out.payload_sum = test::naive_sum(payload);
    OptionBuffer options;
    if (rng.below(2) == 0) options.timestamps(rng.next32(), rng.next32());
    Dss d;
    d.has_ack = rng.below(2) == 0;
    d.has_map = rng.below(2) == 0;
    if (rng.below(2) == 0) options.dss(d);
    const std::size_t n = write_headers(room.data() + kMaxHeaders, out, options.padded(), ChecksumMode::full);
    ASSERT_EQ(n, 14 + out.vlan.bytes() + ip_header() + 20 + options.size());
    const ByteView frame = ByteView(room).subspan(kMaxHeaders - n);
    TcpFrame f;
    ASSERT_EQ(parse_frame(frame, Trust::verify, f), FrameKind::tcp);
    ASSERT_EQ(f.flow, (Flow{out.flow.remote, out.flow.local}));
    ASSERT_EQ(f.seq, out.seq);
    ASSERT_EQ(f.ack, out.ack);
    ASSERT_EQ(f.window, out.window);
    ASSERT_EQ(f.flags, out.flags);
    ASSERT_EQ(f.ecn, out.ecn);
    ASSERT_EQ(f.source_mac, out.source);
    ASSERT_EQ(f.vlan, out.vlan);
    ASSERT_EQ(f.l3_offset, 14 + out.vlan.bytes());
    ASSERT_EQ(fuzz::check_rewritten(frame, f), "");
    const std::byte* ip = frame.data() + f.l3_offset;
    const bool v4 = out.flow.local.ip.is_v4();
    const unsigned tos = v4 ? load_be<std::uint8_t>(ip + 1) : load_be<std::uint16_t>(ip) >> 4 & 0xff;
    ASSERT_EQ(tos, out.ip.dscp << 2U | out.ecn);
    ASSERT_EQ(load_be<std::uint8_t>(ip + (v4 ? 8 : 7)), out.ip.ttl);
  }
}

TEST_P(BothFamilies, OffloadLeavesThePseudoHeaderSumInTheField) {
  const FrameSpec s = spec();
  Bytes room(kMaxHeaders + 100);
  FrameOut out;
  out.flow = {{s.source, 1}, {s.destination, 2}};
  out.payload_length = 100;
  const std::size_t n = write_headers(room.data() + kMaxHeaders, out, {}, ChecksumMode::offload);
  const std::byte* tcp = room.data() + kMaxHeaders - 20;
  Bytes pseudo = test::address_bytes(s.source);
  test::append(pseudo, test::address_bytes(s.destination));
  test::append32(pseudo, 120);
  test::append32(pseudo, 6);
  EXPECT_EQ(load_be<std::uint16_t>(tcp + 16), test::naive_sum(pseudo));
  EXPECT_EQ(n, 14 + ip_header() + 20);
}

TEST_P(BothFamilies, RandomDamageNeverBreaksTheParser) {
  Rng rng(77);
  const Bytes whole = with_data(spec(), 60).build();
  for (int i = 0; i < 100'000; ++i) {
    Bytes frame = whole;
    const unsigned hits = 1 + rng.below(6);
    for (unsigned k = 0; k < hits; ++k)
      frame[12 + rng.below(static_cast<std::uint32_t>(frame.size()) - 12)] =
          static_cast<std::byte>(rng.next());
    if (rng.below(4) == 0) frame.resize(rng.below(static_cast<std::uint32_t>(frame.size())) + 1);
    frame.shrink_to_fit();
    TcpFrame f;
    if (parse_frame(frame, Trust::checksum_good, f) == FrameKind::tcp) {
      ASSERT_EQ(fuzz::check_rewritten(frame, f), "");
    }
    parse_frame(frame, Trust::verify, f);
  }
}

TEST(Frame, RandomBytesNeverBreakTheParser) {
  Rng rng(78);
  for (int i = 0; i < 100'000; ++i) {
    Bytes frame = test::random_bytes(rng, rng.below(120));
    if (frame.size() > 14) {
      frame[12] = std::byte{0x08};
      frame[13] = std::byte{0x00};
      frame[14] = std::byte{0x45};
      if (rng.below(2) == 0) {
        frame[12] = std::byte{0x86};
        frame[13] = std::byte{0xdd};
        frame[14] = std::byte{0x60};
      }
    }
    TcpFrame f;
    parse_frame(frame, Trust::checksum_good, f);
    parse_frame(frame, Trust::verify, f);
  }
}

TEST(Frame, OtherEthertypesAreOther) {
  for (const char* type : {"0806", "8100", "88cc", "0001"}) {
    Bytes frame = hex("020000000001020000000002");
    test::append(frame, hex(type));
    EXPECT_EQ(kind_of(frame), FrameKind::other) << type;
  }
}

TEST(FrameV4, BadHeaders) {
  Bytes frame = FrameSpec{}.build();
  frame[14] = std::byte{0x44};
  EXPECT_EQ(kind_of(frame), FrameKind::bad_ip_header);
  frame[14] = std::byte{0x65};
  EXPECT_EQ(kind_of(frame), FrameKind::bad_ip_header);
  frame = FrameSpec{}.build();
  test::set16(frame, 16, 19);
  EXPECT_EQ(kind_of(frame), FrameKind::bad_ip_header);
  frame = FrameSpec{}.build();
  frame[22] ^= std::byte{1};
  EXPECT_EQ(kind_of(frame), FrameKind::bad_ip_checksum);
  EXPECT_EQ(kind_of(frame, Trust::checksum_good), FrameKind::tcp);
}

TEST(FrameV4, SegmentShorterThanATcpHeader) {
  Bytes frame = FrameSpec{}.build();
  test::set16(frame, 16, 39);
  EXPECT_EQ(kind_of(frame, Trust::checksum_good), FrameKind::short_frame);
}

TEST(FrameV4, IpOptionsAreSteppedOver) {
  FrameSpec s;
  s.ip_options = hex("94040000");
  s.payload = hex("0102");
  TcpFrame f;
  ASSERT_EQ(parse_frame(s.build(), Trust::verify, f), FrameKind::tcp);
  EXPECT_EQ(f.l4_offset, 38);
}

TEST(FrameV4, FragmentsTellTheirAddressesOnly) {
  for (const int bits : {0x2000, 0x0001, 0x1fff, 0x2001}) {
    FrameSpec s;
    s.fragment = static_cast<std::uint16_t>(bits);
    TcpFrame f;
    f.seq = SubSeq(42);
    ASSERT_EQ(parse_frame(s.build(), Trust::verify, f), FrameKind::fragment) << bits;
    EXPECT_EQ(f.flow, (Flow{{s.destination, 0}, {s.source, 0}}));
    EXPECT_EQ(f.seq.raw, 42U);
  }
}

TEST(FrameV4, OtherProtocolsAreOtherWhateverTheirSource) {
  FrameSpec s;
  s.protocol = 17;
  EXPECT_EQ(kind_of(s), FrameKind::other);
  s.source = Ip::v4(0);  // DHCP
  EXPECT_EQ(kind_of(s), FrameKind::other);
}

TEST(Frame, Rfc9293SourceMustBeUnicastAndNotLoopback) {
  for (const char* text : {"0.0.0.0", "127.0.0.1", "127.255.0.1", "224.0.0.1", "255.255.255.255"}) {
    FrameSpec s;
    s.source = *parse_ip(text);
    EXPECT_EQ(kind_of(s), FrameKind::bad_source) << text;
  }
  for (const char* text : {"::", "::1", "ff02::1"}) {
    FrameSpec s = v6_spec();
    s.source = *parse_ip(text);
    EXPECT_EQ(kind_of(s), FrameKind::bad_source) << text;
  }
}

TEST(FrameV6, MappedAddressesOnTheWireAreRefused) {
  for (const std::size_t at : {22U, 38U}) {
    Bytes frame = v6_spec().build();
    const Bytes mapped = hex("00000000000000000000ffffc6120105");
    std::copy(mapped.begin(), mapped.end(), frame.begin() + static_cast<std::ptrdiff_t>(at));
    EXPECT_EQ(kind_of(frame, Trust::checksum_good), FrameKind::bad_source) << at;
  }
}

TEST(FrameV6, BadHeaders) {
  Bytes frame = v6_spec().build();
  frame[14] = std::byte{0x40};
  EXPECT_EQ(kind_of(frame), FrameKind::bad_ip_header);
  frame = v6_spec().build();
  test::set16(frame, 18, 21);
  EXPECT_EQ(kind_of(frame), FrameKind::bad_ip_header);
}

struct Chain {
  const char* name;
  int first;
  const char* extensions;
  FrameKind want;
};
class Extensions : public testing::TestWithParam<Chain> {};

TEST_P(Extensions, Rfc8200Clause4) {
  FrameSpec s = v6_spec();
  s.first_next = static_cast<std::uint8_t>(GetParam().first);
  s.extensions = hex(GetParam().extensions);
  s.payload = hex("616263");
  TcpFrame f;
  EXPECT_EQ(parse_frame(s.build(), Trust::verify, f), GetParam().want);
  if (GetParam().want == FrameKind::tcp) {
    EXPECT_EQ(f.l4_offset, 54 + s.extensions.size());
    EXPECT_EQ(f.payload_length, 3);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Chains, Extensions,
    testing::Values(
        Chain{"hop_by_hop_padding", 0, "0600010400000000", FrameKind::tcp},
        Chain{"hop_by_hop_long", 0, "0601010c000000000000000000000000", FrameKind::tcp},
        Chain{"router_alert", 0, "0600050200000000", FrameKind::tcp},
        Chain{"destination", 60, "0600010400000000", FrameKind::tcp},
        Chain{"both", 0, "3c00010400000000 0600010400000000", FrameKind::tcp},
        Chain{"hop_by_hop_not_first", 60, "0000010400000000 0600010400000000", FrameKind::bad_extension},
        Chain{"option_that_forbids", 60, "0600c20400000000", FrameKind::bad_extension},
        Chain{"option_overruns", 60, "0600010500000000", FrameKind::bad_extension},
        Chain{"routing_done", 43, "0600040000000000", FrameKind::tcp},
        Chain{"routing_left", 43, "0600040100000000", FrameKind::bad_extension},
        Chain{"routing_left_then_udp", 43, "1100040100000000", FrameKind::other},
        Chain{"atomic_fragment_rfc6946", 44, "0600000012345678", FrameKind::tcp},
        Chain{"first_fragment", 44, "0600000112345678", FrameKind::fragment},
        Chain{"later_fragment", 44, "0600000812345678", FrameKind::fragment},
        Chain{"eight", 60,
              "3c00010400000000 3c00010400000000 3c00010400000000 3c00010400000000"
              "3c00010400000000 3c00010400000000 3c00010400000000 0600010400000000",
              FrameKind::tcp},
        Chain{"nine", 60,
              "3c00010400000000 3c00010400000000 3c00010400000000 3c00010400000000 3c00010400000000"
              "3c00010400000000 3c00010400000000 3c00010400000000 0600010400000000",
              FrameKind::bad_extension},
        Chain{"no_next_header", 59, "", FrameKind::other}, Chain{"icmp", 58, "", FrameKind::other},
        Chain{"authentication", 51, "", FrameKind::other},
        Chain{"length_beyond_packet", 60, "06ff010400000000", FrameKind::bad_extension}),
    [](const auto& p) { return p.param.name; });

TEST(FrameV6, ExtensionCutOffIsMalformed) {
  Bytes frame = v6_spec().build();
  frame[20] = std::byte{60};
  test::set16(frame, 18, 7);
  EXPECT_EQ(kind_of(frame), FrameKind::bad_extension);
}

TEST(FrameV4, Rfc6864WritesDfAndIdentificationZero) {
  Bytes room(kMaxHeaders);
  FrameOut out;
  const FrameSpec s;
  out.flow = {{s.source, 1}, {s.destination, 2}};
  out.ip.dscp = 0x0b;
  out.ecn = 2;
  write_headers(room.data() + kMaxHeaders, out, {}, ChecksumMode::full);
  const Bytes ip(room.end() - 40, room.end() - 20);
  EXPECT_EQ(test::naive_sum(ip), 0xffff);
  EXPECT_EQ(load_be<std::uint32_t>(ip.data()), 0x452e0028U);
  EXPECT_EQ(load_be<std::uint32_t>(ip.data() + 4), 0x00004000U);
  EXPECT_EQ(load_be<std::uint16_t>(ip.data() + 8), 0x4006U);
}

TEST(Frame, SequenceSpaceCountsSynAndFin) {
  TcpFrame f;
  f.payload_length = 10;
  f.flags = kSyn | kFin;
  EXPECT_EQ(f.seq_length(), 12U);
}

TEST(Print, OneLineInTcpdumpsManner) {
  FrameSpec s;
  s.options = hex("0101080a 00000001 00000002 1e142005 00000005 00000007 00000001 0003 0101");
  s.options[13] = std::byte{18};
  s.payload = hex("616263");
  s.flags = kAck | kPsh;
  TcpFrame f;
  ASSERT_EQ(parse_frame(s.build(), Trust::verify, f), FrameKind::tcp);
  EXPECT_EQ(to_string(f),
            "198.18.1.2:40000 > 198.18.0.1:443: Flags [P.], seq 16909060:16909063, ack 168496141, win 32767, "
            "options "
            "[TS val 1 ecr 2,mptcp dss ack4 5 seq4 7 subseq 1 len 3], length 3");
}

}  // namespace
}  // namespace braid::wire
