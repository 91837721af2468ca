#include "control/control_core.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "unit/control/fixtures.hpp"

namespace braid::control {
namespace {

class NoWorkers final : public SessionSource {
 public:
  [[nodiscard]] unsigned workers() const override { return 0; }
  bool post(unsigned, engine::ListRequest&) override { return false; }
};

class Core : public testing::Test {
 protected:
  Core() {
    std::string name = (std::filesystem::temp_directory_path() / "braid-core-XXXXXX").string();
    directory_ = mkdtemp(name.data());
    appliance_.config.control.socket = directory_ + "/s";
    appliance_.config.metrics.listen.port = 0;
  }
  ~Core() override { std::filesystem::remove_all(directory_); }
  std::string directory_;
  Appliance appliance_;
  NoWorkers sessions_;
  std::ostringstream text_;
};

TEST_F(Core, WritesTheLastRecordsBeforeItEnds) {
  AccessRing ring(1024);
  {
    Log log(config::Log{}, std::make_shared<spdlog::sinks::ostream_sink_mt>(text_));
    ControlCore core(appliance_.sources, sessions_, {&ring}, log);
    ASSERT_EQ(core.start(), std::nullopt);
    EXPECT_NE(core.metrics_port(), 0);
    EXPECT_TRUE(std::filesystem::exists(appliance_.config.control.socket));
    for (int i = 0; i < 1000; ++i) ASSERT_TRUE(ring.push(relay::AccessRecord{}));
    core.stop();
    core.stop();
    EXPECT_EQ(core.metrics_port(), 0);
    EXPECT_FALSE(std::filesystem::exists(appliance_.config.control.socket));
  }
  const auto lines = text_.str();
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 1000);
}

TEST_F(Core, LeavesNothingRunningWhenItCannotStart) {
  Log log(config::Log{}, std::make_shared<spdlog::sinks::ostream_sink_mt>(text_));
  appliance_.config.control.socket = "/dev/null";
  ControlCore core(appliance_.sources, sessions_, {}, log);
  EXPECT_THAT(core.start().value_or(""), testing::HasSubstr("exists and is no socket"));
  EXPECT_EQ(core.metrics_port(), 0);
}

TEST_F(Core, ServesNoMetricsWhenToldSo) {
  Log log(config::Log{}, std::make_shared<spdlog::sinks::ostream_sink_mt>(text_));
  appliance_.config.metrics.enabled = false;
  ControlCore core(appliance_.sources, sessions_, {}, log);
  ASSERT_EQ(core.start(), std::nullopt);
  EXPECT_EQ(core.metrics_port(), 0);
}

}  // namespace
}  // namespace braid::control
