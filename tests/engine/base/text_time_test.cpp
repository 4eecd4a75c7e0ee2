#include <gtest/gtest.h>

#include <ctime>
#include <limits>
#include <utility>
#include <vector>

#include "engine/base/text.hpp"

namespace update {
namespace {

using namespace std::string_view_literals;
constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kDay = 86'400 * kSecond;

TEST(Time, IsWrittenInUtcWithMicroseconds) {
  EXPECT_EQ(format_time(0), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(format_time(-1), "1969-12-31T23:59:59.999999Z");
  EXPECT_EQ(format_time(1'795'510'800 * kSecond + 42), "2026-11-24T09:00:00.000042Z");
  EXPECT_EQ(format_time(951'782'400 * kSecond), "2000-02-29T00:00:00.000000Z");
}

TEST(Time, StaysWithinTheYearsOfRfc3339) {
  EXPECT_EQ(format_time(std::numeric_limits<std::int64_t>::max()), "9999-12-31T23:59:59.999999Z");
  EXPECT_EQ(format_time(std::numeric_limits<std::int64_t>::min()), "0000-01-01T00:00:00.000000Z");
}

TEST(Time, ReadsEveryFormOfRfc3339) {
  constexpr std::int64_t kNine = 1'795'510'800 * kSecond;
  const std::vector<std::pair<std::string_view, std::int64_t>> table = {
      {"2026-11-24T09:00:00Z", kNine},
      {"2026-11-24t09:00:00z", kNine},
      {"2026-11-24T09:00:00+00:00", kNine},
      {"2026-11-24T09:00:00-00:00", kNine},
      {"2026-11-24T10:30:00+01:30", kNine},
      {"2026-11-23T23:00:00-10:00", kNine},
      {"2026-11-25T08:59:00+23:59", kNine},
      {"2026-11-24T09:00:00.5Z", kNine + 500'000},
      {"2026-11-24T09:00:00.000001Z", kNine + 1},
      {"2026-11-24T09:00:00.0000019999Z", kNine + 1},
      {"2026-11-24", kNine - 9 * 3600 * kSecond},
      {"1970-01-01", 0},
      {"1969-12-31T23:59:59.999999Z", -1},
      {"2024-02-29", 19'782 * kDay},
      {"2000-02-29", 11'016 * kDay},
      {"0000-01-01T00:00:00Z", -719'528 * kDay},
      {"9999-12-31T23:59:59.999999Z", 2'932'897 * kDay - 1},
  };
  for (const auto& [text, time] : table) EXPECT_EQ(parse_time(text).value(), time) << text;
}

TEST(Time, RefusesWhatIsNoTime) {
  for (const std::string_view bad : {""sv,
                                     "now"sv,
                                     "2026"sv,
                                     "2026-11"sv,
                                     "2026-11-2"sv,
                                     "2026-1-24"sv,
                                     "26-11-24"sv,
                                     "20261124"sv,
                                     "2026-00-10"sv,
                                     "2026-13-10"sv,
                                     "2026-11-00"sv,
                                     "2026-11-31"sv,
                                     "2026-02-29"sv,
                                     "1900-02-29"sv,
                                     "+2026-11-24"sv,
                                     "-2026-11-24"sv,
                                     "12026-11-24"sv,
                                     "2026/11/24"sv,
                                     "2026-11-24Z"sv,
                                     "2026-11-24T"sv,
                                     "2026-11-24T09:00Z"sv,
                                     "2026-11-24T09:00:00"sv,
                                     "2026-11-24 09:00:00Z"sv,
                                     "2026-11-24T24:00:00Z"sv,
                                     "2026-11-24T09:60:00Z"sv,
                                     "2026-11-24T09:00:61Z"sv,
                                     "2026-11-24T9:00:00Z"sv,
                                     "2026-11-24T09:00:00.Z"sv,
                                     "2026-11-24T09:00:00,5Z"sv,
                                     "2026-11-24T09:00:00+24:00"sv,
                                     "2026-11-24T09:00:00+01:60"sv,
                                     "2026-11-24T09:00:00+0100"sv,
                                     "2026-11-24T09:00:00+01"sv,
                                     "2026-11-24T09:00:00+1:00"sv,
                                     "2026-11-24T09:00:00ZZ"sv,
                                     "2026-11-24T09:00:00Z "sv,
                                     " 2026-11-24"sv,
                                     "2026-11-24\n"sv,
                                     "2026-11-24T09:00:00Z\0"sv,
                                     "2026-11-24T09:00:00CET"sv,
                                     "2026-11-24T-9:00:00Z"sv,
                                     "2026-11-24T09:00:00.-5Z"sv,
                                     "0000-01-01T00:00:00+00:01"sv,
                                     "9999-12-31T23:59:59-00:01"sv}) {
    const auto time = parse_time(bad);
    ASSERT_FALSE(time) << bad;
    EXPECT_EQ(time.error().code(), ErrorCode::usage);
    EXPECT_NE(time.error().hint(), "");
  }
}

TEST(Time, RefusesALeapSecond) {
  EXPECT_FALSE(parse_time("2016-12-31T23:59:60Z"));
  EXPECT_TRUE(parse_time("2016-12-31T23:59:59Z"));
}

TEST(Time, ReadsAFractionOfAnyLength) {
  const std::string text = "1970-01-01T00:00:00." + std::string(100'000, '9') + "Z";
  EXPECT_EQ(parse_time(text).value(), 999'999);
}

// Every day of 0000 to 9999 there and back; timegm(3) is the judge for what std::chrono makes of
// it.
TEST(Time, AgreesWithTheSystemsCalendar) {
  for (std::int64_t day = -719'528; day < 2'932'897; day += 29) {
    const std::int64_t moment = day * kDay + (day & 0xFFFF) * kSecond + (day & 0xFF);
    const std::string text = format_time(moment);
    const std::time_t seconds = day * 86'400 + (day & 0xFFFF);
    std::tm parts{};
    ASSERT_NE(gmtime_r(&seconds, &parts), nullptr);
    char expected[32];
    ASSERT_NE(std::strftime(expected, sizeof expected, "-%m-%dT%H:%M:%S", &parts), 0U);
    ASSERT_EQ(text.substr(4, 15), expected);
    ASSERT_EQ(std::stoi(text.substr(0, 4)), parts.tm_year + 1900);
    ASSERT_EQ(parse_time(text).value(), moment) << text;
  }
}

}  // namespace
}  // namespace update
