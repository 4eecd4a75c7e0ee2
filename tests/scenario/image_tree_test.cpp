// Nothing is lost: any tree that goes into an image and out again is the same tree.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <filesystem>

#include "tests/scenario/image_tools.hpp"

namespace update::scenario {
namespace {
namespace fs = std::filesystem;

// The top keeps what the host made of it.
std::map<std::string, std::string> through_an_image(Host& host, const std::string& tree) {
  const std::string image = host.path("image.ext4");
  const Ended made = host.run({"ext4", "ingest", image, tree, "--size", "512MiB", "--keep-owner"});
  EXPECT_EQ(made.code, 0) << made.err;
  expect_clean(image);
  EXPECT_EQ(host.run({"ext4", "check", image}).code, 0);
  const Ended out =
      host.run({"ext4", "extract", image, "/", host.path("out"), "--keep-owner", "--keep-setid"});
  EXPECT_EQ(out.code, 0) << out.err;
  return describe(host.path("out"));
}

class RandomTree : public testing::TestWithParam<unsigned> {};

TEST_P(RandomTree, IsTheSameAfterAnImage) {
  NEEDS_TOOL("e2fsck");
  Host host;
  std::mt19937 random(GetParam());
  make_random_tree(host.path("tree"), 150, random);
  const auto before = describe(host.path("tree"));
  EXPECT_EQ(through_an_image(host, host.path("tree")), before) << "seed " << GetParam();
}

TEST_P(RandomTree, IsTheSameForTheKernel) {
  NEEDS_ROOT();
  NEEDS_TOOL("e2fsck");
  Host host;
  std::mt19937 random(GetParam() + 1000);
  make_random_tree(host.path("tree"), 150, random);
  const std::string image = host.path("image.ext4");
  ASSERT_EQ(
      host.run({"ext4", "ingest", image, host.path("tree"), "--size", "512MiB", "--keep-owner"})
          .code,
      0);
  LoopMount mount(image, host.path("mnt"), "ro,noload");
  if (!mount.mounted()) GTEST_SKIP() << "no loop mounts here";
  EXPECT_EQ(describe(host.path("mnt")), describe(host.path("tree"))) << "seed " << GetParam();
}

INSTANTIATE_TEST_SUITE_P(Image, RandomTree, testing::Values(1U, 2U, 3U, 4U, 5U, 6U));

TEST(ImageTree, OfTheKernelIsTheSameOnAWorkDisk) {
  NEEDS_ROOT();
  NEEDS_TOOL("mke2fs");
  Host host;
  mke2fs(host.path("seed"), "256M");
  std::mt19937 random(77);
  {
    LoopMount mount(host.path("seed"), host.path("mnt"), "rw");
    if (!mount.mounted()) GTEST_SKIP() << "no loop mounts here";
    make_random_tree(host.path("mnt"), 200, random);
  }
  ASSERT_EQ(host.run({"work-disk", host.path("seed"), host.path("disk"), "--size", "512MiB",
                      "--keep-owner"})
                .code,
            0);
  expect_clean(host.path("disk"));
  const LoopMount seed(host.path("seed"), host.path("mnt"));
  const LoopMount disk(host.path("disk"), host.path("mnt2"));
  ASSERT_TRUE(seed.mounted() && disk.mounted());
  EXPECT_EQ(describe(host.path("mnt2")), describe(host.path("mnt")));
}

TEST(ImageTree, KeepsAclsAndCapabilities) {
  NEEDS_ROOT();
  NEEDS_TOOL("setcap");
  Host host;
  const std::string tree = host.path("tree");
  fs::create_directories(tree + "/d");
  write_file(tree + "/program", "x", 0755);
  if (tool({"setcap", "cap_net_raw+ep", tree + "/program"}).code != 0) {
    GTEST_SKIP() << "no capabilities on this file system";
  }
  // user::rw-, user:1000:r--, group::r--, mask::r--, other::---, as the kernel gives it.
  const unsigned char acl[] = {2,    0,    0,    0,    1,    0,    6,    0,    0xFF, 0xFF, 0xFF,
                               0xFF, 2,    0,    4,    0,    0xE8, 3,    0,    0,    4,    0,
                               4,    0,    0xFF, 0xFF, 0xFF, 0xFF, 0x10, 0,    4,    0,    0xFF,
                               0xFF, 0xFF, 0xFF, 0x20, 0,    0,    0,    0xFF, 0xFF, 0xFF, 0xFF};
  for (const char* name : {"system.posix_acl_access", "system.posix_acl_default"}) {
    if (setxattr((tree + "/d").c_str(), name, acl, sizeof acl, 0) != 0) {
      GTEST_SKIP() << "no ACLs on this file system";
    }
  }
  const auto before = describe(tree);
  EXPECT_TRUE(contains(before.at("program"), "security.capability"));
  EXPECT_TRUE(contains(before.at("d"), "posix_acl_default"));
  EXPECT_EQ(through_an_image(host, tree), before);
}

TEST(ImageTree, KeepsAFileOfMoreThan4GiBAsHolesAndData) {
  NEEDS_TOOL("e2fsck");
  Host host;
  fs::create_directories(host.path("tree"));
  const std::string large = host.path("tree/large");
  write_file(large, "begin");
  const int fd = open(large.c_str(), O_WRONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(pwrite(fd, "middle", 6, (off_t{4} << 30) + 12345), 6);
  EXPECT_EQ(ftruncate(fd, off_t{5} << 30), 0);
  close(fd);
  const std::string image = host.path("image");
  ASSERT_EQ(host.run({"ext4", "ingest", image, host.path("tree"), "--size", "64MiB"}).code, 0);
  expect_clean(image);
  Json told = host.json({"ext4", "stat", image, "/large"});
  EXPECT_EQ(told["size"], std::uint64_t{5} << 30U);
  EXPECT_LE(told["data_bytes"], 16384);
  ASSERT_EQ(host.run({"ext4", "extract", image, "/", host.path("out")}).code, 0);
  EXPECT_EQ(file_size(host.path("out/large")), std::uint64_t{5} << 30U);
  EXPECT_LT(allocated(host.path("out/large")), 100'000U);
  EXPECT_EQ(data_of(host.path("out/large")), data_of(large));
}

TEST(ImageTree, HoldsADirectoryOf100000EntriesThatTheKernelFindsThingsIn) {
  NEEDS_TOOL("e2fsck");
  Host host;
  constexpr int kEntries = 100'000;
  const std::string tree = host.path("tree");
  fs::create_directories(tree + "/many");
  for (int number = 0; number < kEntries; ++number) {
    const std::string path = tree + "/many/file-number-" + std::to_string(number);
    const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    ASSERT_GE(fd, 0);
    close(fd);
  }
  const std::string image = host.path("image");
  Json made = host.json({"ext4", "ingest", image, tree, "--size", "2GiB"});
  EXPECT_EQ(made["entries"], kEntries + 1);
  expect_clean(image);
  EXPECT_EQ(host.json({"ext4", "ls", image, "/many"})["entries"].size(), std::size_t{kEntries});
  EXPECT_TRUE(contains(tool({"debugfs", "-R", "stat /many", image}).out, "Flags: 0x81000"))
      << "a hash tree, so that a guest finds a name at once";
  if (geteuid() != 0) return;
  const LoopMount mount(image, host.path("mnt"));
  if (!mount.mounted()) return;
  for (const int number : {0, 4711, kEntries - 1}) {
    EXPECT_TRUE(present(host.path("mnt/many/file-number-" + std::to_string(number))));
  }
  EXPECT_FALSE(present(host.path("mnt/many/file-number-x")));
}

}  // namespace
}  // namespace update::scenario
