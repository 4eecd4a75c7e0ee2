#include "tests/engine/image/check_fixture.hpp"

// What the file system keeps for itself: the journal, space to grow, orphans, quotas, and what its
// superblock and the descriptors of its groups say of them.
namespace update::image {
namespace {

struct SystemDamage {
  const char* name;
  const char* options;
  const char* commands;
  const char* told;
};

class CheckSystemFiles : public testing::TestWithParam<SystemDamage> {};

TEST_P(CheckSystemFiles, DamageIsFound) {
  if (!Ext4Image::have_tools()) GTEST_SKIP() << "mke2fs, debugfs or e2fsck is missing";
  const Ext4Image image = filled_image(GetParam().options);
  ASSERT_TRUE(image.made());
  ASSERT_EQ(joined(check(image)), "");
  ASSERT_TRUE(image.debugfs(GetParam().commands));
  expect_damage(image, GetParam().told);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, CheckSystemFiles,
    testing::Values(
        SystemDamage{"JournalSize", "", "set_inode_field <8> size 0x400001\n", "is none"},
        SystemDamage{"JournalSizeSmall", "", "set_inode_field <8> size 8192\n", "is none"},
        SystemDamage{"JournalElsewhere", "",
                     "set_super_value journal_uuid 01020304-0506-0708-090a-0b0c0d0e0f10\n",
                     "no journal of its own"},
        SystemDamage{"JournalNowhere", "", "set_super_value journal_inum 0\n",
                     "no journal of its own"},
        SystemDamage{"JournalInode", "", "set_super_value journal_inum 12\n",
                     "kept for what the image has not"},
        SystemDamage{"ResizeDirectBlock", "", "set_inode_field <7> block[0] 5000\n",
                     "lists of the space for more descriptors"},
        SystemDamage{"ResizeNoList", "", "set_inode_field <7> block[DIND] 0\n",
                     "lists of the space for more descriptors"},
        SystemDamage{"ResizeOtherList", "-E resize=256G", "set_inode_field <7> block[DIND] 7000\n",
                     "lists of the space for more descriptors"},
        SystemDamage{"ResizeLargeFile", "", "feature -large_file\n",
                     "larger than the image says that files are"},
        SystemDamage{"DescriptorSize", "-O ^64bit", "set_super_value desc_size 33\n",
                     "illegal size of its groups' descriptors"},
        SystemDamage{"LastGroupUnused", "",
                     "set_block_group 0 flags 6\nset_block_group 0 checksum calc\n",
                     "is the last one, and marked as never used"},
        SystemDamage{"UnusedInodes", "",
                     "set_block_group 0 itable_unused 60000\nset_block_group 0 checksum calc\n",
                     "more inodes that were never used than free ones"},
        SystemDamage{"OrphanFileSize", "-O orphan_file", "set_inode_field <12> size 5000\n",
                     "is a damaged file of orphans"},
        SystemDamage{"OrphanFileMode", "-O orphan_file", "set_inode_field <12> mode 0120600\n",
                     "is a damaged file of orphans"}),
    [](const auto& made) { return std::string(made.param.name); });

// Those that e2fsck tells with -n, to end as if they were nothing.
TEST_F(CheckImage, WhatASuperblockCannotAskForIsFound) {
  const std::pair<const char*, const char*> kDamages[] = {
      {"feature -resize_inode\n", "space for more descriptors, which it says it has not"},
      {"set_super_value min_extra_isize 5\n", "illegal size of its inodes' extra fields"},
      {"set_super_value want_extra_isize 200\n", "illegal size of its inodes' extra fields"},
  };
  for (const auto& [commands, told] : kDamages) {
    const Ext4Image image;
    ASSERT_TRUE(image.debugfs(commands));
    const std::string lines = joined(check(image));
    EXPECT_NE(lines.find(told), std::string::npos) << commands << lines;
  }
}

class CheckJournal : public CheckImage {
 protected:
  void SetUp() override {
    CheckImage::SetUp();
    if (IsSkipped()) return;
    journal_ = image_.block_at("<8>", 0);
    ASSERT_NE(journal_, 0U);
    ASSERT_EQ(joined(check(image_)), "");
  }
  /// The highest byte comes first.
  void put(std::uint64_t at, std::uint32_t value) const {
    image_.patch_number(journal_ + at, __builtin_bswap32(value));
  }
  Ext4Image image_{std::string(kPlain)};
  std::uint64_t journal_ = 0;
};

TEST_F(CheckJournal, FeaturesThatAreNotKnownAreFound) {
  put(0x28, 0x80);
  expect_damage(image_, "has a damaged journal in it");
  put(0x28, 0);
  put(0x2C, 1);
  expect_damage(image_, "has a damaged journal in it");
}

TEST_F(CheckJournal, TwoKindsOfChecksumsAreFound) {
  put(0x28, 0x08 | 0x10);
  expect_damage(image_, "has a damaged journal in it");
}

TEST_F(CheckJournal, AWrongChecksumIsFound) {
  // As the kernel makes it of a journal of metadata_csum.
  put(0x28, 0x10);
  image_.patch_number<std::uint8_t>(journal_ + 0x50, 4);
  expect_damage(image_, "has a damaged journal in it");
}

TEST_F(CheckJournal, OnlyFastCommitsAreFound) {
  put(0x28, 0x20);
  put(0x54, 1000);
  expect_damage(image_, "has a damaged journal in it");
}

TEST_F(CheckJournal, SeveralUsersAreFound) {
  put(0x40, 2);
  expect_damage(image_, "has a damaged journal in it");
}

// e2fsck carries it into the superblock, if it may write.
TEST_F(CheckJournal, AnErrorThatTheKernelLeftIsTold) {
  put(0x20, 5);
  EXPECT_NE(joined(check(image_)).find("journal was marked as damaged by the kernel"),
            std::string::npos);
}

TEST_F(CheckImage, AnOrphanThatNobodyTellsOfIsFound) {
  for (const char* const options : {"-O orphan_file,^metadata_csum", "-O orphan_file"}) {
    const Ext4Image image(options);
    ASSERT_EQ(joined(check(image)), "");
    const std::string stats = image.ask("show_super_stats -h");
    const auto at = stats.find("Orphan file inode:");
    ASSERT_NE(at, std::string::npos);
    const std::string inode = std::to_string(std::stoul(stats.substr(at + 18)));
    image.patch_number<std::uint32_t>(image.block_at("<" + inode + ">", 0) + 80, 13);
    expect_damage(image, "is a file of orphans that is not empty");
  }
}

class CheckQuotas : public CheckImage {
 protected:
  void SetUp() override {
    CheckImage::SetUp();
    if (IsSkipped()) return;
    ASSERT_TRUE(
        image_.debugfs("set_inode_field /one/other uid 70000\nset_inode_field /one/other gid 1000\n"
                       "set_inode_field /one/other projid 7\nset_inode_field /one/two/file uid 5\n"
                       "ea_set /one/two user.attribute " +
                       std::string(200, 'v') + "\n"));
    Ext4Image::run("e2fsck -fy " + image_.path());
    ASSERT_TRUE(image_.is_consistent());
    ASSERT_EQ(joined(check(image_)), "");
  }
  Ext4Image image_ = filled_image("-O quota,project,^metadata_csum");
};

TEST_F(CheckQuotas, AnotherUseOfSpaceIsFound) {
  ASSERT_TRUE(image_.debugfs("set_inode_field /one/file uid 5\n"));
  expect_damage(image_, "inode 3 of the image is a file of quotas with another use of space");
}

TEST_F(CheckQuotas, AnotherGroupIsFound) {
  ASSERT_TRUE(image_.debugfs("set_inode_field /one/two gid 1000\n"));
  expect_damage(image_, "inode 4 of the image is a file of quotas with another use of space");
}

TEST_F(CheckQuotas, AnotherProjectIsFound) {
  ASSERT_TRUE(image_.debugfs("set_inode_field /one/file projid 7\n"));
  expect_damage(image_, "is a file of quotas with another use of space");
}

TEST_F(CheckQuotas, AnOwnerOfWhomTheyDoNotTellIsFound) {
  ASSERT_TRUE(image_.debugfs("set_inode_field /one/link uid 1\n"));
  expect_damage(image_, "is a file of quotas with another use of space");
}

// The head in the first 1024 bytes; then the root of a tree of four levels.
TEST_F(CheckQuotas, ADamagedFileIsFound) {
  const std::uint64_t file = image_.block_at("<3>", 0);
  struct Patch {
    std::uint64_t at;
    std::uint32_t value;
  };
  for (const auto& [at, value] :
       {Patch{4, 2}, Patch{20, 100'000}, Patch{24, 9999}, Patch{28, 9999}, Patch{1024, 9999}}) {
    const auto before = image_.number<std::uint32_t>(file + at);
    image_.patch_number(file + at, value);
    SCOPED_TRACE(at);
    expect_damage(image_, "is a damaged file of quotas");
    image_.patch_number(file + at, before);
  }
}

// What the kernel refuses and e2fsck overlooks: another kind of file, and a tree that leads back
// into itself.
TEST_F(CheckQuotas, AFileThatTheKernelRefusesIsDamaged) {
  const std::uint64_t file = image_.block_at("<3>", 0);
  const auto magic = image_.number<std::uint32_t>(file);
  image_.patch_number<std::uint32_t>(file, 0x12345678);
  EXPECT_NE(joined(check(image_)).find("is a damaged file of quotas"), std::string::npos);
  image_.patch_number(file, magic);
  ASSERT_EQ(joined(check(image_)), "");
  image_.patch_number<std::uint32_t>(file + 1024 + 40, 1);
  EXPECT_NE(joined(check(image_)).find("is a damaged file of quotas"), std::string::npos);
}

TEST_F(CheckQuotas, AFileThatIsNoneIsFound) {
  ASSERT_TRUE(image_.debugfs("set_inode_field <4> mode 0120600\n"));
  expect_damage(image_, "should be a file of quotas, but is none");
}

}  // namespace
}  // namespace update::image
