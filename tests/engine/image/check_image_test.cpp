#include "tests/engine/image/check_fixture.hpp"

#include <sys/stat.h>
#include <unistd.h>

namespace update::image {
namespace {

// What the tools make is consistent, whatever the features.
class CheckSoundImage : public testing::TestWithParam<const char*> {};

TEST_P(CheckSoundImage, IsConsistent) {
  if (!Ext4Image::have_tools()) GTEST_SKIP() << "mke2fs, debugfs or e2fsck is missing";
  ScratchFolder folder;
  fill(folder);
  const Ext4Image image(std::string(GetParam()) + " -d " + folder.path(), "64M");
  ASSERT_TRUE(image.made());
  image.scratch().put("value", std::string(3000, 'v'));
  ASSERT_TRUE(
      image.debugfs("mknod pipe p\nmknod null c 1 3\nea_set /one/file user.small abc\n"
                    "ea_set /one/other user.odd abcde\n"
                    "ea_set -f " +
                    (image.scratch() / "value") + " /one/two user.large\nrm /one/two/file\n"));
  ASSERT_TRUE(image.is_consistent());
  EXPECT_EQ(joined(check(image)), "");
}

INSTANTIATE_TEST_SUITE_P(
    Features, CheckSoundImage,
    testing::Values("", "-O ^metadata_csum", "-O ^metadata_csum,uninit_bg", "-O ^has_journal",
                    "-O ^extents,^64bit", "-O inline_data", "-O ^resize_inode", "-O ^flex_bg",
                    "-I 128", "-O bigalloc -C 16384", "-O ^64bit", "-O metadata_csum_seed",
                    "-O orphan_file", "-O sparse_super2,^resize_inode", "-O meta_bg,^resize_inode",
                    "-b 1024", "-b 2048", "-O ^dir_index", "-O ea_inode", "-O project",
                    "-O ^filetype", "-E lazy_itable_init=1,nodiscard", "-g 1024"));

TEST_F(CheckImage, LargeFoldersWithAnIndexAreConsistent) {
  ScratchFolder folder;
  for (int at = 0; at < 3000; ++at) {
    folder.put("a-name-that-is-not-short-at-all-" + std::to_string(at), "");
  }
  const Ext4Image image(std::string(kPlain) + " -N 8000 -d " + folder.path(), "64M");
  ASSERT_TRUE(image.made());
  ASSERT_LE(Ext4Image::run("e2fsck -fyD " + image.path()), 256);
  ASSERT_NE(image.ask("htree_dump /").find("Root node dump"), std::string::npos);
  EXPECT_EQ(joined(check(image)), "");
  ASSERT_TRUE(image.debugfs("feature -dir_index\n"));
  expect_damage(image, "has an index, which the image says it has not");
  ASSERT_TRUE(image.debugfs("feature dir_index\n"));
  // Two entries of the root exchanged: names are not where they are looked for.
  const std::uint64_t root = image.block_at("/", 0);
  const auto first = image.number<std::uint32_t>(root + 32 + 8 + 4);
  const auto second = image.number<std::uint32_t>(root + 32 + 16 + 4);
  image.patch_number(root + 32 + 8 + 4, second);
  image.patch_number(root + 32 + 16 + 4, first);
  expect_damage(image, "is a folder whose index");
}

TEST_F(CheckImage, WhatTheKernelLeavesIsConsistent) {
  const Ext4Image image("", "64M");
  ASSERT_TRUE(image.made());
  const std::string mounted = image.scratch() / "mounted";
  std::filesystem::create_directory(mounted);
  if (geteuid() != 0 || Ext4Image::run("mount -o loop " + image.path() + " " + mounted) != 0) {
    GTEST_SKIP() << "loop mounts need root";
  }
  const int filled = Ext4Image::run(
      "cd " + mounted +
      "; for i in $(seq 800); do echo $i > a-file-with-a-rather-long-name-$i; done; rm -f *7;"
      " mkdir -p x/y/z; ln -s target link; fallocate -l 1M reserved; mkfifo pipe;"
      " for i in $(seq 1 2 400); do dd if=/dev/zero of=holes bs=4096 count=1 seek=$i conv=notrunc"
      " status=none; done; fallocate -p -o 8192 -l 8192 reserved");
  const int away = Ext4Image::run("umount " + mounted);
  ASSERT_EQ(filled, 0);
  ASSERT_EQ(away, 0);
  ASSERT_TRUE(image.is_consistent());
  EXPECT_EQ(joined(check(image)), "");
}

TEST_F(CheckImage, WhatCannotBeLookedAtIsNotDamaged) {
  const auto expect_failed = [](const Ext4Image& image, std::string_view what) {
    FakeConfinement confinement;
    const auto file = image.open();
    const auto lines = check_image(confinement, *file);
    ASSERT_FALSE(lines) << what;
    EXPECT_EQ(lines.error().code(), ErrorCode::failed);
    EXPECT_NE(lines.error().message().find(what), std::string::npos) << lines.error().message();
  };
  const Ext4Image in_use;
  ASSERT_TRUE(in_use.debugfs("feature needs_recovery\n"));
  expect_failed(in_use, "journal needs recovery");
  const Ext4Image unknown(std::string{kPlain});
  constexpr std::uint64_t kIncompatible = 1024 + 0x60;
  unknown.patch_number(kIncompatible, unknown.number<std::uint32_t>(kIncompatible) | 0x80000000U);
  expect_failed(unknown, "features that are not known");
  for (const std::uint64_t features : {0x5CU, 0x64U}) {
    const Ext4Image harmless(std::string{kPlain});
    harmless.patch_number(1024 + features,
                          harmless.number<std::uint32_t>(1024 + features) | 0x80000000U);
    ASSERT_FALSE(harmless.is_consistent());
    expect_failed(harmless, "features that are not known");
  }
}

TEST_F(CheckImage, NamesOfAnEncryptedFolderAreOfAnyBytes) {
  ScratchFolder folder;
  fill(folder);
  std::filesystem::rename(folder / "one/two", folder / "one/two-with-a-long-name");
  std::filesystem::create_directory(folder / "secret");
  folder.put("secret/sixteen-or-more-bytes", "");
  const Ext4Image image("-O encrypt,^metadata_csum -d " + folder.path());
  ASSERT_TRUE(
      image.debugfs("set_inode_field /secret flags 0x80800\n"
                    "set_inode_field /secret/sixteen-or-more-bytes flags 0x80800\n"));
  const std::uint64_t block = image.block_at("/secret", 0);
  image.patch(block + image.bytes(block, 4096).find("sixteen"), std::string_view("s/\0teen", 7));
  FakeConfinement confinement;
  const auto file = image.open();
  const auto top = read_image(confinement, *file, "/", Depth::children);
  ASSERT_TRUE(top) << top.error().message();
  EXPECT_EQ(top->name(3), "secret");
  EXPECT_FALSE(read_image(confinement, *file, "/secret", Depth::children));
  EXPECT_FALSE(read_image(confinement, *file, "/", Depth::tree));
  EXPECT_EQ(joined(check(image)).find("illegal name"), std::string::npos);
}

TEST_F(CheckImage, AnEntryOfNoTypeIsLegal) {
  const Ext4Image image = filled_image(kPlain);
  const std::uint64_t block = image.block_at("/one", 0);
  image.patch_number<std::uint8_t>(block + image.bytes(block, 4096).find("other") - 1, 0);
  ASSERT_TRUE(image.is_consistent());
  EXPECT_EQ(joined(check(image)), "");
}

TEST_F(CheckImage, AnEarlyTimeOfDeletionInAnImageOfThenIsOne) {
  const Ext4Image image;
  ASSERT_TRUE(image.debugfs("set_super_value mkfs_time @5\nset_inode_field <1> dtime @5\n"));
  ASSERT_TRUE(image.is_consistent());
  EXPECT_EQ(joined(check(image)), "");
}

TEST_F(CheckImage, TimesThatTheKernelTakesAreNoDamage) {
  const Ext4Image image = filled_image(kPlain);
  constexpr std::uint64_t kModifiedExtra = 0x88;
  image.patch_number(image.inode_at("/one/file") + kModifiedExtra, 0xFFFFFFFCU);
  ASSERT_TRUE(image.is_consistent());
  EXPECT_EQ(joined(check(image)), "");
  FakeConfinement confinement;
  const auto file = image.open();
  const auto read = read_image(confinement, *file, "/one/file", Depth::entry);
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->entries[0].modified.nanoseconds, 999'999'999U);
}

// An image of a few blocks that says to have two thousand million inodes, and that all may be used.
class CheckImageOfManyInodes : public CheckImage {
 protected:
  void SetUp() override {
    CheckImage::SetUp();
    if (IsSkipped()) return;
    constexpr std::uint32_t kGroups = 61'035;
    constexpr std::uint32_t kBlocksPerGroup = 1096;
    constexpr std::uint32_t kInodesPerGroup = 32'768;
    image_.patch_number(1024 + 0x00, kGroups * kInodesPerGroup);
    image_.patch_number(1024 + 0x04, kGroups * kBlocksPerGroup);
    image_.patch_number(1024 + 0x20, kBlocksPerGroup);
    image_.patch_number(1024 + 0x24, kBlocksPerGroup);
    image_.patch_number(1024 + 0x28, kInodesPerGroup);
    std::filesystem::resize_file(image_.path(), std::uint64_t{kGroups} * kBlocksPerGroup * 4096);
  }
  Ext4Image image_{"-I 128 -O ^metadata_csum,^uninit_bg,^resize_inode"};
};

TEST_F(CheckImageOfManyInodes, IsNotGivenAllTheMemoryThatItWouldTake) {
  class NothingRuns final : public os::Confinement {
   public:
    Result<std::string> run(const os::ConfinementLimits& limits,
                            const std::function<Result<std::string>()>& /*work*/) override {
      memory = limits.memory_bytes;
      return "";
    }
    std::uint64_t memory = 0;
  };
  NothingRuns confinement;
  const auto file = image_.open();
  ASSERT_TRUE(check_image(confinement, *file));
  EXPECT_GT(confinement.memory, 0U);
  EXPECT_LE(confinement.memory, std::uint64_t{2} << 30);
}

TEST_F(CheckImageOfManyInodes, IsTooLargeAndNotDamaged) {
  FakeConfinement confinement;
  const auto file = image_.open();
  const auto lines = check_image(confinement, *file);
  ASSERT_FALSE(lines);
  EXPECT_EQ(lines.error().code(), ErrorCode::no_space) << lines.error().message();
  EXPECT_NE(lines.error().message().find("too large to be checked"), std::string::npos);
}

TEST_F(CheckImage, HiddenFilesOfQuotasAreConsistent) {
  const Ext4Image image("-O quota,project");
  ASSERT_TRUE(image.made());
  EXPECT_EQ(joined(check(image)), "");
}

TEST_F(CheckImage, WhatTheKernelMarkedIsTold) {
  const Ext4Image image;
  ASSERT_TRUE(image.debugfs("set_super_value state 2\n"));
  EXPECT_EQ(joined(check(image)), "the image was marked as damaged by the kernel\n");
}

TEST_F(CheckImage, WhatIsNoImageIsTold) {
  const Ext4Image image;
  image.patch(1080, std::string_view("\0\0", 2));
  const auto lines = check(image);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_NE(lines[0].find("no ext4 image"), std::string::npos);
}

}  // namespace
}  // namespace update::image
