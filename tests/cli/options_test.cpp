#include "cli/options.hpp"

#include <gtest/gtest.h>

#include <array>

namespace update::cli {
namespace {

constexpr OptionSpec kSpecs[] = {
    {"dry-run"},          {"to", "ID"},       {"n", "N", 'n'},
    {"verbose", "", 'v'}, {"quiet", "", 'q'}, {"release-version", "VERSION", '\0', "version"}};

Result<Options> parse(std::vector<std::string> words) {
  return parse_options(kSpecs, words);
}

std::string usage_error(std::vector<std::string> words) {
  const auto parsed = parse(std::move(words));
  if (parsed) return "parsed";
  EXPECT_EQ(parsed.error().code(), ErrorCode::usage);
  return parsed.error().message() + " | " + parsed.error().hint();
}

TEST(Options, TakesFlagsValuesAndArgumentsInAnyOrder) {
  const auto options = parse({"a", "--to", "7", "--dry-run", "b"});
  ASSERT_TRUE(options);
  EXPECT_TRUE(options->has("dry-run"));
  EXPECT_EQ(options->value("to"), "7");
  EXPECT_FALSE(options->has("verbose"));
  EXPECT_EQ(options->arguments(), (std::vector<std::string>{"a", "b"}));
}

TEST(Options, TakesEveryWayToWriteAValue) {
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"-n", "5"}, {"-n5"}, {"-vn", "5"}, {"-vn5"}, {"--to=5", "-n", "5"}}) {
    const auto options = parse(words);
    ASSERT_TRUE(options) << words[0];
    EXPECT_EQ(options->value("n"), "5") << words[0];
  }
}

TEST(Options, KeepsACommaInAValueAndAnEmptyValue) {
  EXPECT_EQ(parse({"--to", "a,b"})->value("to"), "a,b");
  EXPECT_EQ(parse({"a,b"})->arguments(), std::vector<std::string>{"a,b"});
  EXPECT_EQ(parse({"--to", ""})->value("to"), "");
  EXPECT_EQ(parse({"--to="})->value("to"), "");
}

TEST(Options, AliasIsTheSameOption) {
  EXPECT_EQ(parse({"--version", "1.2.3"})->value("release-version"), "1.2.3");
}

TEST(Options, LastOneCounts) {
  EXPECT_EQ(parse({"--to", "1", "--to", "2"})->value("to"), "2");
}

TEST(Options, WordsAfterTwoDashesAndOneDashAreArguments) {
  EXPECT_EQ(parse({"--", "--dry-run", "-x"})->arguments(),
            (std::vector<std::string>{"--dry-run", "-x"}));
  EXPECT_EQ(parse({"-"})->arguments(), std::vector<std::string>{"-"});
}

TEST(Options, UnknownOneNamesTheNearest) {
  EXPECT_EQ(usage_error({"--dry-rnu"}), "there is no option '--dry-rnu' | did you mean --dry-run?");
  EXPECT_EQ(usage_error({"--xyzzy=1"}), "there is no option '--xyzzy' | ");
  EXPECT_EQ(usage_error({"-vx"}), "there is no option '-x' | ");
  EXPECT_EQ(usage_error({"--n", "5"}), "there is no option '--n' | ");
}

TEST(Options, AreNotShortenedNorMisread) {
  for (const char* word : {"--dry", "--=", "--=x", "-=", "---", "--verbose=maybe", "-\xff"}) {
    const auto options = parse({word});
    ASSERT_FALSE(options) << word;
    EXPECT_EQ(options.error().code(), ErrorCode::usage) << word;
  }
}

TEST(Options, ValueThatIsMissingIsAnError) {
  EXPECT_EQ(usage_error({"--to"}), "the option '--to' needs a value | ");
  EXPECT_EQ(usage_error({"-n"}), "the option '-n' needs a value | ");
}

TEST(Options, UnknownOneIsShownEscaped) {
  EXPECT_TRUE(usage_error({"--a\x1b[31m"}).find('\x1b') == std::string::npos);
}

TEST(Options, IntegerIsWholeAndInItsRange) {
  for (const char* text : {"", "x", "1x", " 1", "-1", "0", "101", "99999999999999999999", "1.5"}) {
    const auto options = parse({"--to", text});
    ASSERT_TRUE(options);
    const auto number = options->integer("to", 1, 100);
    ASSERT_FALSE(number) << text;
    EXPECT_EQ(number.error().code(), ErrorCode::usage) << text;
  }
  EXPECT_EQ(*parse({"--to", "100"})->integer("to", 1, 100), 100);
  EXPECT_EQ(*parse({})->integer("to", 1, 100), std::nullopt);
}

TEST(Options, WordIsOneOfTheKnown) {
  constexpr std::array<std::string_view, 2> kWords = {"text", "json"};
  EXPECT_EQ(*parse({"--to", "json"})->word("to", kWords), "json");
  const auto wrong = parse({"--to", "jsno"})->word("to", kWords);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code(), ErrorCode::usage);
  EXPECT_EQ(wrong.error().hint(), "did you mean json?");
}

TEST(Options, LengthTellsWhereTheNextWordIs) {
  const auto length = [](std::vector<std::string> words) { return option_length(kSpecs, words); };
  EXPECT_EQ(length({"--to", "5", "x"}), 2U);
  EXPECT_EQ(length({"--to=5", "x"}), 1U);
  EXPECT_EQ(length({"-n5", "x"}), 1U);
  EXPECT_EQ(length({"--to"}), 1U);
  EXPECT_EQ(length({"x"}), 0U);
  EXPECT_EQ(length({"--unknown", "x"}), 0U);
}

}  // namespace
}  // namespace update::cli
