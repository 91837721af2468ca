// Blind attacks: segments forged by somebody who does not see the connection's numbers. Each cell of (state,
// flags, sequence, acknowledgement, payload) is put to a connection, and may change of it what
// segment_rules.hpp says.
#include <array>
#include <vector>

#include "kit/packet.hpp"
#include "unit/tcp/fixture.hpp"
#include "unit/tcp/segment_rules.hpp"

namespace braid::kit {
namespace {

using tcp::State;

constexpr std::uint32_t kFlight = 3000;  // bytes of ours that are on the way
constexpr std::uint32_t kBudget = 10'000;
constexpr std::uint8_t kScale = 7;

// A place from which the sweep starts: a connection in `state`, and what the two ends know of it.
struct Place {
  const char* name;
  State state;
  bool closed_window = false;
};

const std::array kPlaces{
    Place{"SynSent", State::syn_sent},        Place{"SynReceived", State::syn_received},
    Place{"Established", State::established}, Place{"ClosedWindow", State::established, true},
    Place{"FinWait1", State::fin_wait_1},     Place{"FinWait2", State::fin_wait_2},
    Place{"CloseWait", State::close_wait},    Place{"Closing", State::closing},
    Place{"LastAck", State::last_ack},        Place{"TimeWait", State::time_wait},
};

class Blind : public TcpTest, public ::testing::WithParamInterface<Place> {
 protected:
  struct Seen {
    State state = State::closed;
    std::uint32_t received = 0;
    std::uint32_t acknowledged = 0;
    unsigned acks = 0;
    unsigned resets = 0;
    unsigned syn_acks = 0;
    unsigned others = 0;
  };

  // Begins anew, in the place of the parameter.
  void arrive() {
    if (c_ != nullptr) {
      TearDown();
      SetUp();
    }
    fin_heard_ = false;
    const Place& place = GetParam();
    host_->budget = kBudget;
    host_->timeouts.time_wait = 60s;
    if (place.state == State::syn_sent) {
      host_->connect({peer_, 9000}, {});
      c_ = script_->incoming({peer_, 9000});
      c_->next();
    } else {
      open(place);
    }
    numbers_ = told();
    ASSERT_EQ(state(), place.state) << tcp::to_string(state());
  }

  void open(const Place& place) {
    const State s = place.state;
    const bool ends =
        s == State::fin_wait_1 || s == State::fin_wait_2 || s == State::closing || s == State::time_wait;
    Plan plan{
        .send = kFlight, .finish = ends || s == State::last_ack, .finish_after_peer = s == State::last_ack};
    if (place.closed_window) plan.stop_reading_at = 0;
    host_->listen(80, plan);
    c_ = &client();
    if (s == State::syn_received) {
      c_->say({.flags = S, .options = [](wire::OptionBuffer& o) { o.window_scale(kScale); }});
      listen();
      return;
    }
    c_->handshake(1460, true, false, kScale);
    c_->say({.data = std::string(1000, 'x')});
    while (place.closed_window && c_->sent() <= kBudget) c_->say({.data = std::string(1000, 'x')});
    listen();
    if (s == State::fin_wait_2 || s == State::time_wait) c_->say({});
    if (s == State::close_wait || s == State::closing || s == State::last_ack || s == State::time_wait)
      c_->say({.flags = F | A, .ack = s == State::time_wait ? c_->heard() : 1});
    world_->run_for(50ms);  // acknowledgements that are held back
    listen();
  }

  // Takes what came, and keeps what the last segment said.
  void listen() {
    while (const auto h = c_->next(0ms)) {
      last_ = h->frame;
      fin_heard_ = fin_heard_ || h->has(F);
    }
  }

  // The connection's numbers as its peer knows them, from what has been on the wire.
  Numbers told() const {
    const bool syn = last_.has(wire::kSyn);
    return {
        .rcv_nxt = c_->initial() + c_->sent(),
        .rcv_wnd = syn ? last_.window : static_cast<std::uint32_t>(last_.window) << tcp::scale_for(kBudget),
        .snd_una = c_->initial_of_peer() + acknowledged(),
        .snd_nxt = c_->initial_of_peer() + c_->heard(),
        .max_snd_wnd = syn ? 0xffffU : 0xffffU << kScale,
        .fin_sent = fin_heard_};
  }
  // Relative number up to which the host's was acknowledged by open().
  std::uint32_t acknowledged() const {
    const State s = GetParam().state;
    if (s == State::syn_sent || s == State::syn_received) return 0;
    return s == State::fin_wait_2 || s == State::time_wait ? c_->heard() : 1;
  }

  [[nodiscard]] State state() { return exists(*c_) ? connection(*c_).state() : State::closed; }

