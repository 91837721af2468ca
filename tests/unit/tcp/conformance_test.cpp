// Rules of RFC 9293 that docs/conformance lists by their ids, segment by segment.
#include <set>

#include "kit/lab.hpp"
#include "unit/tcp/fixture.hpp"

namespace braid::kit {
namespace {

class TcpConformance : public TcpTest {
 protected:
  static constexpr std::uint32_t kFull = 1460;
  static constexpr std::uint32_t kFlight = 10 * kFull;  // the initial window

  // A connection whose windows are not scaled, with an initial window on the way.
  Remote& first_flight() {
    Remote& c = served({.send = 100'000, .finish = false}, true, false, 0);
    for (unsigned i = 0; i < 10; ++i) c.expect({.flags = A, .seq = 1 + i * kFull, .length = kFull});
    c.quiet(0ms);
    return c;
  }
  // A SYN of this flow, whether or not its answer finds a way; what it is answered with.
  SubSeq initial(const Endpoint& from, const Endpoint& to) {
    script_->raw(0, Script::build({from, to}, {.flags = S}, 1, 0, {}));
    world_->run_for(0ms);
    const Flow flow{to, from};
    return host_->find(flow) == nullptr ? SubSeq(0) : host_->find(flow)->initial_send();
  }
  [[nodiscard]] std::uint32_t clock() const {  // of 4 us
    return static_cast<std::uint32_t>(world_->now().time_since_epoch().count() / 4000);
  }
};

// MUST-34, SHLD-15, SHLD-16: of what is on the way only 2,000 bytes still have room.
TEST_F(TcpConformance, ShrunkWindowTakesNothingNewAndDoesNoHarm) {
  Remote& c = first_flight();
  c.say({.ack = 1 + kFull, .window = 2000});
  bool repeated = false;
  for (const Instant end = world_->now() + 3s; world_->now() < end;) {
    const auto h = c.next(100ms);
    if (!h || h->data.empty()) continue;
    EXPECT_LT(h->seq, 1 + kFlight) << "new data: " << describe(*h);
    repeated |= h->seq == 1 + kFull;
  }
  EXPECT_TRUE(repeated) << "what lies inside the window is retransmitted";
  ASSERT_TRUE(exists(c));
  c.say({.ack = 1 + kFlight, .window = 0xffff});
  const auto next = c.next(10ms);
  ASSERT_TRUE(next.has_value());
  EXPECT_EQ(next->seq, 1 + kFlight);
}

// MUST-35: what is on the way goes out again, and asks for the window.
TEST_F(TcpConformance, WindowShrunkToZeroIsProbed) {
  Remote& c = first_flight();
  c.say({.ack = 1 + kFull, .window = 0});
  for (int i = 0; i < 4; ++i) {
    const auto probe = c.next(5s);
    ASSERT_TRUE(probe.has_value()) << i;
    EXPECT_LT(probe->seq, 1 + kFlight);
    c.say({.ack = 1 + kFull, .window = 0});
  }
  c.skip();
  c.say({.ack = 1 + kFlight, .window = 0});  // nothing is on the way any more
  const auto probe = c.next(5s);
  ASSERT_TRUE(probe.has_value());
  EXPECT_EQ(probe->data.size(), 0U);
  EXPECT_EQ(probe->seq, kFlight) << "an old number, which draws the window";
}

// SHLD-29, SHLD-30: after one time-out, then after twice the time of the one before, though each is answered.
TEST_F(TcpConformance, ProbesBeginAfterOneTimeoutAndBackOff) {
  Remote& c = first_flight();
  c.say({.ack = 1 + kFlight, .window = 0});
  world_->run_for(0ms);
  Duration wait = connection(c).rto();
  for (int i = 0; i < 6; ++i, wait *= 2) {
    const Heard h = c.expect({.flags = A, .length = 0}, wait, 10ms);
    EXPECT_EQ(h.seq, kFlight);
    c.say({.ack = 1 + kFlight, .window = 0});
  }
}

// MUST-15
TEST_F(TcpConformance, PeerThatNamesNoSegmentSizeGets536Bytes) {
  host_->listen(80, {.send = 10'000, .finish = false});
  Remote& c = client();
  c.say({.flags = S});
  c.expect({.flags = S | A});
  c.say({});
  c.expect({.flags = A, .seq = 1, .length = 536});
  c.expect({.flags = A, .seq = 537, .length = 536});
}

class TcpConformanceV6 : public LabTest {};

TEST_F(TcpConformanceV6, PeerThatNamesNoSegmentSizeGets1220Bytes) {  // MUST-15
  Lab& l = make({.v6 = true, .scripted_client = true});
  l.server_host().listen(kServerPort, {.send = 10'000, .finish = false});
  Remote& c = l.remote(0, 30000);
  c.say({.flags = S});
  c.expect({.flags = S | A});
  c.say({});
  std::optional<Heard> h;
  while ((h = c.next(100ms)) && h->data.empty()) {
  }
  ASSERT_TRUE(h.has_value());
  EXPECT_EQ(h->data.size(), 1220U);
}

// MUST-8: the same flow again, later.
TEST_F(TcpConformance, InitialNumbersFollowAClockOfFourMicroseconds) {
  host_->listen(80, {.finish = false});
  const Endpoint from{peer_, 30000};
  const SubSeq first = initial(from, own_);
  const std::uint32_t began = clock();
  for (const Duration later : {Duration(4us), Duration(1s), Duration(1h)}) {
    host_->find({own_, from})->vanish(host_->context(), tcp::Failure::aborted);
    world_->run_for(later);
    const SubSeq again = initial(from, own_);
    EXPECT_EQ(static_cast<std::uint32_t>(again - first), clock() - began) << later.count() << " ns";
  }
}

// SHLD-1: each of addresses and ports counts.
TEST_F(TcpConformance, InitialNumbersDependOnBothAddressesAndPorts) {
  for (const std::uint16_t port : {80, 81}) host_->listen(port, {.finish = false});
  std::set<std::uint32_t> seen;
  for (const Ip& there : {peer_, Ip::v4(0xc6120003)})
    for (const std::uint16_t port : {30000, 30001})
      for (const Ip& here : {own_.ip, Ip::v4(0xc6120007)})
        for (const std::uint16_t to : {80, 81}) {
          const SubSeq iss = initial({there, port}, {here, to});
          seen.insert(iss.raw - clock());
        }
  EXPECT_EQ(seen.size(), 16U);
}

// MUST-9: what flows show tells nothing of their neighbours, nor of another host's.
TEST_F(TcpConformance, InitialNumbersCannotBeComputedFromOthers) {
  host_->listen(80, {.finish = false});
  std::set<std::uint32_t> numbers;
  std::set<std::uint32_t> steps;
  std::uint32_t last = 0;
  for (std::uint16_t i = 0; i < 500; ++i) {
    const std::uint32_t n = initial({peer_, static_cast<std::uint16_t>(20'000 + i)}, own_).raw - clock();
    numbers.insert(n);
    steps.insert(n - last);
    last = n;
  }
  EXPECT_EQ(numbers.size(), 500U);
  EXPECT_EQ(steps.size(), 500U) << "neighbours differ by the same";
  World other(2);
  Host stranger(other, "host");
  EXPECT_NE(siphash(stranger.context().secret, Flow{own_, {peer_, 20'000}}),
            siphash(host_->context().secret, Flow{own_, {peer_, 20'000}}));
}

// MUST-61
TEST_F(TcpConformance, LastSegmentThatWaitsIsPushed) {
  Remote& c = served({.send = 3 * kFull + 10, .finish = false});
  for (unsigned i = 0; i < 3; ++i) EXPECT_FALSE(c.expect({.flags = A, .length = kFull}).has(wire::kPsh)) << i;
  EXPECT_TRUE(c.expect({.flags = A, .length = 10}).has(wire::kPsh));
}

// MUST-65
TEST_F(TcpConformance, SegmentSizeStandsOnSynsOnly) {
  Remote& c = served({.send = 5000, .expect_key = 3});
  c.say({.data = "hello"});
  unsigned heard = 0;
  while (const auto h = c.next(100ms)) {
    EXPECT_FALSE(h->frame.options.has_mss) << describe(*h);
    c.say({.flags = h->has(F) ? std::uint8_t{F | A} : A});
    ++heard;
  }
  EXPECT_GE(heard, 5U);
  EXPECT_FALSE(exists(c) && connection(c).state() == tcp::State::established) << "up to the end";
  const Endpoint there{peer_, 9000};
  host_->connect(there, {.send = 100, .finish = false});
  Remote* s = script_->incoming(there);
  ASSERT_NE(s, nullptr);
  EXPECT_TRUE(s->next()->frame.options.has_mss);
  s->say({.flags = S | A});
  while (const auto h = s->next(100ms)) EXPECT_FALSE(h->frame.options.has_mss) << describe(*h);
}

// SHLD-11
TEST_F(TcpConformance, UnansweredDataAreGivenUpAfter100SecondsAtTheEarliest) {
  EXPECT_GE(tcp::Timeouts{}.user, 100s);
  Remote& c = first_flight();
  const Instant from = world_->now();
  std::optional<Heard> last;
  while (auto h = c.next(10min)) last = std::move(h);
  ASSERT_TRUE(last && last->has(R));
  EXPECT_GE(last->at - from, 100s);
}

}  // namespace
}  // namespace braid::kit
