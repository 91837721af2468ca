// Each law of the simulator can be broken: by a forged picture, and by a world that was tampered with.
#include "kit/laws.hpp"

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>
#include <rte_mbuf.h>

#include "kit/lab.hpp"

namespace braid::kit {
namespace {

using tcp::State;

class LawsTest : public ::testing::Test {
 protected:
  // Laws broken since the last call.
  std::string broken() { return std::exchange(broken_, {}); }

  static constexpr std::uint8_t kScale = 4;
  void open(bool mptcp) {
    laws.look({.flow = {theirs_, ours_}, .flags = S, .has_scale = true}, false);
    laws.look({.flow = flow, .flags = S | A, .has_scale = true, .scale = kScale, .mptcp = mptcp}, true);
  }
  void say(SubSeq ack, std::uint16_t window) {
    laws.look({.flow = flow, .flags = A, .ack = ack, .window = window}, true);
  }
  void say_data(std::uint32_t data_ack, std::uint16_t window) {
    laws.look({.flow = flow,
               .flags = A,
               .ack = SubSeq(1),
               .window = window,
               .mptcp = true,
               .has_data_ack = true,
               .data_ack = data_ack},
              true);
  }

  const Endpoint ours_{Ip::v4(0xc6120001), 80};
  const Endpoint theirs_{Ip::v4(0xc6120002), 30000};
  const Flow flow{ours_, theirs_};
  ConnectionPicture connection{
      .who = this, .snd_una = SubSeq(100), .snd_nxt = SubSeq(200), .rcv_nxt = SubSeq(50), .peer_window = 100};
  SessionPicture session{.who = this,
                         .knows_peer = true,
                         .snd_una = DataSeq(100),
                         .write_end = DataSeq(300),
                         .rcv_nxt = DataSeq(70)};
  RelayPicture relay{
      .received = 100, .moved = 90, .written = 90, .waiting = 10, .held = 60, .unfreed = 30, .freed = 20};

 private:
  std::string broken_;

