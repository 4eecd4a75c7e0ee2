#include <gtest/gtest.h>

#include <limits>
#include <utility>
#include <vector>

#include "engine/base/text.hpp"

namespace update {
namespace {

using namespace std::string_view_literals;
constexpr std::uint64_t kMiB = 1U << 20;

TEST(Size, ReadsPowersOf1024) {
  const std::vector<std::pair<std::string_view, std::uint64_t>> table = {
      {"0", 0},
      {"1", 1},
      {"007", 7},
      {"64K", 64 << 10},
      {"64KiB", 64 << 10},
      {"512MiB", 512 * kMiB},
      {"512M", 512 * kMiB},
      {"8GiB", 8192 * kMiB},
      {"2T", 2 * kMiB * kMiB},
      {"18446744073709551615", std::numeric_limits<std::uint64_t>::max()},
      {"16777215T", 16777215ULL << 40},
  };
  for (const auto& [text, size] : table) EXPECT_EQ(parse_size(text).value(), size) << text;
}

TEST(Size, RefusesEverythingElse) {
  for (const std::string_view bad : {""sv, "K"sv, "-1"sv, "+1"sv, " 1"sv, "1 "sv, "1 K"sv, "1.5G"sv,
                                     "1k"sv, "1KB"sv, "1Ki"sv, "1B"sv, "1P"sv, "0x10"sv, "1e3"sv,
                                     "18446744073709551616"sv, "16777216T"sv, "1\0"sv, "1K\n"sv}) {
    const auto size = parse_size(bad);
    ASSERT_FALSE(size) << bad;
    EXPECT_EQ(size.error().code(), ErrorCode::usage);
    EXPECT_NE(size.error().hint(), "");
  }
}

TEST(Size, IsWrittenForPeople) {
  const std::vector<std::pair<std::uint64_t, std::string_view>> table = {
      {0, "0 B"},
      {1023, "1023 B"},
      {1024, "1.0 KiB"},
      {1536, "1.5 KiB"},
      {1048524, "1023.9 KiB"},
      {1048575, "1.0 MiB"},
      {33030144, "31.5 MiB"},
      {5 * kMiB * 1024, "5.0 GiB"},
      {3 * kMiB * kMiB, "3.0 TiB"},
      {kMiB * kMiB * 1024, "1.0 PiB"},
      {kMiB * kMiB * kMiB, "1.0 EiB"},
      {kMiB * kMiB * kMiB * 3 / 2, "1.5 EiB"},
      {std::numeric_limits<std::uint64_t>::max(), "16.0 EiB"},
  };
  for (const auto& [size, text] : table) EXPECT_EQ(format_size(size), text) << size;
}

TEST(Duration, ReadsEveryUnitAsMilliseconds) {
  const std::vector<std::pair<std::string_view, std::int64_t>> table = {
      {"0s", 0},       {"1500ms", 1500},  {"30s", 30'000},
      {"5m", 300'000}, {"2h", 7'200'000}, {"9223372036854775807ms", INT64_MAX},
  };
  for (const auto& [text, time] : table) EXPECT_EQ(parse_duration_ms(text).value(), time) << text;
}

TEST(Duration, RefusesEverythingElse) {
  for (const std::string_view bad :
       {""sv, "30"sv, "s"sv, "-1s"sv, "+1s"sv, " 1s"sv, "1s "sv, "1 s"sv, "1.5s"sv, "1S"sv, "1d"sv,
        "1h30m"sv, "1sec"sv, "9223372036854775808ms"sv, "9223372036854776s"sv, "2562047788016h"sv,
        "99999999999999999999s"sv, "1s\0"sv}) {
    const auto time = parse_duration_ms(bad);
    ASSERT_FALSE(time) << bad;
    EXPECT_EQ(time.error().code(), ErrorCode::usage);
    EXPECT_NE(time.error().hint(), "");
  }
}

}  // namespace
}  // namespace update
