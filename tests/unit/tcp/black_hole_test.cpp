// Routers that drop large packets and say nothing (RFC 8899).
#include <algorithm>
#include <vector>

#include "unit/tcp/fixture.hpp"

namespace braid::kit {
namespace {

using stats::Counter;

constexpr std::uint64_t kPlenty = 100'000;
constexpr std::uint32_t kFull = 1460;
constexpr std::uint32_t kSmall = 1240;  // payload of a packet of 1,280 bytes

class BlackHole : public TcpTest {
 protected:
  // What of the stream has arrived.
  struct Received {
    std::vector<bool> bytes = std::vector<bool>(kPlenty);
    void take(std::uint32_t seq, std::size_t length) {
      const auto from = bytes.begin() + (seq - 1);
      std::fill(from, from + static_cast<std::ptrdiff_t>(length), true);
    }
    [[nodiscard]] std::uint32_t ack() const {
      return 1 + static_cast<std::uint32_t>(std::find(bytes.begin(), bytes.end(), false) - bytes.begin());
    }
  };
  // For this long the peer answers what comes through a path that takes packets of `payload` bytes.
  static void answer(Remote& c, Received& received, std::size_t payload, Duration span) {
    for (Duration left = span; left > 0ms; left -= 1ms) {
      const auto h = c.next(1ms);
      if (!h || h->data.empty() || h->data.size() > payload) continue;
      received.take(h->seq, h->data.size());
      c.say({.ack = received.ack()});
    }
  }
};

TEST_F(BlackHole, IsFoundByASmallPiece) {
  Remote& c = served({.send = kPlenty, .finish = false});
  Received received;
  answer(c, received, kSmall, 1s);
  EXPECT_EQ(count(Counter::tcp_mtu_lowered), 1U);
  answer(c, received, kSmall, 1s);
  EXPECT_EQ(received.ack(), 1 + kPlenty);
}

// What the path took while it was wider tells nothing about now.
TEST_F(BlackHole, WhatArrivedBeforeIsNoEvidence) {
  Remote& c = served({.send = kPlenty, .finish = false});
  Received received;
  c.skip();
  std::vector<wire::SackBlock> blocks;
  for (const std::uint32_t n : {1U, 3U, 5U}) {
    received.take(1 + n * kFull, kFull);
    const SubSeq begin = SubSeq(c.initial_of_peer()) + (1 + n * kFull);
    blocks.push_back({begin, begin + kFull});
  }
  c.say({.ack = 1, .options = [&blocks](wire::OptionBuffer& o) { o.sack(blocks); }});
  answer(c, received, kSmall, 2s);
  EXPECT_EQ(count(Counter::tcp_mtu_lowered), 1U);
  answer(c, received, kSmall, 1s);
  EXPECT_EQ(received.ack(), 1 + kPlenty);
}

TEST_F(BlackHole, IsNoneWhenLargeOnesArriveAfterThePiece) {
  Remote& c = served({.send = kPlenty, .finish = false});
  Received received;
  answer(c, received, 0, 500ms);
  ASSERT_EQ(count(Counter::tcp_timeouts), 1U);
  answer(c, received, kFull, 2s);
  EXPECT_EQ(received.ack(), 1 + kPlenty);
  EXPECT_EQ(count(Counter::tcp_mtu_lowered), 0U);
}

}  // namespace
}  // namespace braid::kit
