#include "engine/base/json.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace update {
namespace {

using namespace std::string_literals;

void expect_refused(std::string_view text, JsonLimits limits = {}) {
  const auto value = parse_json(text, limits);
  ASSERT_FALSE(value) << text;
  EXPECT_EQ(value.error().code(), ErrorCode::not_trusted) << text;
}

std::string nested(std::size_t depth) {
  return std::string(depth, '[') + std::string(depth, ']');
}

TEST(Json, ReadsEveryKindOfValue) {
  const Json value = parse_json(R"( {"s": "a\u00e9\n", "i": -3, "u": 18446744073709551615, "f": 1.5,
                      "t": true, "n": null, "l": [1, [], {}], "o": {"b": 1, "a": 2}} )")
                         .value();
  EXPECT_EQ(value["s"], "aé\n");
  EXPECT_EQ(value["i"], -3);
  EXPECT_EQ(value["u"], std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(value["f"], 1.5);
  EXPECT_EQ(value["t"], true);
  EXPECT_TRUE(value["n"].is_null());
  EXPECT_EQ(value["l"], Json::parse("[1, [], {}]"));
  EXPECT_EQ(to_text(value["o"]), R"({"b":1,"a":2})");
  EXPECT_EQ(parse_json("7").value(), 7);
}

TEST(Json, TellsWholeNumbersFromOthers) {
  EXPECT_TRUE(parse_json("10").value().is_number_unsigned());
  for (const std::string_view other :
       {"-1", "-0", "1.0", "1e2", "18446744073709551616", "\"10\""}) {
    EXPECT_FALSE(parse_json(other).value().is_number_unsigned()) << other;
  }
}

TEST(Json, RefusesARepeatedKeyAtAnyDepth) {
  expect_refused(R"({"a": 1, "a": 1})");
  expect_refused(R"({"a": 1, "\u0061": 2})");
  expect_refused(R"({"a": [{"b": {}, "c": 1, "b": {}}]})");
  EXPECT_TRUE(parse_json(R"({"a": {"a": 1}, "b": [{"a": 1}, {"a": 1}]})"));
}

TEST(Json, SaysWhichKeyIsRepeatedWithoutRepeatingAllOfIt) {
  const std::string key(100'000, 'k');
  const auto value = parse_json("{\"" + key + "\": 1, \"" + key + "\": 1}");
  ASSERT_FALSE(value);
  EXPECT_NE(value.error().message().find("repeated key 'kkk"), std::string::npos);
  EXPECT_LT(value.error().message().size(), 200U);
}

TEST(Json, RefusesWhatIsNoDocument) {
  for (const std::string_view bad :
       {"",      " ",   "{",        "}",         "[1,]",    "{\"a\":1,}", "{a:1}", "{'a':1}",
        "nul",   "NaN", "Infinity", "-",         "+1",      "01",         ".5",    "1.",
        "1e999", "\"a", "\"\t\"",   "\"\\x41\"", "// c\n1", "/* c */ 1"}) {
    expect_refused(bad);
  }
}

TEST(Json, RefusesAnythingAfterTheDocument) {
  for (const std::string& bad : {"{} {}"s, "{}x"s, "1 2"s, "{},"s, "{}\0"s, "{}\0{\"a\": 1}"s,
                                 "{}\0\0\0"s, "\0{}"s, "[1,\0 2]"s}) {
    expect_refused(bad);
  }
  EXPECT_TRUE(parse_json("{} \n\t\r"));
}

TEST(Json, RefusesTextThatIsNotUtf8) {
  for (const std::string_view bad : {"\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                     "\xe2\x82", "\\ud800", "\\udc00", "\\ud800\\u0041"}) {
    expect_refused("\"" + std::string(bad) + "\"");
  }
  EXPECT_EQ(parse_json(R"("\ud83d\ude00")").value(), "😀");
}

TEST(Json, HoldsTheDepthLimit) {
  EXPECT_TRUE(parse_json(nested(16)));
  expect_refused(nested(17));
  EXPECT_TRUE(parse_json(nested(3), {100, 3}));
  expect_refused(nested(4), {100, 3});
  expect_refused(R"({"a": {"a": {"a": {}}}})", {100, 3});
}

TEST(Json, SurvivesHostileNesting) {
  expect_refused(nested(10'000));
  expect_refused(std::string(500'000, '['));
  std::string objects;
  for (int depth = 0; depth < 100'000; ++depth) objects += "{\"a\":";
  expect_refused(objects);
}

TEST(Json, HoldsTheByteLimit) {
  EXPECT_TRUE(parse_json("[1]", {3, 16}));
  expect_refused("[1]", {2, 16});
  expect_refused("[1] ", {3, 16});
  expect_refused(std::string(2U << 20, ' '));
}

TEST(Json, WritesOneTextAndNeverBadUtf8) {
  EXPECT_EQ(to_text(Json::parse(R"({ "b" : [ 1 , null ], "a" : "é" })")),
            R"({"b":[1,null],"a":"é"})");
  EXPECT_EQ(to_text(Json("a\xff")), "\"a\xEF\xBF\xBD\"");
  EXPECT_EQ(to_text(Json("a\nb\x1b")), R"("a\nb\u001b")");
}

}  // namespace
}  // namespace update
