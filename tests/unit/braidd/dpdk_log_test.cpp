// DPDK's own messages come into the log with the severity they have.
#include "dpdk_log.hpp"

#include <gtest/gtest.h>
#include <rte_log.h>
#include <spdlog/sinks/ostream_sink.h>

#include <sstream>

namespace braid::daemon {
namespace {

std::string logged(config::LogLevel shown) {
  std::ostringstream text;
  config::Log settings;
  settings.level = shown;
  {
    control::Log log(settings, std::make_shared<spdlog::sinks::ostream_sink_mt>(text));
    const DpdkLog dpdk(log);
    rte_log(RTE_LOG_ERR, RTE_LOGTYPE_EAL, "out of %s\n", "paper");
    rte_log(RTE_LOG_WARNING, RTE_LOGTYPE_EAL, "low on paper\n");
    rte_log(RTE_LOG_NOTICE, RTE_LOGTYPE_EAL, "paper is white\n");
  }
  return text.str();
}

TEST(DpdkLog, KeepsTheSeverity) {
  const std::string all = logged(config::LogLevel::info);
  EXPECT_NE(all.find(" error dpdk text=\"out of paper\"\n"), std::string::npos) << all;
  EXPECT_NE(all.find(" warning dpdk text=\"low on paper\"\n"), std::string::npos) << all;
  EXPECT_NE(all.find(" info dpdk text=\"paper is white\"\n"), std::string::npos) << all;
}

TEST(DpdkLog, ErrorsAreSeenWhateverTheLevel) {
  const std::string errors = logged(config::LogLevel::error);
  EXPECT_NE(errors.find("out of paper"), std::string::npos) << errors;
  EXPECT_EQ(errors.find("low on"), std::string::npos) << errors;
}

}  // namespace
}  // namespace braid::daemon
