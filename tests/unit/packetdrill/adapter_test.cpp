// The stack that packetdrill drives, through the table of functions that packetdrill uses.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cerrno>
#include <string>

#include "kit/edit.hpp"
#include "kit/script.hpp"
#include "packetdrill/canonical.hpp"
#include "packetdrill/interface.hpp"

namespace braid::drill {
namespace {

using kit::A;
using kit::F;
using kit::Packet;
using kit::S;

class Adapter : public ::testing::Test {
 protected:
  void SetUp() override { packetdrill_interface_init("local=198.18.0.10", &ifc_); }
  void TearDown() override { ifc_.free(ifc_.state); }

  long long micros_now() {
    timeval tv{};
    ifc_.gettimeofday(ifc_.state, &tv, nullptr);
    return tv.tv_sec * 1'000'000LL + tv.tv_usec;
  }
  static sockaddr_in address(std::uint32_t ip, std::uint16_t port) {
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(ip);
    a.sin_port = htons(port);
    return a;
  }
  int socket(int protocol = IPPROTO_TCP) { return ifc_.socket(ifc_.state, AF_INET, SOCK_STREAM, protocol); }
  void inject(std::uint8_t flags, std::uint32_t seq, std::uint32_t ack, const std::string& data = "") {
    const kit::Say say{.flags = flags, .window = std::uint16_t{0xffff}, .data = data};
    const Packet frame = kit::Script::build({{kPeer, kPeerPort}, {kOwn, 80}}, say, seq, ack, {});
    ifc_.netdev_send(ifc_.state, frame.data() + wire::kEthernetHeader, frame.size() - wire::kEthernetHeader);
  }
  // The next packet as a frame; empty: none comes.
  Packet next() {
    Packet p(2048);
    std::size_t size = p.size() - wire::kEthernetHeader;
    EXPECT_EQ(ifc_.netdev_receive(ifc_.state, p.data() + wire::kEthernetHeader, &size, &sent_at_), 0);
    if (size == 0) return {};
    p.resize(wire::kEthernetHeader + size);
    p[12] = std::byte{8};
    return p;
  }
  wire::TcpFrame expect(std::uint8_t flags) {
    frame_ = next();
    wire::TcpFrame f;
    EXPECT_EQ(wire::parse_frame(frame_, wire::Trust::verify, f), wire::FrameKind::tcp);
    EXPECT_EQ(f.flags, flags);
    return f;
  }
  // A connection that a client has opened.
  int accepted() {
    const int fd = socket();
    const sockaddr_in own = address(kOwn.v4(), 80);
    ifc_.bind(ifc_.state, fd, reinterpret_cast<const sockaddr*>(&own), sizeof own);
    ifc_.listen(ifc_.state, fd, 1);
    inject(S, 1000, 0);
    initial_ = expect(S | A).seq.raw;
    inject(A, 1001, initial_ + 1);
    return ifc_.accept(ifc_.state, fd, nullptr, nullptr);
  }

