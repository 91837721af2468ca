// What packetdrill's scripts (docs/packetdrill.md) say packet by packet, and no other test here does.
#include <array>

#include "unit/tcp/fixture.hpp"

namespace braid::kit {
namespace {

class Scripts : public TcpTest {
 protected:
  // Ten full segments are on their way over 100 ms.
  Remote& far_flight(bool stamps = false) {
    host_->listen(80, {.send = 30'000, .finish = false});
    Remote& c = client();
    if (stamps) c.stamp = 100;
    c.say({.flags = S, .options = [](wire::OptionBuffer& o) {
             o.mss(1000);
             o.sack_permitted();
           }});
    c.expect({.flags = S | A});
    world_->run_for(100ms);
    c.say({});
    for (unsigned i = 0; i < 10; ++i) c.expect({.flags = A, .seq = 1 + i * 1000, .length = 1000});
    return c;
  }
  static Options sacked(const Remote& c, std::initializer_list<std::array<std::uint32_t, 2>> blocks) {
    std::vector<wire::SackBlock> list;
    for (const auto& b : blocks)
      list.push_back({SubSeq(c.initial_of_peer() + b[0]), SubSeq(c.initial_of_peer() + b[1])});
    return [list](wire::OptionBuffer& o) { o.sack(list); };
  }
};

// RFC 5681 3.2 (1), RFC 3042 2: each of the first two duplicates lets one new segment out, and leaves the
// congestion window as it is.
TEST_F(Scripts, DuplicatesDoNotGrowTheWindow) {
  Remote& c = far_flight();
  const std::uint32_t window = connection(c).cwnd();
  for (unsigned i = 0; i < 2; ++i) {
    world_->run_for(i == 0 ? 100ms : 10ms);
    c.say({.ack = 1, .options = sacked(c, {{1001, 2001 + i * 1000}})});
    c.expect({.flags = A, .seq = 10001 + i * 1000, .length = 1000});
    c.quiet(10ms);
    EXPECT_EQ(connection(c).cwnd(), window);
  }
}

// RFC 2018 5.1: what the blocks report is not retransmitted, what lies between them is. At once, since an
// acknowledgement that moves and has blocks is no reordering (RFC 8985 6.2 step 3).
TEST_F(Scripts, HolesBetweenBlocksAloneAreRetransmitted) {
  Remote& c = far_flight();
  world_->run_for(100ms);
  c.say({.ack = 2001, .options = sacked(c, {{4001, 5001}, {7001, 10001}})});
  std::vector<std::uint32_t> again;
  while (const auto h = c.next(20ms))
    if (h->seq < 10001) again.push_back(h->seq);
  EXPECT_EQ(again, (std::vector<std::uint32_t>{2001, 3001, 5001, 6001}));
}

TEST_F(Scripts, ResetCarriesTimestamps) {  // RFC 7323 3.2
  Remote& c = served({.abort_after_received = 1}, true, true);
  c.stamp = 7;
  c.say({.data = "x"});
  std::optional<Heard> h;
  do h = c.next();
  while (h && !h->has(R));
  ASSERT_TRUE(h.has_value());
  EXPECT_TRUE(h->frame.options.has_timestamps);
  EXPECT_EQ(h->frame.options.ts_echo, 7U);
}

// RFC 7323 4.3: a segment that is dropped for its acknowledgement number leaves no timestamp to compare with.
TEST_F(Scripts, TimestampOfADroppedSegmentIsNotTaken) {
  Remote& c = served({.finish = false}, true, true);
  c.stamp = 200'000;
  c.say({.flags = F | A, .seq = 1, .ack = 9999});
  world_->run_for(1ms);
  c.skip();
  c.stamp = 3;
  c.say({.seq = 1, .data = std::string(1000, 'x')});
  const Heard h = c.expect({.flags = A, .ack = 1001, .length = 0}, 40ms, 10ms);
  EXPECT_EQ(h.frame.options.ts_echo, 3U);
  EXPECT_EQ(program().received(), 1000U);
}

TEST_F(Scripts, SegmentWithoutFlagsIsNotTaken) {  // RFC 9293 3.10.7.4, fifth
  Remote& c = served({.finish = false});
  c.say({.flags = 0, .seq = 1, .data = std::string(1000, 'x')});
  c.quiet(200ms);
  EXPECT_EQ(program().received(), 0U);
  c.say({.seq = 1, .data = std::string(1000, 'x')});
  world_->run_for(1ms);
  EXPECT_EQ(program().received(), 1000U);
}

// RFC 9293 3.10.4: a connection that no peer knows yet ends without a word; a late answer is reset.
TEST_F(Scripts, AbortInSynSentIsSilent) {
  const Endpoint there{peer_, 9000};
  App& app = host_->connect(there, {.finish = false});
  Remote* r = script_->incoming(there);
  ASSERT_NE(r, nullptr);
  r->next();
  app.abort(host_->context());
  r->quiet(100ms);
  r->say({.flags = S | A});
  const auto h = r->next();
  ASSERT_TRUE(h.has_value());
  EXPECT_TRUE(h->has(R)) << describe(*h);
  EXPECT_FALSE(h->has(A)) << describe(*h);
}

}  // namespace
}  // namespace braid::kit
