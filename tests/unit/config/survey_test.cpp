// Texts on which yaml-cpp by itself does not end, or makes a tree larger than any text: each is a mistake
// with its place.
#include "config/survey.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace braid::config {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::string messages(const std::string& yaml) {
  std::string out;
  for (const auto& m : load_text(yaml, "f").mistakes) out += to_string(m, "f") + "\n";
  return out;
}

TEST(Survey, RefusesATokenThatCanBeginNoDocument) {
  constexpr const char* kNoValue = " is no YAML: no value can begin here; correct the syntax";
  EXPECT_THAT(messages(","), StartsWith(std::string("f:1:1:") + kNoValue));
  EXPECT_THAT(messages("\n ,"), StartsWith(std::string("f:2:2:") + kNoValue));
  EXPECT_THAT(messages("%.\n,m"), StartsWith(std::string("f:2:1:") + kNoValue));
  for (const char* token : {"]", "}", "? ]", "--- ,", "&a ,", "!t ]", "{}]", "a: 1\n...\n,", "[],"}) {
    const auto loaded = load_text(token, "f");
    ASSERT_EQ(loaded.mistakes.size(), 1U) << token;
    EXPECT_THAT(loaded.mistakes[0].text, HasSubstr("YAML")) << token;
    EXPECT_NE(loaded.mistakes[0].line, 0U) << token;
  }
}

TEST(Survey, RefusesASecondDocumentAtItsPlace) {
  EXPECT_THAT(messages("a: 1\n---\nb: 1\n"),
              StartsWith("f:2:1: is a second YAML document; must be one document"));
  EXPECT_THAT(messages("a: 1\n...\nb: 1\n"), StartsWith("f:3:1: is a second YAML document"));
  EXPECT_THAT(messages("[a] b"), StartsWith("f:1:5: is a second YAML document"));
  EXPECT_THAT(messages("---\n---\na: 1\n"), StartsWith("f:2:1: is a second YAML document"));
}

TEST(Survey, RefusesWhatIsNotUtf8) {
  EXPECT_THAT(messages("a: 1\nb: \xff\n"),
              StartsWith("f:2:4: byte \"\\xff\" is no UTF-8; must be plain UTF-8 text"));
  // A lone continuation, a cut character, overlong forms, a surrogate, beyond U+10FFFF, UTF-16 (RFC 3629 3,
  // 10).
  for (const char* text :
       {"\x80", "\xc3", "\xe2\x82", "\xf0\x9f\x98", "\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf",
        "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xc3(", "\xff\xfe,", "\xfe\xff,"})
    EXPECT_THAT(messages(text), StartsWith("f:1:1: byte ")) << text;
  EXPECT_THAT(messages(std::string("a\0,\0", 4)), StartsWith("f:1:2: byte \"\\x00\" is a control character"));
}

TEST(Survey, RefusesControlCharacters) {
  EXPECT_THAT(messages("a: 1\nb: \x04\n"), StartsWith("f:2:4: byte \"\\x04\" is a control character"));
  EXPECT_THAT(messages("a: \x7f"), StartsWith("f:1:4: byte \"\\x7f\" is a control character"));
  EXPECT_THAT(messages("\xc2\x9b"), StartsWith("f:1:1: byte \"\\x9b\" is a control character"));  // C1's CSI
}

TEST(Survey, TakesOtherCharactersAndAMarkOfByteOrder) {
  std::vector<Mistake> mistakes;
  EXPECT_TRUE(
      survey("\xef\xbb\xbf"
             "a: \xc2\xa0\xe2\x82\xac\xf0\x9f\x98\x80\tb\r\n",
             mistakes));
  EXPECT_TRUE(mistakes.empty());
}

// Each level stands for ten of the one before it.
TEST(Survey, RefusesAliasesThatMultiply) {
  std::string bomb = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n";
  for (char level = '1'; level <= '9'; ++level) {
    std::string line = "aN: &aN [*aM, *aM, *aM, *aM, *aM, *aM, *aM, *aM, *aM, *aM]\n";
    std::replace(line.begin(), line.end(), 'N', level);
    std::replace(line.begin(), line.end(), 'M', static_cast<char>(level - 1));
    bomb += line;
  }
  EXPECT_THAT(messages(bomb), StartsWith("f:6:15: "));
  EXPECT_THAT(messages(bomb), HasSubstr("goes beyond 250000 values"));
}

TEST(Survey, RefusesAnAliasInsideOfWhatItStandsFor) {
  EXPECT_THAT(messages("a: &x [1, *x]\n"), StartsWith("f:1:11: is an alias inside of what it stands for"));
  EXPECT_THAT(messages("&x {b: {*x : 1}}\n"), HasSubstr("is an alias inside of what it stands for"));
}

TEST(Survey, CountsWhatAnAliasStandsFor) {
  std::vector<Mistake> mistakes;
  std::string list = "a: &x [";  // five besides the ones: the mapping, its keys, and the list twice
  for (std::size_t i = 0; i < kMaxValues / 2 - 3; ++i) list += "1,";
  EXPECT_TRUE(survey(list + "]\nb: *x\n", mistakes)) << mistakes[0].text;
  EXPECT_FALSE(survey(list + "1]\nb: *x\n", mistakes));
}

TEST(Survey, AnAliasOfOneValueIsFine) {
  const auto loaded = load_text("version: &one 1\nworkers: {count: *one}\n", "f");
  for (const auto& m : loaded.mistakes) EXPECT_THAT(m.text, HasSubstr("is missing")) << to_string(m, "f");
}

}  // namespace
}  // namespace braid::config
