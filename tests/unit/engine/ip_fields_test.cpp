// DSCP and TTL of what Braid sends: those of the listener toward clients, of the upstream toward servers.
#include <gtest/gtest.h>

#include "kit/mp_client.hpp"

namespace braid::kit {
namespace {

constexpr wire::IpFields kToClients{46, 255};
constexpr wire::IpFields kToServers{10, 1};

class IpFieldsOnTheWire : public LabTest, public testing::WithParamInterface<bool> {
 protected:
  Lab& gateway(bool cookies = false) {
    return make({.v6 = GetParam(),
                 .scripted_client = true,
                 .scripted_servers = true,
                 .tune = [cookies](relay::Settings& r, engine::Settings& s) {
                   r.listeners[0].ip = kToClients;
                   r.upstreams[0].ip = kToServers;
                   r.upstreams[0].ecn = true;
                   if (cookies) s.handshakes = 0;
                 }});
  }
  // Everything that the gateway has sent on these links. `least`: so many segments at least.
  void expect_sent(const wire::IpFields& want, std::size_t least, std::initializer_list<const Link*> links,
                   bool toward_second) {
    std::size_t seen = 0;
    for (const Link* link : links) {
      for (const Captured& c : link->captured()) {
        wire::TcpFrame f;
        if (c.inbound != toward_second ||
            wire::parse_frame(c.packet, wire::Trust::verify, f) != wire::FrameKind::tcp)
          continue;
        ++seen;
        const std::byte* ip = c.packet.data() + f.l3_offset;
        const bool v4 = f.flow.local.ip.is_v4();
        EXPECT_EQ(load_be<std::uint8_t>(ip + (v4 ? 8 : 7)), want.ttl) << wire::to_string(f);
        const unsigned tos = v4 ? load_be<std::uint8_t>(ip + 1) : load_be<std::uint16_t>(ip) >> 4 & 0xff;
        EXPECT_EQ(tos >> 2, want.dscp) << wire::to_string(f);
        marked_ += (tos & 3) != 0 ? 1 : 0;
        resets_ += f.has(wire::kRst) ? 1 : 0;
      }
    }
    EXPECT_GE(seen, least);
  }
  unsigned marked_ = 0;  // of these segments, with ECN bits
  unsigned resets_ = 0;
};
INSTANTIATE_TEST_SUITE_P(Ip, IpFieldsOnTheWire, testing::Bool(),
                         [](const auto& p) { return p.param ? "v6" : "v4"; });

TEST_P(IpFieldsOnTheWire, EverySegmentHasThoseOfItsSide) {
  Lab& l = gateway();
  MpClient client(l);
  Remote& first = client.connect();
  client.data(first, 0, "hello");
  Remote* s = l.server_script->incoming(l.server(), 1s);
  ASSERT_NE(s, nullptr);
  ASSERT_TRUE(s->next()->has(S));
  s->say({.flags = static_cast<std::uint8_t>(S | A | wire::kEce),
          .options = [](wire::OptionBuffer& o) { o.mss(1460); }});
  l.world.run_for(10ms);
  s->say({.data = std::string(100, 'x')});
  Remote& second = client.join(1);
  l.world.run_for(10ms);
  second.say({.seq = 1U << 30});                        // an acknowledgement in answer
  s->say({.flags = static_cast<std::uint8_t>(R | A)});  // which ends the clients' too
  l.world.run_for(100ms);
  expect_sent(kToClients, 7, {&l.access(0), &l.access(1)}, false);
  EXPECT_EQ(marked_, 0U);
  EXPECT_EQ(resets_, 1U) << "the first subflow hears MP_FASTCLOSE, the second this";
  expect_sent(kToServers, 2, {&l.server_link()}, true);
  EXPECT_EQ(marked_, 1U) << "the data, which keeps its ECN bits";
}

TEST_P(IpFieldsOnTheWire, WhatNoConnectionSendsHasTheListeners) {
  Lab& l = gateway(true);
  Remote& c = l.remote(0, 30000);
  c.say({.flags = S});
  c.expect({.flags = static_cast<std::uint8_t>(S | A), .ack = 1});  // a cookie
  Remote& stray = l.remote(0, 30001);
  stray.say({.ack = 77, .data = "whose is it?"});
  stray.expect({.flags = R});
  expect_sent(kToClients, 2, {&l.access(0)}, false);
}

}  // namespace
}  // namespace braid::kit
