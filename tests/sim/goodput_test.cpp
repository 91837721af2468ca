// Golden tables: what a download gets over each of two links alone, and over both, in Mbit/s. A cell moves
// only on purpose: BRAID_GOLDEN=write writes the tables anew.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

#include "kit/lab.hpp"
#include "kit/profiles.hpp"

namespace braid::kit {
namespace {

constexpr double kTolerance = 0.1;  // of a cell: compilers round differently, and losses amplify it
constexpr double kNeverSlower =
    0.9;  // both links, compared with the better one: short transfers end on the slower

struct Row {
  double a = 0, b = 0, both = 0;
};
using Table = std::map<std::string, Row>;

class Goodput : public LabTest {
 protected:
  // Mbit/s of one download over these links.
  double download(std::vector<LinkSpec> links, std::uint64_t bytes, std::uint64_t seed) {
    const bool several = links.size() > 1;
    Lab& l = make({.seed = seed, .access = std::move(links), .tune = {}});
    l.client->budget = 8U << 20;
    l.server_host().listen(kServerPort, {.send = bytes, .send_key = 2, .ahead = 1U << 20});
    App& app = l.fetch({.expect_key = 2}, several);
    EXPECT_TRUE(l.run([&] { return app.received() == bytes; }, 300s));
    const double seconds = std::chrono::duration<double>(l.world.elapsed()).count();
    finish();
    return static_cast<double>(bytes) * 8 / seconds / 1e6;
  }

  // The same over one link that fades for 10 ms so long after the beginning.
  double download_with_fade(const LinkSpec& link, std::uint64_t bytes, Duration at) {
    Lab& l = make({.access = {link}});
    l.client->budget = 8U << 20;
    l.server_host().listen(kServerPort, {.send = bytes, .send_key = 2, .ahead = 1U << 20});
    App& app = l.fetch({.expect_key = 2});
    l.world.at(at, [&l] { l.access(0).cut(); });
    l.world.at(at + 10ms, [&l] { l.access(0).uncut(); });
    EXPECT_TRUE(l.run([&] { return app.received() == bytes; }, 300s));
    const double seconds = std::chrono::duration<double>(l.world.elapsed()).count();
    finish();
    return static_cast<double>(bytes) * 8 / seconds / 1e6;
  }

  // The median of three seeds.
  double median(const std::vector<LinkSpec>& links, std::uint64_t bytes) {
    std::array<double, 3> got{};
    for (unsigned i = 0; i < got.size(); ++i) got[i] = download(links, bytes, 4 * i + 1);
    std::sort(got.begin(), got.end());
    return got[1];
  }

  static std::string file(const char* table) {
    return std::string(BRAID_SOURCE_DIR) + "/tests/sim/golden/" + table + ".txt";
  }
  static void write(const char* table, const Table& rows) {
    std::ofstream out(file(table));
    out << "# a alone, b alone, both; Mbit/s\n";
    char line[160];
    for (const auto& [name, r] : rows) {
      std::snprintf(line, sizeof line, "%-36s %7.2f %7.2f %7.2f\n", name.c_str(), r.a, r.b, r.both);
      out << line;
    }
  }
  static Table read(const char* table) {
    Table rows;
    std::ifstream in(file(table));
    for (std::string line; std::getline(in, line);) {
      std::istringstream words(line);
      std::string name;
      Row r;
      if (words >> name && name != "#" && words >> r.a >> r.b >> r.both) rows[name] = r;
    }
    return rows;
  }

  static void expect_near(const std::string& name, const char* column, double got, double golden) {
    EXPECT_NEAR(got, golden, golden * kTolerance) << name << ", " << column;
  }
  static void compare(const char* table, const Table& got) {
    for (const auto& [name, r] : got)
      EXPECT_GE(r.both, kNeverSlower * std::max(r.a, r.b)) << name << ": slower than the better link";
    const char* wanted = std::getenv("BRAID_GOLDEN");
    if (wanted != nullptr && std::string(wanted) == "write") return write(table, got);
    const Table golden = read(table);
    for (const auto& [name, r] : got) {
      ASSERT_TRUE(golden.contains(name)) << name;
      expect_near(name, "a", r.a, golden.at(name).a);
      expect_near(name, "b", r.b, golden.at(name).b);
      expect_near(name, "both", r.both, golden.at(name).both);
    }
    EXPECT_EQ(golden.size(), got.size());
  }
};

TEST_F(Goodput, PairsOfProfiles) {
  constexpr std::uint64_t kBytes = 10'000'000;
  Table rows;
  std::map<std::string, double> alone;
  for (const std::string& name : profile_names()) alone[name] = median({*profile(name)}, kBytes);
  for (const auto& [a, of_a] : alone)
    for (const auto& [b, of_b] : alone)
      if (a < b)
        rows[std::string(a).append("+").append(b)] = {of_a, of_b,
                                                      download({*profile(a), *profile(b)}, kBytes, 1)};
  compare("profiles", rows);
}

TEST_F(Goodput, LossDelayAndBuffer) {
  Table rows;
  constexpr std::uint64_t kBytes = 4'000'000;
  constexpr double kRate = 20e6;
  constexpr Duration kDelay = 10ms;
  for (const double loss : {0.0, 0.001, 0.01})
    for (const int ratio : {1, 4, 16})
      for (const double buffer : {0.25, 1.0, 4.0}) {  // of what is on the way on the shorter path and back
        const auto queue = static_cast<std::size_t>(buffer * kRate / 8 * 0.02);
        const LinkSpec a{.name = "a", .rate = kRate, .delay = kDelay, .queue = queue, .loss = loss};
        const LinkSpec b{.name = "b", .rate = kRate, .delay = ratio * kDelay, .queue = queue, .loss = loss};
        char name[80];
        std::snprintf(name, sizeof name, "loss=%.3f,delay=1:%d,buffer=%.2f", loss, ratio, buffer);
        rows[name] = {median({a}, kBytes), median({b}, kBytes), median({a, b}, kBytes)};
      }
  compare("loss_delay_buffer", rows);
}

// A path with a deep queue is given what it can bring in time, not its queue's worth.
TEST_F(Goodput, ADeepQueueBesideAFastLink) {
  const LinkSpec fast{.name = "fast", .rate = 100e6, .delay = 1ms, .queue = 250'000};
  const double alone = download({fast}, 40'000'000, 1);
  const double both = download({fast, *profile("bloat")}, 40'000'000, 1);
  std::printf("100 Mbit/s alone: %.1f; beside 5 Mbit/s with a queue of a second: %.1f Mbit/s\n", alone, both);
  EXPECT_GT(both, alone);
}

// What is lost while the window is still small says nothing about the path: the rest of it is found at once.
TEST_F(Goodput, AFadeInSlowStartCostsLittle) {
  constexpr std::uint64_t kBytes = 20'000'000;
  LinkSpec lte = *profile("lte");
  lte.fade = 0;
  const double undisturbed = download({lte}, kBytes, 1);
  for (Duration at = 100ms; at <= 900ms; at += 50ms)
    EXPECT_GT(download_with_fade(lte, kBytes, at), 0.75 * undisturbed) << at.count() / 1'000'000 << " ms";
}

}  // namespace
}  // namespace braid::kit
