#include "base/address.hpp"

#include <gtest/gtest.h>

namespace braid {
namespace {

using namespace std::string_view_literals;

TEST(Address, TextRoundTrip) {
  for (const char* text : {"0.0.0.0", "192.0.2.1", "255.255.255.255", "::", "::1", "2001:db8::1",
                           "fe80::1:2:3:4", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}) {
    const auto ip = parse_ip(text);
    ASSERT_TRUE(ip) << text;
    EXPECT_EQ(to_string(*ip), text);
  }
  EXPECT_EQ(*parse_ip("192.0.2.1"), Ip::v4(0xc0000201));
  EXPECT_EQ(*parse_ip("2001:db8::5"), Ip::v6(0x2001'0db8'0000'0000, 5));
  EXPECT_TRUE(parse_ip("::ffff:192.0.2.1")->is_v4());  // one form for both (RFC 4291 2.5.5.2)
}

TEST(Address, BadTextIsRefused) {
  for (const auto text :
       {""sv, " 1.2.3.4"sv, "1.2.3.4 "sv, "1.2.3"sv, "1.2.3.256"sv, "01.2.3.4"sv, "0x1.2.3.4"sv,
        "1.2.3.4.5"sv, "fe80::1%eth0"sv, ":::"sv, "2001:db8::1::2"sv, "1.2.3.4\0"sv, "1.2.3.4\0x"sv,
        "2001:db8::12345"sv, "2001:0db8:0000:0000:0000:0000:0000:0000:0000:0000:0000"sv})
    EXPECT_FALSE(parse_ip(text)) << text;
}

TEST(Address, Mac) {
  const auto mac = parse_mac("02:00:5e:10:AB:ff");
  ASSERT_TRUE(mac);
  EXPECT_EQ(to_string(*mac), "02:00:5e:10:ab:ff");
  EXPECT_FALSE(mac->is_group());
  EXPECT_TRUE(parse_mac("ff:ff:ff:ff:ff:ff")->is_group());
  for (const char* text :
       {"", "02:00:5e:10:ab", "02-00-5e-10-ab-ff", "02:00:5e:10:ab:fg", "02:00:5e:10:ab:+f",
        "02:00:5e:10:ab:-1", "02:00:5e:10:ab:ff:", "2:00:5e:10:ab:ff0"})
    EXPECT_FALSE(parse_mac(text)) << text;
}

TEST(Address, Prefix) {
  EXPECT_EQ(to_string(*parse_prefix("198.18.0.0/15")), "198.18.0.0/15");
  EXPECT_EQ(to_string(*parse_prefix("2001:db8::/32")), "2001:db8::/32");
  for (const char* text :
       {"198.18.0.0", "198.18.0.0/", "198.18.0.0/33", "2001:db8::/129", "/8", "198.18.0.0/-1",
        "198.18.0.0/08", "198.18.0.0/+8", "198.18.0.0/8 ", "198.18.0.0/99999999999"})
    EXPECT_FALSE(parse_prefix(text)) << text;
}

TEST(Address, PrefixContains) {
  const auto in = [](const char* prefix, const char* ip) {
    return parse_prefix(prefix)->contains(*parse_ip(ip));
  };
  EXPECT_TRUE(in("198.18.0.0/15", "198.19.255.255"));
  EXPECT_FALSE(in("198.18.0.0/15", "198.20.0.0"));
  EXPECT_TRUE(in("0.0.0.0/0", "203.0.113.9"));
  EXPECT_FALSE(in("0.0.0.0/0", "2001:db8::1"));
  EXPECT_TRUE(in("::/0", "2001:db8::1"));
  EXPECT_FALSE(in("::/0", "203.0.113.9"));
  EXPECT_TRUE(in("192.0.2.7/32", "192.0.2.7"));
  EXPECT_FALSE(in("192.0.2.7/32", "192.0.2.6"));
  EXPECT_TRUE(in("2001:db8:0:1::/64", "2001:db8:0:1:ffff::"));
  EXPECT_FALSE(in("2001:db8:0:1::/64", "2001:db8:0:2::"));
  EXPECT_TRUE(in("2001:db8::8/125", "2001:db8::f"));
  EXPECT_FALSE(in("2001:db8::8/125", "2001:db8::10"));
  EXPECT_TRUE(in("2001:db8::8/128", "2001:db8::8"));
  EXPECT_FALSE(in("2001:db8::8/128", "2001:db8::9"));
}

TEST(Address, FirstAndLastOfANetworkAreNoHosts) {
  const auto no_host = [](const char* prefix, const char* ip) {
    return parse_prefix(prefix)->is_no_host(*parse_ip(ip));
  };
  EXPECT_TRUE(no_host("198.18.0.1/24", "198.18.0.0"));
  EXPECT_TRUE(no_host("198.18.0.1/24", "198.18.0.255"));
  EXPECT_TRUE(no_host("198.18.0.1/30", "198.18.0.3"));
  EXPECT_TRUE(no_host("0.0.0.0/0", "255.255.255.255"));
  EXPECT_FALSE(no_host("198.18.0.1/24", "198.18.0.254"));
  EXPECT_FALSE(no_host("198.18.0.1/24", "198.18.1.255")) << "of another network";
  EXPECT_FALSE(no_host("198.18.0.1/31", "198.18.0.0"));
  EXPECT_FALSE(no_host("198.18.0.1/32", "198.18.0.1"));
  EXPECT_FALSE(no_host("2001:db8::1/64", "2001:db8::"));
}

TEST(Address, Endpoint) {
  EXPECT_EQ(to_string(*parse_endpoint("192.0.2.1:80")), "192.0.2.1:80");
  EXPECT_EQ(to_string(*parse_endpoint("[2001:db8::1]:65535")), "[2001:db8::1]:65535");
  for (const char* text :
       {"192.0.2.1", "192.0.2.1:", "192.0.2.1:65536", "192.0.2.1:+80", "192.0.2.1:080", "2001:db8::1:80",
        "[192.0.2.1]:80", "[2001:db8::1]", "[2001:db8::1]80", ":80", "[]:80"})
    EXPECT_FALSE(parse_endpoint(text)) << text;
}

TEST(Address, Rfc9293NoConnectionWithGroupAddresses) {
  for (const char* text : {"0.1.2.3", "224.0.0.1", "255.255.255.255", "::", "ff02::1", "0.0.0.0"})
    EXPECT_FALSE(parse_ip(text)->is_unicast()) << text;
  for (const char* text : {"1.0.0.0", "223.255.255.255", "127.0.0.1", "::1", "fe80::1", "2001:db8::1"})
    EXPECT_TRUE(parse_ip(text)->is_unicast()) << text;
}

TEST(Address, LinkLocal) {
  for (const char* text : {"169.254.0.1", "fe80::1", "febf:ffff::1"})
    EXPECT_TRUE(parse_ip(text)->is_link_local()) << text;
  for (const char* text : {"169.253.0.1", "fec0::1", "fe7f::1", "2001:db8::1", "192.0.2.1"})
    EXPECT_FALSE(parse_ip(text)->is_link_local()) << text;
}

TEST(Address, FlowPrintsSenderFirst) {
  const Flow flow{*parse_endpoint("192.0.2.1:80"), *parse_endpoint("198.51.100.2:4000")};
  EXPECT_EQ(to_string(flow), "198.51.100.2:4000 > 192.0.2.1:80");
}

}  // namespace
}  // namespace braid
