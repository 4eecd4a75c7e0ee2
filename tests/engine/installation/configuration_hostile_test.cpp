#include "engine/installation/configuration.hpp"

#include <gtest/gtest.h>

namespace update {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kValid = R"(product = "banger"
paths = {state = "/s", backup_suffix = ".old"}
[[file]]
name = '''a'''
destination = "/opt/\u0061"   # 'quoted
mode = "0755"
[[file]]
name = "b"
destination = """/opt/b"""
[restart]
units = ["a.service",
  'b@1.timer']
timeout = "30s"
[doctor]
command = ["/bin/x", "-\"-"]
passes = 2
[trust]
require_signature = true
[recovery]
policy = "auto"
)";

// Anything is good but a crash, a hang, or an error of another kind.
void expect_parsed_or_usage(std::string_view text) {
  const auto parsed = parse_configuration(text, "update.toml");
  if (!parsed) {
    EXPECT_EQ(parsed.error().code(), ErrorCode::usage) << text;
  }
}

std::string usage_message(std::string_view text) {
  const auto parsed = parse_configuration(text, "update.toml");
  if (parsed) return "not refused";
  EXPECT_EQ(parsed.error().code(), ErrorCode::usage);
  return parsed.error().message();
}

std::string repeated(std::string_view text, std::size_t times) {
  std::string all;
  all.reserve(text.size() * times);
  for (std::size_t at = 0; at < times; ++at) all.append(text);
  return all;
}

TEST(HostileConfiguration, EveryPrefixAndEveryLostByteParsesOrIsRefused) {
  ASSERT_TRUE(parse_configuration(kValid, "update.toml"));
  for (std::size_t at = 0; at < kValid.size(); ++at) {
    expect_parsed_or_usage(kValid.substr(0, at));
    expect_parsed_or_usage(std::string(kValid).erase(at, 1));
  }
}

TEST(HostileConfiguration, EveryByteReplacedByAHostileOneParsesOrIsRefused) {
  for (const char hostile : "\0\xff\"'[{.\n\r\\#=]}"sv) {
    for (std::size_t at = 0; at < kValid.size(); ++at) {
      std::string text(kValid);
      text[at] = hostile;
      expect_parsed_or_usage(text);
    }
  }
}

TEST(HostileConfiguration, BytesThatAreNoTextAreRefusedWithTheirPlace) {
  EXPECT_TRUE(usage_message("product = 'a'\n\0"sv).starts_with("update.toml:2:1: "));
  EXPECT_TRUE(usage_message("product = 'a\0b'\n"sv).starts_with("update.toml:1:"));
  EXPECT_TRUE(usage_message("# \xff\xfe\n").starts_with("update.toml:1:"));
  EXPECT_TRUE(usage_message("product = 'a'\n\nx = '\xc3\x28'\n").starts_with("update.toml:3:"));
  EXPECT_TRUE(usage_message("\x7f"
                            "ELF\2\1\1\0\0\0"sv)
                  .starts_with("update.toml:1:"));
  EXPECT_NE(usage_message("product = 'a"), "not refused");
}

// toml++ 3.3 takes these for impossible where it looks for blanks.
TEST(HostileConfiguration, LettersThatAreNotAsciiAreRefusedAsKeysAndKeptInStrings) {
  for (const std::string_view letter :
       {"\xef\xb3\xbf", "\xef\xb8\x80", "\xc3\xbc", "\xf0\x9f\x98\x80"}) {
    const std::string key(letter);
    EXPECT_TRUE(usage_message(key + " = 1").starts_with("update.toml:1:1: "));
    EXPECT_NE(usage_message("paths = {" + key), "not refused");
    EXPECT_NE(usage_message("product = " + key), "not refused");
    for (const std::string& text : {"'" + key + "'", "\"\"\"\\\n " + key + "\"\"\""}) {
      const auto parsed = parse_configuration("product = " + text, "update.toml");
      ASSERT_TRUE(parsed) << parsed.error().message();
      EXPECT_EQ(parsed->product, letter);
    }
  }
}

TEST(HostileConfiguration, AMessageHoldsNoControlCharacters) {
  const std::string message = usage_message("\x1b[31m = 1\n");
  EXPECT_EQ(message.find('\x1b'), std::string::npos) << message;
}

TEST(HostileConfiguration, MoreThanTheLimitIsRefusedUnread) {
  const std::string most(kConfigurationLimit, '\n');
  EXPECT_TRUE(parse_configuration(most, "update.toml"));
  EXPECT_NE(usage_message(most + "\n").find("1048576 bytes"), std::string::npos);
}

TEST(HostileConfiguration, DepthDoesNotOverflowTheStack) {
  const std::vector<std::string> bombs = {
      "x = " + repeated("[", 10'000) + repeated("]", 10'000),
      "x = " + repeated("[", 500'000),
      "x = " + repeated("{a=", 300'000),
      repeated("a.", 500'000) + "a = 1\n",
      repeated("'a' . ", 150'000) + "a = 1\n",
      "[" + repeated("a.", 500'000) + "a]\n",
      "[[" + repeated("a.", 500'000) + "a]]\n",
      "x = {" + repeated("a.", 500'000) + "a = 1}\n",
      // Strings must not hide what follows them.
      "a = '''''' \nb = \"\"\"x\"\"\"\"\"\n" + repeated("a.", 400'000) + "a = 1\n",
      "x = [\"\"\"y\"\"\"\", {" + repeated("a.", 400'000) + "a = 1}]\n",
      "x = ['it', \"\\\"\", {" + repeated("a.", 400'000) + "a = 1}]\n",
      // The deepest that both bounds let through.
      "x = " + repeated("[\n{a.a.a.a.a.a.a.a=", 130),
      "x = " + repeated("[\n{a.a.a.a.a.a.a.a=", 127) + "1" + repeated("}\n]", 127),
  };
  for (const auto& bomb : bombs) EXPECT_NE(usage_message(bomb), "not refused");
}

TEST(HostileConfiguration, DotsInStringsAndCommentsAreNoDepth) {
  const std::string dots(100, '.');
  EXPECT_TRUE(parse_configuration("# it's " + dots + "\n[doctor]\ncommand = ['/x', '" + dots +
                                      "', \"\\\"" + dots + "\", '''\n'" + dots + "''']\n",
                                  "update.toml"));
}

}  // namespace
}  // namespace update
