#include "cores.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

namespace braid::daemon {
namespace {

using Cpus = std::vector<unsigned>;

config::Config config(unsigned workers, std::optional<unsigned> main = {}, Cpus cores = {}) {
  config::Config c;
  c.file = "f.yaml";
  c.workers.count = workers;
  c.workers.cores = std::move(cores);
  c.dpdk.main_core = main;
  return c;
}

TEST(Cores, ControlTakesTheFirstAllowedOne) {
  const Cores c = choose_cores(config(2), {4, 5, 6});
  EXPECT_EQ(c.main, 4U);
  EXPECT_EQ(c.workers, (Cpus{5, 6}));
}

TEST(Cores, TooFewAreShared) {
  EXPECT_EQ(choose_cores(config(3), {4, 5}).workers, (Cpus{5, 4, 5}));
  EXPECT_EQ(choose_cores(config(1), {7}).workers, (Cpus{7}));
}

TEST(Cores, TheConfigurationDecides) {
  const Cores c = choose_cores(config(2, 6, {4, 4}), {4, 5, 6});
  EXPECT_EQ(c.main, 6U);
  EXPECT_EQ(c.workers, (Cpus{4, 4}));
}

TEST(Cores, ThoseNotAllowedAreRefused) {
  EXPECT_THROW(choose_cores(config(1, 0), {4, 5}), std::runtime_error);
  EXPECT_THROW(choose_cores(config(1, {}, {0}), {4, 5}), std::runtime_error);
}

}  // namespace
}  // namespace braid::daemon
