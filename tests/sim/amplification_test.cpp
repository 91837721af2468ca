// What Braid answers to packets that anybody may send in somebody else's name (threats 4.2, A4): bytes out
// for bytes in, IP headers included.
#include <cstdio>

#include "kit/mp_client.hpp"

namespace braid::kit {
namespace {

constexpr auto kSynAck = static_cast<std::uint8_t>(S | A);

Options offers(bool mptcp) {
  return [mptcp](wire::OptionBuffer& o) {
    o.mss(1460);
    o.sack_permitted();
    o.timestamps(1000, 0);
    o.window_scale(7);
    if (mptcp) o.mp_capable({});
  };
}
Options join(std::uint32_t token) {
  return [token](wire::OptionBuffer& o) {
    o.mss(1460);
    o.sack_permitted();
    o.timestamps(1000, 0);
    o.window_scale(7);
    wire::MpJoin j;
    j.token = token;
    j.nonce = 7;
    o.mp_join_syn(j);
  };
}

struct Row {
  const char* name;
  Say packet;
  double bound;        // bytes out for bytes in, at most
  unsigned open = 0;   // handshakes under way besides, of 8 that may be
  bool token = false;  // the packet is a join with the token of a session
};

class Amplification : public LabTest {
 protected:
  static std::uint64_t ip_bytes(const Link& link, bool toward_gateway) {
    std::uint64_t bytes = 0;
    for (const Captured& c : link.captured())
      if (c.inbound == toward_gateway) bytes += c.packet.size() - wire::kEthernetHeader;
    return bytes;
  }
  // Bytes out for bytes in, of one such packet, in the half minute that follows.
  double measure(const Row& row) {
    LabSpec spec{.scripted_client = true};
    spec.tune = [](relay::Settings&, engine::Settings& e) { e.handshakes = 8; };
    Lab& l = make(spec);
    l.server_host().listen(kServerPort, {.echo = true});
    Say packet = row.packet;
    MpClient client(l);
    if (row.token) {
      Remote& c = client.connect();
      client.data(c, 0, "hello");
      l.world.run_for(10ms);
      packet.options = join(token_of(client.key_of_peer));
    }
    for (unsigned i = 0; i < row.open; ++i)
      l.remote(0, static_cast<std::uint16_t>(20000 + i)).say({.flags = S});
    l.world.run_for(row.open != 0 ? 0ms : 1ms);
    const std::uint64_t in = ip_bytes(l.access(1), true);
    const std::uint64_t out = ip_bytes(l.access(1), false);
    Remote& forged = l.remote(1, 40000);
    forged.say(packet);
    l.world.run_for(30s);
    const auto answer = static_cast<double>(ip_bytes(l.access(1), false) - out);
    const double ratio = answer / static_cast<double>(ip_bytes(l.access(1), true) - in);
    finish();
    return ratio;
  }
};

// A SYN/ACK is as long as its SYN, with an MP_CAPABLE 8 bytes longer, with a join 4 (RFC 8684 3.1, 3.2), and
// is repeated after 1, 3 and 7 seconds, in a crowd once. A cookie is not repeated.
TEST_F(Amplification, OfWhatAnybodyMaySend) {
  const Say syn{.flags = S, .options = offers(false)};
  const Say capable{.flags = S, .options = offers(true)};
  const Row rows[] = {
      {"SYN", syn, 4},
      {"SYN with MP_CAPABLE", capable, 4.5},
      {"SYN without options", {.flags = S}, 4.4},
      {"SYN, more than half of the handshakes open", syn, 2, 5},
      {"SYN with MP_CAPABLE, more than half open", capable, 2.25, 5},
      {"SYN, answered by a cookie", syn, 1, 8},
      {"SYN with MP_CAPABLE, answered by a cookie", capable, 1.125, 8},
      {"SYN with MP_JOIN, token of nobody", {.flags = S, .options = join(1)}, 1},
      {"SYN with MP_JOIN, token of a session", {.flags = S}, 4.25, 0, true},
      {"ACK of no connection", {.flags = A, .ack = 7}, 1},
      {"FIN of no connection", {.flags = static_cast<std::uint8_t>(F | A), .ack = 7}, 1},
      {"SYN/ACK of no connection", {.flags = kSynAck, .ack = 7, .options = offers(false)}, 1},
      {"data of no connection", {.ack = 7, .data = "x"}, 1},
      {"RST", {.flags = R}, 0},
  };
  for (const Row& row : rows) {
    const double ratio = measure(row);
    std::printf("%-45s %.2f\n", row.name, ratio);
    EXPECT_LE(ratio, row.bound) << row.name;
    EXPECT_EQ(ratio == 0, row.bound == 0) << row.name << " is no longer answered";
  }
}

}  // namespace
}  // namespace braid::kit
