// What the daemon tells its engines.
#include <gtest/gtest.h>

#include "config/load.hpp"
#include "engine_tasks.hpp"

namespace braid::daemon {
namespace {

TEST(RelaySettings, FollowTheConfiguration) {
  const auto loaded = config::load_text(R"(
version: 1
ports: [{name: wan, device: "net_ring:r0", addresses: [198.18.0.10/24]}]
listeners:
  - name: web
    bind: 198.18.0.10:80
    upstream: origin
    congestion: newreno
    dscp: 46
    ttl: 255
    mptcp: {max_subflows: 3, checksum: true, refuse_initial_join: true, join_address: 198.18.0.11,
            announce: [203.0.113.1]}
upstreams: [{name: origin, servers: [{address: "198.18.3.2:80"}], connect_timeout: 7s, dscp: 10, ttl: 1}]
timeouts: {idle: 11s, half_closed: 12s, hold: 13s}
limits: {buffer_per_connection: 1MiB}
)",
                                        "test.yaml");
  ASSERT_TRUE(loaded.ok()) << config::to_string(loaded.mistakes[0], "test.yaml");
  const relay::Settings s = relay_settings(loaded.config);
  ASSERT_EQ(s.listeners.size(), 1U);
  const relay::Listener& l = s.listeners[0];
  EXPECT_EQ(l.join_addresses, (std::vector<Ip>{Ip::v4(0xc612000b)})) << "joins there would be refused";
  EXPECT_EQ(l.announce_addresses, (std::vector<Endpoint>{{Ip::v4(0xcb007101), 0}}));
  EXPECT_EQ(l.profile.announce.data(), l.announce_addresses.data());
  EXPECT_EQ(l.profile.max_subflows, 3);
  EXPECT_TRUE(l.profile.require_checksum);
  EXPECT_TRUE(l.profile.refuse_initial_join);
  EXPECT_EQ(l.profile.hold, std::chrono::seconds(13));
  EXPECT_EQ(l.congestion, tcp::CongestionKind::newreno);
  EXPECT_EQ(s.upstreams[0].connect_timeout, std::chrono::seconds(7));
  EXPECT_EQ(l.ip.dscp, 46);
  EXPECT_EQ(l.ip.ttl, 255);
  EXPECT_EQ(s.upstreams[0].ip.dscp, 10);
  EXPECT_EQ(s.upstreams[0].ip.ttl, 1);
  EXPECT_EQ(s.idle, std::chrono::seconds(11));
  EXPECT_EQ(s.half_closed, std::chrono::seconds(12));
  EXPECT_EQ(s.buffer, 1U << 20);
}

}  // namespace
}  // namespace braid::daemon