  static constexpr Ip kOwn = Ip::v4(0xc612'000a);
  static constexpr Ip kPeer = Ip::v4(0xc000'0201);
  static constexpr std::uint16_t kPeerPort = 30000;
  Interface ifc_{};
  Packet frame_;
  long long sent_at_ = 0;
  std::uint32_t initial_ = 0;
};

TEST_F(Adapter, ClockMovesBySleepingAndByBeingRead) {
  const long long begin = micros_now();
  EXPECT_EQ(micros_now(), begin + 1);
  ifc_.usleep(ifc_.state, 5000);
  EXPECT_EQ(micros_now(), begin + 5002);
}

TEST_F(Adapter, BytesGoBothWays) {
  const int fd = accepted();
  ASSERT_GE(fd, 0);
  inject(A, 1001, initial_ + 1, "up");
  EXPECT_EQ(expect(A).ack.raw, 1003U);  // at once, as a young connection of the kernel
  std::string got(10, 0);
  EXPECT_EQ(ifc_.read(ifc_.state, fd, got.data(), got.size()), 2);
  EXPECT_EQ(got.substr(0, 2), "up");
  EXPECT_EQ(ifc_.write(ifc_.state, fd, "down", 4), 4);
  EXPECT_EQ(expect(A).payload_length, 4);  // without PSH, as scripts are rewritten
  EXPECT_EQ(ifc_.close(ifc_.state, fd), 0);
  expect(F | A);
}

TEST_F(Adapter, CallThatNobodyElseWakesMovesTheClockItself) {
  const int fd = accepted();
  const long long begin = micros_now();
  pollfd p{.fd = fd, .events = POLLIN, .revents = 0};
  EXPECT_EQ(ifc_.poll(ifc_.state, &p, 1, 700), 0);
  EXPECT_NEAR(static_cast<double>(micros_now() - begin), 700'000, 2);
}

TEST_F(Adapter, NonBlockingCallsSayThatTheyWouldWait) {
  const int fd = accepted();
  ifc_.fcntl(ifc_.state, fd, F_SETFL, O_RDWR | O_NONBLOCK);
  EXPECT_EQ(ifc_.fcntl(ifc_.state, fd, F_GETFL), O_RDWR | O_NONBLOCK);
  char byte = 0;
  EXPECT_EQ(ifc_.read(ifc_.state, fd, &byte, 1), -1);
  EXPECT_EQ(errno, EAGAIN);
}

TEST_F(Adapter, SynHasTheKernelsOrderOfOptions) {
  const int fd = socket(262);  // MPTCP
  ifc_.fcntl(ifc_.state, fd, F_SETFL, O_RDWR | O_NONBLOCK);
  const sockaddr_in peer = address(kPeer.v4(), 80);
  EXPECT_EQ(ifc_.connect(ifc_.state, fd, reinterpret_cast<const sockaddr*>(&peer), sizeof peer), -1);
  EXPECT_EQ(errno, EINPROGRESS);
  const wire::TcpFrame f = expect(S);
  std::vector<unsigned> kinds;
  const ByteView view = kit::options_of(frame_, f);
  Packet options(view.begin(), view.end());
  kit::for_each_option(options, [&](unsigned kind, ByteSpan) { kinds.push_back(kind); });
  EXPECT_EQ(kinds, (std::vector<unsigned>{2, 4, 8, 3, wire::kMptcpKind}));
  EXPECT_EQ(options.size() % 4, 0U);
}

TEST_F(Adapter, NothingComesWhereNothingIsDue) {
  accepted();
  EXPECT_TRUE(next().empty());
}

TEST(Canonical, DssHasShortNumbers) {
  const kit::Say say{.data = "x", .options = [](wire::OptionBuffer& o) {
                       wire::Dss d;
                       d.has_ack = d.ack_is_8 = d.has_map = d.dsn_is_8 = true;
                       d.data_ack = 0x1'0000'0002;
                       d.dsn = 0x3'0000'0004;
                       d.ssn = 5;
                       d.length = 1;
                       o.dss(d);
                     }};
  wire::OptionBuffer options;
  say.options(options);
  const Flow flow{{Ip::v4(0xc000'0201), 1}, {Ip::v4(0xc612'000a), 2}};
  Packet p = canonical(kit::Script::build(flow, say, 1, 1, options.padded()), true);
  p.insert(p.begin(), wire::kEthernetHeader, std::byte{0});
  p[12] = std::byte{8};
  wire::TcpFrame f;
  ASSERT_EQ(wire::parse_frame(p, wire::Trust::verify, f), wire::FrameKind::tcp);
  const wire::Dss& d = f.options.mptcp.dss;
  EXPECT_FALSE(d.ack_is_8 || d.dsn_is_8);
  EXPECT_EQ(d.data_ack, 2U);
  EXPECT_EQ(d.dsn, 4U);
  EXPECT_EQ(d.ssn, 5U);
  EXPECT_EQ(f.payload_length, 1);
}

}  // namespace
}  // namespace braid::drill
