// Golden outputs of braidctl's tables.
#include "braidctl/format.hpp"

#include <gtest/gtest.h>

#include "control/api_json.hpp"
#include "unit/control/fixtures.hpp"

namespace braidctl {
namespace {

using nlohmann::json;

TEST(Print, Bytes) {
  EXPECT_EQ(print_bytes(0), "0 B");
  EXPECT_EQ(print_bytes(1023), "1023 B");
  EXPECT_EQ(print_bytes(1536), "1.5 KiB");
  EXPECT_EQ(print_bytes((1ULL << 20) - 1), "1.0 MiB");
  EXPECT_EQ(print_bytes(12ULL << 30), "12.0 GiB");
  EXPECT_EQ(print_bytes(~0ULL), "16.0 EiB");
}

TEST(Print, Times) {
  EXPECT_EQ(print_micros(820), "820us");
  EXPECT_EQ(print_micros(12'345), "12.3ms");
  EXPECT_EQ(print_micros(1'200'000), "1.20s");
  EXPECT_EQ(print_age(250), "250ms");
  EXPECT_EQ(print_age(12'345), "12.3s");
  EXPECT_EQ(print_age(302'000), "5m02s");
  EXPECT_EQ(print_age(11'040'000), "3h04m");
  EXPECT_EQ(print_age(183'600'000), "2d03h");
}

braid::engine::SessionInfo session() {
  using namespace braid;
  engine::SessionInfo s;
  s.id = (1ULL << 56) | 42;
  s.listener = 0;
  s.mode = engine::Mode::mptcp;
  s.state = "ESTABLISHED";
  s.subflow_count = 2;
  s.token = 7;
  s.client = *parse_endpoint("198.18.2.10:40000");
  s.bind = *parse_endpoint("198.18.9.1:80");
  s.age_ms = 61'000;
  s.idle_ms = 20;
  s.bytes_up = 1536;
  s.bytes_down = 10ULL << 20;
  auto& first = s.subflows[0];
  first.flow = {*parse_endpoint("198.18.9.1:80"), *parse_endpoint("198.18.2.10:40000")};
  first.state = "ESTABLISHED";
  first.srtt_us = 20'100;
  first.rttvar_us = 900;
  first.cwnd_bytes = 14'600;
  first.bytes_sent = 8ULL << 20;
  first.bytes_received = 1536;
  auto& second = s.subflows[1] = first;
  second.flow.remote = *parse_endpoint("198.18.3.10:40001");
  second.remote_id = 1;
  second.backup = true;
  second.stale = true;
  second.retransmitted_segments = 3;
  second.reinjected_segments = 2;
  s.server = first;
  s.server.flow = {*parse_endpoint("198.18.1.1:50000"), *parse_endpoint("198.18.1.20:80")};
  s.server.srtt_us = 300;
  s.server.rttvar_us = 50;
  return s;
}

TEST(Session, LooksLikeThis) {
  const braid::control::Appliance a;
  const auto text = sessions_header() + format_session(braid::control::session_json(session(), &a.config));
  EXPECT_EQ(
      text,
      R"(ID       MODE     STATE        LISTENER     CLIENT                       SUBF         UP       DOWN      AGE     IDLE
1.42     mptcp    ESTABLISHED  web          198.18.2.10:40000               2    1.5 KiB   10.0 MiB    1m01s     20ms
    subflow 0:0 198.18.9.1:80 <- 198.18.2.10:40000  ESTABLISHED  rtt 20.1ms±900us  cwnd 14.3 KiB  sent 8.0 MiB  received 1.5 KiB
    subflow 0:1 198.18.9.1:80 <- 198.18.3.10:40001  ESTABLISHED  rtt 20.1ms±900us  cwnd 14.3 KiB  sent 8.0 MiB  received 1.5 KiB  retransmitted 3  reinjected 2  backup  stale
    server      198.18.1.1:50000 -> 198.18.1.20:80  ESTABLISHED  rtt 300us±50us  cwnd 14.3 KiB  sent 8.0 MiB  received 1.5 KiB
)");
}

// The keys machines read: adding one is fine, losing or renaming one breaks scripts.
TEST(Session, JsonKeysAreStable) {
  const braid::control::Appliance a;
  const auto s = braid::control::session_json(session(), &a.config);
  for (const char* key :
       {"id", "worker", "listener", "mode", "state", "token", "client", "bind", "age_ms", "idle_ms",
        "bytes_up", "bytes_down", "buffered_up", "buffered_down", "subflows", "server"})
    EXPECT_TRUE(s.contains(key)) << key;
  for (const char* key : {"local", "remote", "state", "backup", "stale", "local_id", "remote_id", "mss",
                          "srtt_us", "rttvar_us", "rto_us", "cwnd_bytes", "in_flight_bytes", "bytes_sent",
                          "bytes_received", "retransmitted_segments", "reinjected_segments"}) {
    EXPECT_TRUE(s["subflows"][1].contains(key)) << key;
    EXPECT_TRUE(s["server"].contains(key)) << key;
  }
  EXPECT_EQ(s["subflows"].size(), 2U);
  EXPECT_EQ(s["worker"], 1);
}

TEST(Session, SurvivesAnUnknownDaemon) {
  EXPECT_FALSE(format_session(json::object()).empty());
  EXPECT_FALSE(
      format_session(json::parse(R"({"subflows":[1,"x",null],"server":[],"bytes_up":"many"})")).empty());
  EXPECT_FALSE(format_info(json()).empty());
  EXPECT_FALSE(format_info(json::parse(R"({"ports":[1],"workers":"x","listeners":{"a":1}})")).empty());
  EXPECT_FALSE(format_stats(json::parse("[1,{}]"), true).empty());
}

TEST(Info, LooksLikeThis) {
  const braid::control::Appliance a;
  a.workers[1]->counters.add(braid::stats::Counter::busy_ns, 2'500'000'000);
  a.workers[1]->counters.add(braid::stats::Counter::rx_frames, 12345);
  auto info = braid::control::info_json(a.sources, std::chrono::seconds(3600));
  info["pid"] = 77;
  info["config"] = "gw.yaml";
  EXPECT_EQ(format_info(info), R"(Braid 0.1.0, DPDK 22.11, pid 77, up 1h00m: ready
config  gw.yaml
eal     braidd -l 0,1

  WORKER  CLIENTS  SESSIONS  SUBFLOWS  TCP  BUFFERED  BUSY     RX  TX  HANDOFFS
  0             0         0         0    0       0 B  0.0s      0   0         0
  1             0         0         0    0       0 B  2.5s  12345   0         0

  PORT    LINK  DEVICE        RX PACKETS      RX  TX PACKETS       TX  MISSED  NO BUFFER  ERRORS
  access  up    0000:3b:00.0          10  1000 B          20  2.0 KiB       1          2       3
  core    down  0000:3b:00.1           0     0 B           0      0 B       0          0       0

  POOL     IN USE   SIZE
  packets     100  65536

  LISTENER  MPTCP   UPSTREAM  BIND
  web       prefer  web       198.18.9.1:80 198.18.9.1:443
  mail      off     mail      198.18.9.1:993

  UPSTREAM  SERVERS
  web       198.18.1.20:80 198.18.1.21:80 198.18.1.22:80
  mail      198.18.1.30:993
)");
}

TEST(Counters, ShowWhatIsNotZero) {
  const braid::control::Appliance a;
  a.workers[0]->counters.add(braid::stats::Counter::handoffs, 12);
  a.workers[1]->counters.add(braid::stats::Counter::handoffs, 30);
  a.workers[1]->joins.add(braid::stats::Join::no_token, 1);
  const auto stats = braid::control::stats_json(a.sources);
  EXPECT_EQ(format_stats(stats, false), R"(counters
  handoffs  42  packets handed to the worker that owns their flow

joins
  no_token  1  token unknown (as MPTcpExtMPJoinNoTokenFound)
)");
  EXPECT_NE(format_stats(stats, true).find("resets_received\n"), std::string::npos);
  const auto drops = braid::control::drops_json(a.sources);
  EXPECT_EQ(format_drops(drops, false), "no packet was dropped (--all shows the reasons)\n");
  a.workers[0]->drops.add(braid::stats::Drop::paws, 5);
  EXPECT_EQ(format_drops(braid::control::drops_json(a.sources), false),
            "  paws  5  timestamp older than the last one (RFC 7323 5)\n");
}

}  // namespace
}  // namespace braidctl
