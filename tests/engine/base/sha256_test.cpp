#include "engine/base/sha256.hpp"

#include <gtest/gtest.h>

#include <type_traits>

namespace update {
namespace {

// FIPS 180-2, appendix B, and the empty message.
constexpr std::string_view kEmpty =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr std::string_view kAbc =
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr std::string_view kMillionTimesA =
    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

TEST(Sha256, GivesTheDigestsOfTheStandard) {
  EXPECT_EQ(sha256_of("").hex(), kEmpty);
  EXPECT_EQ(sha256_of("abc").hex(), kAbc);
  EXPECT_EQ(sha256_of(std::string(1'000'000, 'a')).hex(), kMillionTimesA);
}

TEST(Sha256, DoesNotDependOnHowTheBytesAreCut) {
  const std::string bytes(1'000'000, 'a');
  for (const std::size_t step : {1UL, 63UL, 64UL, 65UL, 4096UL}) {
    Sha256 hash;
    const std::string_view text(bytes);
    for (std::size_t at = 0; at < text.size(); at += step) hash.update(text.substr(at, step));
    hash.update("");
    EXPECT_EQ(hash.finish().hex(), kMillionTimesA) << step;
  }
}

TEST(Sha256, GoesOnAfterAMove) {
  Sha256 first;
  first.update("ab");
  Sha256 second = std::move(first);
  second.update("c");
  EXPECT_EQ(second.finish().hex(), kAbc);
}

TEST(Sha256Digest, ReadsItsOwnText) {
  EXPECT_EQ(Sha256Digest::from_hex(kAbc).value(), sha256_of("abc"));
  EXPECT_NE(Sha256Digest::from_hex(kAbc).value(), sha256_of(""));
}

TEST(Sha256Digest, RefusesEveryOtherText) {
  const std::string good(kAbc);
  std::string upper = good;
  upper[0] = 'B';
  for (const std::string& bad :
       {std::string(), good.substr(1), good.substr(2), good + "0", good + "00", upper,
        " " + good.substr(1), good.substr(1) + "\n", std::string(64, 'g')}) {
    const auto digest = Sha256Digest::from_hex(bad);
    ASSERT_FALSE(digest) << bad;
    EXPECT_EQ(digest.error().code(), ErrorCode::not_trusted);
  }
}

// "No digest expected" once meant "do not check" (CVE-2025-67903).
static_assert(!std::is_default_constructible_v<Sha256Digest>);

}  // namespace
}  // namespace update
