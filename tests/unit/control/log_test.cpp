#include "control/log.hpp"

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "control/access_log.hpp"
#include "unit/control/fixtures.hpp"

namespace braid::control {
namespace {

relay::AccessRecord record() {
  relay::AccessRecord r;
  r.id = (1ULL << 56) | 42;
  r.duration_ns = 1'234'567'890;
  r.connect_ns = 1'500'000;
  r.client = *parse_endpoint("198.18.2.10:40000");
  r.bind = *parse_endpoint("198.18.9.1:80");
  r.server = *parse_endpoint("198.18.1.20:80");
  r.bytes_up = 1000;
  r.bytes_down = 3000;
  r.bytes_joined = 1000;
  r.retransmitted = 7;
  r.reinjected = 2;
  r.subflows_max = 2;
  r.kind = relay::Kind::mptcp;
  r.who = relay::Who::server;
  r.phase = relay::Phase::done;
  return r;
}

TEST(Access, TextLine) {
  EXPECT_EQ(
      format_access(config::LogFormat::text, record(), "web"),
      "closed id=1.42 client=198.18.2.10:40000 bind=198.18.9.1:80 listener=web server=198.18.1.20:80 "
      "mode=mptcp "
      "subflows=2 bytes_up=1000 bytes_down=3000 joined_percent=25.000 duration_ms=1234.568 connect_ms=1.500 "
      "retransmitted=7 reinjected=2 cause=server/done who=server phase=done");
}

TEST(Access, JsonLineHasTheSameKeys) {
  const auto line =
      nlohmann::json::parse("{" + format_access(config::LogFormat::json, record(), "web") + "}");
  EXPECT_EQ(line["event"], "closed");
  EXPECT_EQ(line["id"], "1.42");
  EXPECT_EQ(line["bytes_down"], 3000);
  EXPECT_EQ(line["cause"], "server/done");
  EXPECT_EQ(line.size(), 18U);
}

TEST(Access, NeverConnected) {
  auto r = record();
  r.server = {};
  r.connect_ns = -1;
  r.bytes_up = r.bytes_down = 0;
  const auto line = format_access(config::LogFormat::text, r, "web");
  EXPECT_NE(line.find(" server=none "), std::string::npos);
  EXPECT_NE(line.find(" connect_ms=-1.000 "), std::string::npos);
  EXPECT_NE(line.find(" joined_percent=0.000 "), std::string::npos);
}

TEST(FormatEvent, QuotesWhatWouldBreakTheLine) {
  const Field fields[] = {{"a", "x y"}, {"b", "q\"\n"}, {"c", ""}, {"d", true}, {"e", -1}, {"f", "plain"}};
  EXPECT_EQ(format_event(config::LogFormat::text, "event", fields),
            "event a=\"x y\" b=\"q\\\"\\u000a\" c=\"\" d=true e=-1 f=plain");
  const auto parsed =
      nlohmann::json::parse("{" + format_event(config::LogFormat::json, "event", fields) + "}");
  EXPECT_EQ(parsed["b"], "q\"\n");
  EXPECT_EQ(parsed["d"], true);
}

struct Written {
  std::ostringstream text;
  std::string drain_to(config::Log settings, const std::function<void(Log&)>& use) {
    {
      Log log(settings, std::make_shared<spdlog::sinks::ostream_sink_mt>(text));
      use(log);
    }
    return text.str();
  }
};

TEST(Log, WritesLevelsFromItsOwnUp) {
  config::Log settings;
  settings.level = config::LogLevel::warn;
  const auto text = Written{}.drain_to(settings, [](Log& log) {
    log.error("one");
    log.warn("two", {{"port", "wan"}});
    log.info("three");
    log.debug("four");
  });
  EXPECT_NE(text.find(" error one\n"), std::string::npos);
  EXPECT_NE(text.find(" warning two port=wan\n"), std::string::npos);
  EXPECT_EQ(text.find("three"), std::string::npos);
  EXPECT_EQ(text.find("four"), std::string::npos);
}

TEST(Log, JsonLinesAreObjects) {
  config::Log settings;
  settings.format = config::LogFormat::json;
  const auto text = Written{}.drain_to(settings, [](Log& log) { log.info("ready", {{"workers", 2}}); });
  const auto line = nlohmann::json::parse(text);
  EXPECT_EQ(line["event"], "ready");
  EXPECT_EQ(line["level"], "info");
  EXPECT_EQ(line["workers"], 2);
  EXPECT_EQ(line["ts"].get<std::string>().back(), 'Z');
}

TEST(AccessLog, DrainsEveryRingOnceAndCounts) {
  Appliance a;
  AccessRing one(256);
  AccessRing two(256);
  auto r = record();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(one.push(r));
  r.listener = 1;
  r.kind = relay::Kind::tcp;
  ASSERT_TRUE(two.push(r));
  r.listener = 999;  // out of a table that has since changed: still one line
  ASSERT_TRUE(two.push(r));
  const auto text = Written{}.drain_to(config::Log{}, [&](Log& log) {
    AccessLog access(a.config, {&one, &two}, log);
    EXPECT_EQ(access.drain(), 102U);
    EXPECT_EQ(access.drain(), 0U);
    EXPECT_EQ(access.counts().closed(0, relay::Kind::mptcp), 100U);
    EXPECT_EQ(access.counts().closed(1, relay::Kind::tcp), 1U);
    EXPECT_EQ(access.counts().closed(relay::Who::server, relay::Phase::done), 102U);
  });
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 102);
}

TEST(AccessLog, CanBeSilent) {
  Appliance a;
  a.config.log.access = false;
  AccessRing ring(8);
  ASSERT_TRUE(ring.push(record()));
  const auto text = Written{}.drain_to(config::Log{}, [&](Log& log) {
    AccessLog access(a.config, {&ring}, log);
    EXPECT_EQ(access.drain(), 1U);
    EXPECT_EQ(access.counts().closed(0, relay::Kind::mptcp), 1U);
  });
  EXPECT_EQ(text, "");
}

}  // namespace
}  // namespace braid::control
