#include "engine/base/types.hpp"

#include <gtest/gtest.h>

namespace update {
namespace {

AbsolutePath path(std::string_view text) {
  return AbsolutePath::parse(text).value();
}

TEST(AbsolutePath, IsKeptInItsShortestForm) {
  EXPECT_EQ(path("/usr/local/bin").text(), "/usr/local/bin");
  EXPECT_EQ(path("//usr///local/bin//").text(), "/usr/local/bin");
  EXPECT_EQ(path("/").text(), "/");
  EXPECT_EQ(path("///").text(), "/");
  EXPECT_EQ(path("/...").text(), "/...");
  EXPECT_EQ(path("/.hidden/a..b").text(), "/.hidden/a..b");
}

TEST(AbsolutePath, RefusesWhatLeadsElsewhere) {
  using namespace std::string_view_literals;
  for (const std::string_view bad : {""sv, "usr"sv, "./usr"sv, "/usr/."sv, "/usr/.."sv, "/.."sv,
                                     "/a/../b"sv, "/a/./b"sv, "/a\0b"sv, " /a"sv, "~/a"sv}) {
    const auto parsed = AbsolutePath::parse(bad);
    ASSERT_FALSE(parsed) << bad;
    EXPECT_EQ(parsed.error().code(), ErrorCode::usage);
  }
}

TEST(AbsolutePath, TellsNameAndParent) {
  EXPECT_EQ(path("/usr/local/bin/banger").name(), "banger");
  EXPECT_EQ(path("/usr/local/bin/banger").parent(), path("/usr/local/bin"));
  EXPECT_EQ(path("/banger").parent(), path("/"));
  EXPECT_EQ(path("/").parent(), path("/"));
  EXPECT_EQ(path("/").name(), "");
}

TEST(AbsolutePath, JoinsAName) {
  EXPECT_EQ((path("/usr") / "bin").text(), "/usr/bin");
  EXPECT_EQ((path("/") / "bin").text(), "/bin");
}

TEST(PlainFileName, IsOnePartThatStandsForAFile) {
  const std::string longest(255, 'a');
  for (const std::string& good :
       {std::string("banger"), std::string(".banger"), std::string("..."), std::string("a b"),
        std::string("-"), std::string("ü"), longest}) {
    EXPECT_TRUE(is_plain_file_name(good)) << good;
  }
}

TEST(PlainFileName, RefusesEverythingThatCouldLeadAwayOrDeceive) {
  using namespace std::string_literals;
  for (const std::string& bad : {""s, "."s, ".."s, "/"s, "a/b"s, "/a"s, "a/"s, "a\nb"s, "\tb"s,
                                 "a\0b"s, "a\x7f"s, "\x1b[31m"s, std::string(256, 'a')}) {
    EXPECT_FALSE(is_plain_file_name(bad)) << bad;
  }
}

}  // namespace
}  // namespace update
