#include "config/scalars.hpp"

#include <gtest/gtest.h>

namespace braid::config {
namespace {

using namespace std::chrono_literals;

TEST(ParseUnsigned, TakesPlainDecimalOnly) {
  EXPECT_EQ(parse_unsigned("0"), 0U);
  EXPECT_EQ(parse_unsigned("18446744073709551615"), ~0ULL);
  for (const char* bad : {"", "010", "0x10", "1e3", "-1", "+1", " 1", "1 ", "1_000", "18446744073709551616"})
    EXPECT_FALSE(parse_unsigned(bad)) << bad;
}

TEST(ParseDuration, NeedsAUnit) {
  EXPECT_EQ(parse_duration("50us"), 50us);
  EXPECT_EQ(parse_duration("5ms"), 5ms);
  EXPECT_EQ(parse_duration("10s"), 10s);
  EXPECT_EQ(parse_duration("2m"), 2min);
  EXPECT_EQ(parse_duration("1h"), 1h);
  EXPECT_EQ(parse_duration("0"), 0s);
  for (const char* bad : {"", "3", "s", "1.5s", "1 s", "1d", "01s", "1S", "99999999999h", "-1s"})
    EXPECT_FALSE(parse_duration(bad)) << bad;
}

TEST(ParseSize, TakesBinaryUnits) {
  EXPECT_EQ(parse_size("4096"), 4096U);
  EXPECT_EQ(parse_size("512KiB"), 512U << 10);
  EXPECT_EQ(parse_size("4MiB"), 4U << 20);
  EXPECT_EQ(parse_size("1GiB"), 1U << 30);
  for (const char* bad : {"", "4M", "4MB", "4 MiB", "04MiB", "1.5GiB", "99999999999GiB", "-1"})
    EXPECT_FALSE(parse_size(bad)) << bad;
}

TEST(ParseBool, TakesTwoWordsOnly) {
  EXPECT_EQ(parse_bool("true"), true);
  EXPECT_EQ(parse_bool("false"), false);
  for (const char* bad : {"yes", "no", "on", "off", "True", "1", ""}) EXPECT_FALSE(parse_bool(bad)) << bad;
}

TEST(ParseCores, TakesListsAndRanges) {
  EXPECT_EQ(parse_cores("1"), (std::vector<unsigned>{1}));
  EXPECT_EQ(parse_cores("1,2"), (std::vector<unsigned>{1, 2}));
  EXPECT_EQ(parse_cores("2-4,0"), (std::vector<unsigned>{2, 3, 4, 0}));
  EXPECT_EQ(parse_cores("1,1"), (std::vector<unsigned>{1, 1}));
  for (const char* bad : {"", ",", "1,", "4-2", "1-", "-1", "1024", "a", "0-1023,0-1023,1"})
    EXPECT_FALSE(parse_cores(bad)) << bad;
}

TEST(Print, GivesWhatIsReadBack) {
  for (const Duration d : {Duration(0s), Duration(50us), Duration(1500ms), Duration(90s), Duration(2h)})
    EXPECT_EQ(parse_duration(print_duration(d)), d) << print_duration(d);
  for (const std::uint64_t n : {0ULL, 1ULL, 1500ULL, 1ULL << 10, 3ULL << 20, 5ULL << 30})
    EXPECT_EQ(parse_size(print_size(n)), n) << print_size(n);
  EXPECT_EQ(print_duration(1h), "1h");
  EXPECT_EQ(print_size(64ULL << 10), "64KiB");
}

TEST(Quote, KeepsMessagesOnOneLine) {
  EXPECT_EQ(quote("a\nb\x1b[31m"), "\"a\\x0ab\\x1b[31m\"");
  EXPECT_LT(quote(std::string(1000, 'x')).size(), 80U);
}

TEST(Nearest, FindsWhatWasMeantOrNothing) {
  const std::vector<std::string> words{"listeners", "limits", "log", "ports"};
  EXPECT_EQ(nearest("listener", words), "listeners");
  EXPECT_EQ(nearest("limts", words), "limits");
  EXPECT_EQ(nearest("upstreams", words), "");
  EXPECT_EQ(nearest(std::string(1000, 'l'), words), "");
}

}  // namespace
}  // namespace braid::config
