// clone: a copy with holes and mode, or nothing.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/scenario/image_tools.hpp"

namespace update::scenario {
namespace {

mode_t permission_bits(const std::string& path) {
  struct stat info {};
  EXPECT_EQ(stat(path.c_str(), &info), 0);
  return info.st_mode & 07777U;
}

TEST(ImageClone, HasTheBytesAndTheModeWhateverTheUmask) {
  Host host;
  write_file(host.path("a"), "bytes\n", 0666);
  ASSERT_EQ(chmod(host.path("a").c_str(), 0666), 0);
  Json answer = host.json({"clone", host.path("a"), host.path("b")});
  EXPECT_EQ(answer["bytes"], 6);
  EXPECT_EQ(answer["target"], host.path("b"));
  EXPECT_EQ(read_file(host.path("b")), "bytes\n");
  EXPECT_EQ(permission_bits(host.path("b")), 0666U);
}

TEST(ImageClone, OfAnEmptyFileIsEmpty) {
  Host host;
  write_file(host.path("a"), "");
  EXPECT_EQ(host.run({"clone", host.path("a"), host.path("b")}).code, 0);
  EXPECT_EQ(file_size(host.path("b")), 0U);
}

TEST(ImageClone, KeepsHoles) {
  Host host;
  write_file(host.path("a"), "begin");
  ASSERT_EQ(truncate(host.path("a").c_str(), off_t{1} << 30), 0);
  EXPECT_EQ(host.run({"clone", host.path("a"), host.path("b")}).code, 0);
  EXPECT_EQ(file_size(host.path("b")), std::uint64_t{1} << 30);
  EXPECT_LT(allocated(host.path("b")), 1U << 20);
}

TEST(ImageClone, LeavesATargetThatExistsAlone) {
  Host host;
  write_file(host.path("a"), "new");
  write_file(host.path("b"), "old");
  EXPECT_EQ(host.run({"clone", host.path("a"), host.path("b")}).code, 1);
  EXPECT_EQ(read_file(host.path("b")), "old");
}

TEST(ImageClone, OfAMissingSourceLeavesNoTarget) {
  Host host;
  const Ended ended = host.run({"clone", host.path("none"), host.path("b")});
  EXPECT_EQ(ended.code, 1);
  EXPECT_TRUE(contains(ended.err, host.path("none"))) << ended.err;
  EXPECT_FALSE(present(host.path("b")));
}

TEST(ImageClone, OnAFullDiskLeavesNoTarget) {
  NEEDS_ROOT();
  Host host;
  if (!host.mount_small("disk", "16M")) GTEST_SKIP() << "no loop-mounted ext4 here";
  write_file(host.path("a"), std::string(std::size_t{32} << 20U, 'x'));
  EXPECT_EQ(host.run({"clone", host.path("a"), host.path("disk/b")}).code, 8);
  EXPECT_FALSE(present(host.path("disk/b")));
}

}  // namespace
}  // namespace update::scenario