 protected:
  Laws laws{[this](const char* law, const std::string&) { broken_ += std::string(law) + ";"; }};
};

TEST_F(LawsTest, NumbersOfAConnectionNeverMoveBack) {
  laws.look(connection);
  EXPECT_EQ(broken(), "");
  for (SubSeq ConnectionPicture::*number :
       {&ConnectionPicture::snd_una, &ConnectionPicture::snd_nxt, &ConnectionPicture::rcv_nxt}) {
    ConnectionPicture p = connection;
    p.*number = p.*number - 1;
    laws.look(connection);
    laws.look(p);
    EXPECT_EQ(broken(), "sequence;");
  }
  ConnectionPicture p = connection;
  p.snd_una = p.snd_nxt + 1;
  laws.look(p);
  EXPECT_EQ(broken(), "sequence;");
}

TEST_F(LawsTest, AnotherConnectionInItsPlaceBeginsAnew) {
  laws.look(connection);
  ConnectionPicture p = connection;
  p.state = State::closed;
  laws.look(p);
  p = connection;
  p.rcv_nxt = SubSeq(1);
  laws.look(p);
  p.iss = SubSeq(5);
  p.snd_una = p.snd_nxt = SubSeq(5);
  laws.look(p);
  EXPECT_EQ(broken(), "");
}

TEST_F(LawsTest, NothingIsSentBeyondThePeersWindow) {
  laws.look(connection);
  ConnectionPicture p = connection;
  p.peer_window = 0;  // shrunk: what is on the way is no breach
  laws.look(p);
  EXPECT_EQ(broken(), "");
  p.state = State::fin_wait_1;
  p.snd_nxt = connection.snd_nxt + 1;  // a FIN
  laws.look(p);
  EXPECT_EQ(broken(), "");
  p.snd_nxt = connection.snd_nxt + 2;
  laws.look(p);
  EXPECT_EQ(broken(), "peer's window;");
}

TEST_F(LawsTest, NumbersOfASessionNeverMoveBack) {
  laws.look(session);
  EXPECT_EQ(broken(), "");
  for (DataSeq SessionPicture::*number : {&SessionPicture::snd_una, &SessionPicture::rcv_nxt}) {
    SessionPicture p = session;
    p.*number = p.*number - 1;
    laws.look(session);
    laws.look(p);
    EXPECT_EQ(broken(), "sequence;");
  }
  SessionPicture p = session;
  p.snd_una = p.write_end + 1;  // the DATA_FIN
  laws.look(p);
  EXPECT_EQ(broken(), "");
  p.snd_una = p.write_end + 2;
  laws.look(p);
  EXPECT_EQ(broken(), "sequence;");
}

TEST_F(LawsTest, RightEdgeNeverMovesLeft) {
  open(false);
  say(SubSeq(1), 10);
  say(SubSeq(17), 9);
  say(SubSeq(18), 8);  // by less than a unit, which the field cannot say
  EXPECT_EQ(broken(), "");
  say(SubSeq(18), 7);
  EXPECT_EQ(broken(), "window;");
  say(SubSeq(10), 100);
  EXPECT_EQ(broken(), "sequence;") << "the acknowledgement has moved back";
}

TEST_F(LawsTest, RightEdgeOfTheDataNeverMovesLeft) {
  open(true);
  say_data(1, 10);
  say_data(18, 8);  // by less than a unit, which the field cannot say
  EXPECT_EQ(broken(), "");
  say_data(18, 7);
  EXPECT_EQ(broken(), "window;");
  say_data(17, 9);
  EXPECT_EQ(broken(), "sequence;");
}

TEST_F(LawsTest, RelayLosesAndInventsNothing) {
  laws.look(relay);
  EXPECT_EQ(broken(), "");
  RelayPicture p = relay;
  p.received = 99;
  laws.look(p);
  p = relay;
  p.written = 91;
  laws.look(p);
  EXPECT_EQ(broken(), "conservation;conservation;");
  p = relay;
  p.held = 59;
  laws.look(p);
  EXPECT_EQ(broken(), "accounts;");
}

TEST_F(LawsTest, ProgramsAndEndsAgree) {
  laws.look_at_program(5, 5, 7, 7);
  laws.look_at_both_ends(10, 10, 10);
  EXPECT_EQ(broken(), "");
  laws.look_at_program(5, 4, 7, 7);
  laws.look_at_program(5, 5, 7, 8);
  laws.look_at_both_ends(11, 10, 12);
  laws.look_at_both_ends(9, 10, 9);
  EXPECT_EQ(broken(), "conservation;conservation;conservation;conservation;");
  laws.look(QueuePicture{"bytes", 1, 1});
  EXPECT_EQ(broken(), "");
  laws.look(QueuePicture{"bytes", 1, 2});
  EXPECT_EQ(broken(), "accounts;");
}

// A transfer under way, with bytes in all queues.
class Tampered : public LabTest {
 protected:
  Tampered() {
    Lab& l = make(
        {.access = {{.name = "a", .rate = 4e6, .delay = 10ms}, {.name = "b", .rate = 4e6, .delay = 15ms}}});
    l.server_host().listen(kServerPort, {.send = 400'000, .send_key = 2, .expect_key = 1});
    app = &l.fetch({.send = 400'000, .expect_key = 2});
    l.world.run_for(300ms);
  }
  mptcp::Session& session() { return Host::session_of(*app); }

  App* app = nullptr;
};

TEST_F(Tampered, ByteThatNobodyReceived) {
  tcp::PlainStream* leg = nullptr;
  lab().gateway->engine().for_each_pair(
      [&](const relay::Pair& pair) { leg = dynamic_cast<tcp::PlainStream*>(pair.server()); });
  ASSERT_NE(leg, nullptr);
  ++leg->bytes_in;
  EXPECT_NONFATAL_FAILURE(lab().watch().stepped(*lab().gateway),
                          "law of conservation broken, seed 1, 300000 us");
  --leg->bytes_in;
}

TEST_F(Tampered, GaugeThatCountsAByteTooMany) {
  auto& gauge = lab().gateway->engine().stats().gauges.buffered_bytes;
  ++gauge;
  EXPECT_NONFATAL_FAILURE(lab().watch().stepped(*lab().gateway), "law of accounts");
  --gauge;
}

TEST_F(Tampered, BufferThatStandsNowhere) {
  rte_mbuf* m = rte_pktmbuf_alloc(pool());
  EXPECT_NONFATAL_FAILURE(lab().watch().look_closely(), "packet buffers");
  rte_pktmbuf_free(m);
}

TEST_F(Tampered, FlagThatTheScoreboardDoesNotKnow) {
  tcp::Segment* first = nullptr;
  for (unsigned i = 0; i < limits::kMaxSubflows && first == nullptr; ++i)
    if (session().subflow(i) != nullptr) first = session().subflow(i)->send_head();
  ASSERT_NE(first, nullptr);
  const auto flags = first->flags;
  first->set(tcp::Segment::kLost);
  EXPECT_NONFATAL_FAILURE(lab().watch().look_closely(), "bytes lost");
  first->flags = flags;
}

TEST_F(Tampered, WindowThatMovesLeft) {
  const auto& captured = lab().access(0).captured();
  const auto last =
      std::find_if(captured.rbegin(), captured.rend(), [](const Captured& c) { return !c.inbound; });
  ASSERT_NE(last, captured.rend());
  Packet forged = last->packet;
  wire::TcpFrame f;
  ASSERT_EQ(wire::parse_frame(forged, wire::Trust::verify, f), wire::FrameKind::tcp);
  store_be(forged.data() + f.l4_offset + 14, std::uint16_t{1});
  EXPECT_NONFATAL_FAILURE(lab().watch().sent(*lab().gateway, forged), "law of window");
}

}  // namespace
}  // namespace braid::kit
