// The commands for files and images: that they are there, and how a clone is made.

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/scenario/host.hpp"

namespace update::scenario {
namespace {

TEST(ImageCommand, HasHelp) {
  for (const char* command : {"clone", "work-seed", "work-disk", "ext4"}) {
    const Ended help = run_process({BANGER_UPDATE_PROGRAM, command, "--help"});
    EXPECT_EQ(help.code, 0) << command << help.err;
    EXPECT_TRUE(contains(help.out, std::string("banger-update ") + command)) << help.out;
  }
}

TEST(Clone, CopiesWithTheSourcesModeAndLeavesAnExistingTargetAlone) {
  Host host;
  write_file(host.path("source"), std::string(100000, 'c'), 0640);
  EXPECT_EQ(host.run({"clone", host.path("source"), host.path("target")}).code, 0);
  EXPECT_EQ(read_file(host.path("target")), read_file(host.path("source")));
  struct stat status {};
  ASSERT_EQ(stat(host.path("target").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0640U);
  write_file(host.path("other"), "other");
  EXPECT_EQ(host.run({"clone", host.path("source"), host.path("other")}).code, 1);
  EXPECT_EQ(read_file(host.path("other")), "other");
  EXPECT_EQ(host.run({"clone", host.path("none"), host.path("new")}).code, 1);
  EXPECT_FALSE(present(host.path("new")));
}

}  // namespace
}  // namespace update::scenario