  Seen put(const Forged& f) {
    tcp::Connection& c = connection(*c_);
    const SubSeq nxt = c.receive_next();
    const SubSeq una = c.send_unacknowledged();
    const std::uint64_t in = c.bytes_in;
    const std::string data(f.length, 'f');
    const Packet packet = Script::build(c_->flow(), {.flags = f.flags, .data = data}, f.seq, f.ack, {});
    wire::TcpFrame frame;
    EXPECT_EQ(wire::parse_frame(packet, wire::Trust::verify, frame), wire::FrameKind::tcp);
    frame.ack = SubSeq(f.ack);  // script writes none without ACK; whoever forges may
    c.receive(host_->context(), frame, frame_of(packet));
    Seen seen{.state = c.state(),
              .received = static_cast<std::uint32_t>(c.receive_next() - nxt),
              .acknowledged = static_cast<std::uint32_t>(c.send_unacknowledged() - una)};
    if (f.has(F) || c.state() == State::closed) {  // a FIN is no byte
      EXPECT_LE(c.bytes_in - in, seen.received);
    } else if (GetParam().state != State::syn_sent) {
      EXPECT_EQ(c.bytes_in - in, seen.received);
    }
    if (c.state() == State::closed || GetParam().state == State::syn_sent) seen.received = 0;
    world_->run_for(0ms);
    while (const auto h = c_->next(0ms)) {
      if (h->has(R)) {
        ++seen.resets;
      } else if (h->has(S)) {
        ++seen.syn_acks;
      } else if (h->data.empty() && !h->has(F)) {
        ++seen.acks;
      } else {
        ++seen.others;
      }
    }
    return seen;
  }

  // One cell. The connection goes on into the next one if nothing of it can have changed.
  void cell(const Forged& f) {
    const Verdict want = rules::judge(GetParam().state, numbers_, f);
    const Seen seen = put(f);
    ++cells_;
    const bool same_numbers = seen.state == State::closed || seen.state == State::time_wait ||
                              (seen.received == want.received && seen.acknowledged == want.acknowledged);
    const unsigned answers = seen.acks + seen.resets + seen.syn_acks + seen.others;
    const bool answered = answers <= 1 && seen.acks <= (want.may_ack ? 1U : 0U) &&
                          seen.resets <= (want.may_reset ? 1U : 0U) &&
                          seen.syn_acks <= (want.may_syn_ack ? 1U : 0U) && seen.others == 0;
    if (seen.state != want.state || !same_numbers || (!want.taken && !answered))
      ADD_FAILURE() << describe(f) << ": state " << tcp::to_string(seen.state) << ", received "
                    << seen.received << ", acknowledged " << seen.acknowledged << ", answers " << seen.acks
                    << " ACKs " << seen.resets << " RSTs " << seen.syn_acks << " SYN/ACKs " << seen.others
                    << " others; RFC 9293 says " << tcp::to_string(want.state) << ", " << want.received
                    << ", " << want.acknowledged;
    if (want.state == GetParam().state && !want.taken && seen.state == want.state) return;
    ++changes_;
    arrive();
  }

  std::string describe(const Forged& f) const {
    std::string flags;
    for (const auto& [bit, name] : {std::pair{F, 'F'}, {S, 'S'}, {R, 'R'}, {A, 'A'}})
      if (f.has(bit)) flags += name;
    return "flags '" + flags + "' seq RCV.NXT" + signed_text(f.seq - numbers_.rcv_nxt) + " ack SND.UNA" +
           signed_text(f.ack - numbers_.snd_una) + " length " + std::to_string(f.length);
  }
  static std::string signed_text(std::uint32_t x) {
    const auto v = static_cast<std::int32_t>(x);
    return (v < 0 ? "" : "+") + std::to_string(v);
  }

  // Every kind of segment with these numbers.
  void every_kind(std::uint32_t seq, std::uint32_t ack) {
    for (unsigned flags = 0; flags < 16 && !HasFailure(); ++flags) {
      const auto bits = static_cast<std::uint8_t>((flags & 7) | (flags & 8) << 1);  // FIN, SYN, RST; ACK
      cell({bits, seq, ack, 0});
      if ((bits & (S | R)) == 0 || flags % 5 == 0) cell({bits, seq, ack, 3});
    }
  }

  Remote* c_ = nullptr;
  wire::TcpFrame last_;
  bool fin_heard_ = false;
  Numbers numbers_;
  unsigned cells_ = 0;
  unsigned changes_ = 0;
};

// All of the sequence space in 257 steps, and its interesting places one by one.
TEST_P(Blind, OnlyWhatTheRfcsAllowChangesTheState) {
  arrive();
  const std::uint32_t window = numbers_.rcv_wnd;
  const std::uint32_t flight = numbers_.snd_nxt - numbers_.snd_una;
  const std::uint32_t far = numbers_.max_snd_wnd;
  for (std::int64_t step = -128; step <= 128; ++step)
    for (const std::uint32_t ack : {0U, 0U - 1, flight, flight + 1, 0x8000'0000U})
      every_kind(numbers_.rcv_nxt + static_cast<std::uint32_t>(step * (1 << 24)), numbers_.snd_una + ack);
  for (const std::uint32_t seq : {0U - 4, 0U - 3, 0U - 2, 0U - 1, 0U, 1U, 2U, window - 3, window - 2,
                                  window - 1, window, window + 1, 0x7fff'ffffU, 0x8000'0001U})
    for (const std::uint32_t ack : {0U - far - 1, 0U - far, 0U - far + 1, 0U - 1, 0U, 1U, flight - 1, flight,
                                    flight + 1, 0x7fff'ffffU, 0x8000'0000U})
      every_kind(numbers_.rcv_nxt + seq, numbers_.snd_una + ack);
  RecordProperty("cells", std::to_string(cells_));
  RecordProperty("changes", std::to_string(changes_));
  EXPECT_GE(cells_, 10'000U);  // ten places: 10^5 and more
  EXPECT_LE(changes_, cells_ / 10) << "most cells are no business of the connection";
}

INSTANTIATE_TEST_SUITE_P(Places, Blind, ::testing::ValuesIn(kPlaces),
                         [](const auto& place) { return std::string(place.param.name); });

}  // namespace
}  // namespace braid::kit
