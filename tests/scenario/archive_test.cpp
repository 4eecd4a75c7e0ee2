// A release in an archive: a file, or standard input.

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/scenario/host.hpp"

namespace update::scenario {
namespace {
namespace fs = std::filesystem;

class Archive : public testing::TestWithParam<std::string> {};

TEST_P(Archive, IsAppliedLikeAFolderAndLeavesNothingInTheStagingPath) {
  Host host;
  const std::string release = host.release("1.0.0");
  const std::string archive = host.path("demo" + GetParam());
  const Ended made = run_process({"tar", "-caf", archive, "-C", release, "."});
  if (made.code != 0) {
    GTEST_SKIP() << made.err;
  }
  EXPECT_EQ(host.run({"apply", archive}).code, 0);
  EXPECT_EQ(host.installed(), "1.0.0");
  EXPECT_TRUE(!present(host.path("staging")) || fs::is_empty(host.path("staging")));
}

TEST_P(Archive, ComesFromStandardInputToo) {
  Host host;
  const std::string archive = host.path("demo" + GetParam());
  if (run_process({"tar", "-caf", archive, "-C", host.release("1.0.0"), "."}).code != 0) {
    GTEST_SKIP() << "tar has no such compression";
  }
  const Ended ended =
      host.run({"apply", "-"}, {{}, {"sh", "-c", "exec \"$@\" <'" + archive + "'", "sh"}});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(host.installed(), "1.0.0");
}

INSTANTIATE_TEST_SUITE_P(Command, Archive,
                         testing::Values(".tar", ".tar.gz", ".tar.zst", ".tar.xz"),
                         [](const auto& each) {
                           std::string name = each.param.substr(1);
                           std::replace(name.begin(), name.end(), '.', '_');
                           return name;
                         });

TEST(DamagedArchive, ThatIsCutOffOrLeavesItsFolderIsRefused) {
  Host host;
  const std::string release = host.release("1.0.0");
  const std::string archive = host.path("demo.tar.gz");
  ASSERT_EQ(run_process({"tar", "-caf", archive, "-C", release, "."}).code, 0);
  fs::resize_file(archive, fs::file_size(archive) / 2);
  EXPECT_EQ(host.run({"apply", archive}).code, 7);
  write_file(host.path("evil"), "evil");
  ASSERT_EQ(run_process({"tar", "-caf", archive, "-C", release, ".", "--transform",
                         "s,.*evil,../../evil-out,", "-P", host.path("evil")})
                .code,
            0);
  EXPECT_EQ(host.run({"apply", archive}).code, 7);
  EXPECT_FALSE(present(host.path("evil-out")));
  EXPECT_EQ(host.installed(), "0.9.0");
}

}  // namespace
}  // namespace update::scenario
