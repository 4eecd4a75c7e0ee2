#include "engine/base/hex.hpp"

#include <gtest/gtest.h>

namespace update {
namespace {

TEST(Hex, WritesTwoLowerCaseDigitsAByte) {
  const std::vector<std::byte> bytes = {std::byte{0x00}, std::byte{0x0f}, std::byte{0xa5},
                                        std::byte{0xff}};
  EXPECT_EQ(to_hex(bytes), "000fa5ff");
  EXPECT_EQ(to_hex({}), "");
}

TEST(Hex, ReadsBackEveryByte) {
  std::vector<std::byte> bytes;
  for (int value = 0; value < 256; ++value) bytes.push_back(static_cast<std::byte>(value));
  EXPECT_EQ(from_hex(to_hex(bytes)).value(), bytes);
  EXPECT_TRUE(from_hex("").value().empty());
}

TEST(Hex, RefusesWhatItWouldNotWrite) {
  using namespace std::string_view_literals;
  for (const std::string_view bad :
       {"0"sv, "abc"sv, "AB"sv, "aB"sv, "0x"sv, " 0"sv, "0 "sv, "g0"sv, "\0\0"sv, "00\n0"sv}) {
    EXPECT_FALSE(from_hex(bad)) << bad;
  }
}

}  // namespace
}  // namespace update
