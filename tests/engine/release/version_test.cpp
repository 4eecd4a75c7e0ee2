#include "engine/release/version.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace update {
namespace {

Version version(std::string_view text) {
  return Version::parse(text).value();
}

// Both lists are the specification's own (the regular expression's test set, linked from
// semver.org).
const std::vector<std::string_view> kValid = {
    "0.0.4",
    "1.2.3",
    "10.20.30",
    "1.1.2-prerelease+meta",
    "1.1.2+meta",
    "1.1.2+meta-valid",
    "1.0.0-alpha",
    "1.0.0-beta",
    "1.0.0-alpha.beta",
    "1.0.0-alpha.beta.1",
    "1.0.0-alpha.1",
    "1.0.0-alpha0.valid",
    "1.0.0-alpha.0valid",
    "1.0.0-alpha-a.b-c-somethinglong+build.1-aef.1-its-okay",
    "1.0.0-rc.1+build.1",
    "2.0.0-rc.1+build.123",
    "1.2.3-beta",
    "10.2.3-DEV-SNAPSHOT",
    "1.2.3-SNAPSHOT-123",
    "1.0.0",
    "2.0.0",
    "1.1.7",
    "2.0.0+build.1848",
    "2.0.1-alpha.1227",
    "1.0.0-alpha+beta",
    "1.2.3----RC-SNAPSHOT.12.9.1--.12+788",
    "1.2.3----R-S.12.9.1--.12+meta",
    "1.2.3----RC-SNAPSHOT.12.9.1--.12",
    "1.0.0+0.build.1-rc.10000aaa-kk-0.1",
    "1.0.0-0A.is.legal",
    "1.0.0+001",
    "0.0.0",
    "1.0.0-0",
    "1.0.0--",
    "1.0.0-99999999999999999999999",
    "9223372036854775807.0.0",
};

const std::vector<std::string_view> kInvalid = {
    "",
    "1",
    "1.2",
    "1.2.3-0123",
    "1.2.3-0123.0123",
    "1.1.2+.123",
    "+invalid",
    "-invalid",
    "-invalid+invalid",
    "-invalid.01",
    "alpha",
    "alpha.beta",
    "alpha.beta.1",
    "alpha.1",
    "alpha+beta",
    "alpha_beta",
    "alpha.",
    "alpha..",
    "beta",
    "1.0.0-alpha_beta",
    "-alpha.",
    "1.0.0-alpha..",
    "1.0.0-alpha..1",
    "1.0.0-alpha...1",
    "01.1.1",
    "1.01.1",
    "1.1.01",
    "1.2.3.DEV",
    "1.2-SNAPSHOT",
    "1.2.31.2.3----RC-SNAPSHOT.12.09.1--..12+788",
    "1.2-RC-SNAPSHOT",
    "-1.0.3-gamma+b7718",
    "+justmeta",
    "9.8.7+meta+meta",
    "9.8.7-whatever+meta+meta",
    "v1.2.3",
    "V1.2.3",
    "1.2.3-",
    "1.2.3+",
    "1.2.3-+",
    "1.2.3-+build",
    "1.2.3-a+",
    "1.2.3-00",
    "1.2.3-a.00",
    "1.2.3.4",
    "1.2.3.",
    ".1.2.3",
    "1..3",
    "1.2.",
    "..",
    " 1.2.3",
    "1.2.3 ",
    "1.2.3\n",
    "1.2.+3",
    "1.2.-3",
    "+1.2.3",
    "1.2.0x3",
    "1.2.3-ä",
    "1.2.3-a b",
    "1,2,3",
    "9223372036854775808.0.0",
    "0.99999999999999999999.0",
    "99999999999999999999999.999999999999999999.99999999999999999",
};

TEST(Version, AcceptsWhatTheSpecificationAccepts) {
  for (const std::string_view text : kValid) {
    const auto parsed = Version::parse(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(parsed->text(), text);
  }
}

TEST(Version, RefusesEverythingElse) {
  for (const std::string_view text : kInvalid) {
    const auto parsed = Version::parse(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code(), ErrorCode::not_trusted);
  }
  EXPECT_FALSE(Version::parse(std::string_view("1.2.3\0", 6)));
  EXPECT_FALSE(Version::parse(std::string_view("1.2.3-\0a", 8)));
}

TEST(Version, IsAtMost128BytesLong) {
  const std::string longest = "1.2.3-" + std::string(122, 'a');
  EXPECT_TRUE(Version::parse(longest));
  EXPECT_FALSE(Version::parse(longest + "a"));
  EXPECT_FALSE(Version::parse("1.2.3+" + std::string(1'000'000, 'a')));
}

// Section 11's own chain, and what follows from the same section; every pair of it is compared.
TEST(Version, OrdersAsTheSpecificationSays) {
  const std::vector<std::string_view> chain = {"0.0.0-0",
                                               "0.0.0",
                                               "0.0.1",
                                               "0.9.0",
                                               "1.0.0-0",
                                               "1.0.0-1",
                                               "1.0.0-9",
                                               "1.0.0-10",
                                               "1.0.0-9223372036854775808",
                                               "1.0.0-99999999999999999999999",
                                               "1.0.0--",
                                               "1.0.0--1",
                                               "1.0.0-10a",
                                               "1.0.0-A",
                                               "1.0.0-Z",
                                               "1.0.0-a",
                                               "1.0.0-alpha",
                                               "1.0.0-alpha.1",
                                               "1.0.0-alpha.1.0",
                                               "1.0.0-alpha.beta",
                                               "1.0.0-beta",
                                               "1.0.0-beta.2",
                                               "1.0.0-beta.11",
                                               "1.0.0-rc.1",
                                               "1.0.0",
                                               "1.0.1-a",
                                               "1.0.1",
                                               "1.1.0",
                                               "2.0.0",
                                               "2.1.0",
                                               "2.1.1",
                                               "9.0.0",
                                               "10.0.0",
                                               "9223372036854775807.0.0"};
  for (std::size_t a = 0; a < chain.size(); ++a) {
    for (std::size_t b = 0; b < chain.size(); ++b) {
      EXPECT_EQ(version(chain[a]) <=> version(chain[b]), a <=> b) << chain[a] << " " << chain[b];
    }
  }
}

TEST(Version, BuildMetadataDoesNotCount) {
  EXPECT_EQ(version("1.0.0+a"), version("1.0.0+b.1"));
  EXPECT_EQ(version("1.0.0+a"), version("1.0.0"));
  EXPECT_EQ(version("1.0.0-rc+z"), version("1.0.0-rc"));
  EXPECT_LT(version("1.0.0-rc+z"), version("1.0.0"));
  EXPECT_EQ(version("1.0.0+a").text(), "1.0.0+a");
}

// A weak order: antisymmetric and transitive over everything that is valid, so that sorting is
// defined.
TEST(Version, IsAnOrder) {
  std::vector<Version> versions;
  for (const std::string_view text : kValid) versions.push_back(version(text));
  for (const Version& a : versions) {
    for (const Version& b : versions) {
      EXPECT_EQ(a<b, b> a) << a.text() << " " << b.text();
      for (const Version& c : versions) {
        if (!(a <= b && b <= c)) continue;
        ASSERT_LE(a, c) << a.text() << " " << b.text() << " " << c.text();
      }
    }
  }
}

}  // namespace
}  // namespace update
