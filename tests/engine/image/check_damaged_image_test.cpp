#include "tests/engine/image/check_fixture.hpp"

#include <utility>

namespace update::image {
namespace {

TEST_F(CheckImage, ANameOfAnInodeInAGroupThatWasNeverUsedIsFound) {
  const Ext4Image image("-g 1024");
  ASSERT_TRUE(image.debugfs("link <8000> /nothing\n"));
  expect_damage(image, "is an inode that is free");
}

TEST_F(CheckImage, ATypeOfDotsThatIsNoneOfAFolderIsFound) {
  for (const std::uint64_t type_at : {7U, 12U + 7U}) {
    const Ext4Image image = filled_image(kPlain);
    image.patch_number<std::uint8_t>(image.block_at("/one", 0) + type_at, 1);
    expect_damage(image, "whose '.' or '..' is said to be none");
  }
}

TEST_F(CheckImage, DataWithinAnInodeThatIsNotThereIsFound) {
  const Ext4Image image = filled_image("-O inline_data,^metadata_csum");
  ASSERT_TRUE(image.debugfs("ea_rm /one/two/file system.data\n"));
  expect_damage(image, "should have its data within, but has none");
}

TEST_F(CheckImage, AnAttributeThatBelongsToNoFileIsFound) {
  const Ext4Image image = filled_image("-O ea_inode,^metadata_csum");
  image.scratch().put("value", std::string(9000, 'v'));
  ASSERT_TRUE(
      image.debugfs("ea_set -f " + (image.scratch() / "value") + " /one/file user.large\n"));
  Ext4Image::run("e2fsck -fy " + image.path());  // debugfs does not count its blocks
  ASSERT_EQ(joined(check(image)), "");
  // The mark of the attributes in the inode: without it there are none.
  image.patch_number<std::uint32_t>(image.inode_at("/one/file") + 160, 0);
  expect_damage(image, "for an attribute, but no file has that");
}

TEST_F(CheckImage, FreePaddingOfABitmapIsFound) {
  // The last group has 1000 blocks.
  const Ext4Image image(std::string(kPlain) + " -g 8192", "9192");
  ASSERT_TRUE(image.made());
  ASSERT_EQ(joined(check(image)), "");
  const std::string stats = image.ask("show_super_stats");
  const auto group = stats.find("Group  1:");
  ASSERT_NE(group, std::string::npos);
  const auto at = stats.find("block bitmap at ", group);
  const std::uint64_t bitmap = std::stoull(stats.substr(at + 16)) * 4096;
  image.patch(bitmap + 900, std::string_view("\0", 1));
  expect_damage(image, "behind its end as free");
}

TEST_F(CheckImage, ABlockInUseThatIsMarkedFreeIsFound) {
  const Ext4Image image = filled_image();
  const std::uint64_t block = image.block_at("/one/file", 3) / 4096;
  ASSERT_TRUE(image.debugfs("freeb " + std::to_string(block) + " 1\n"));
  expect_damage(image, " block " + std::to_string(block) + " in use and marks it as free");
}

TEST_F(CheckImage, ATypeOnAnImageWithoutTypesIsFound) {
  constexpr std::uint8_t kFolder = 2;
  constexpr std::uint8_t kFile = 1;
  for (const std::string_view name : {".", "..", "other"}) {
    const Ext4Image image = filled_image(std::string(kPlain) + ",^filetype");
    ASSERT_EQ(joined(check(image)), "");
    const std::uint64_t block = image.block_at("/one", 0);
    const std::size_t entry = name == "."    ? 0
                              : name == ".." ? 12
                                             : image.bytes(block, 4096).find(name) - 8;
    image.patch_number(block + entry + 7, name == "other" ? kFile : kFolder);
    expect_damage(image, "has a type, which the image says it has not");
  }
}

TEST_F(CheckImage, DotsThatGoOnBehindTheirLengthAreFound) {
  for (const std::uint64_t behind : {8U + 1U, 12U + 8U + 2U}) {
    const Ext4Image image = filled_image(kPlain);
    image.patch(image.block_at("/one", 0) + behind, "x");
    expect_damage(image, "goes on behind its end");
  }
}

TEST_F(CheckImage, ABlockThatOneFileHasTwiceIsFound) {
  ScratchFolder folder;
  folder.put("file", "data" + std::string(8192, '\0') + "data");
  const Ext4Image image(std::string(kPlain) + " -d " + folder.path());
  ASSERT_EQ(joined(check(image)), "");
  // The first extent goes on into the second one, and what is counted stays the same.
  const std::uint64_t extents = image.inode_at("/file") + 40 + 12;
  ASSERT_EQ(image.number<std::uint32_t>(extents + 8) + 1,
            image.number<std::uint32_t>(extents + 12 + 8));
  image.patch_number<std::uint16_t>(extents + 4, 2);
  expect_damage(image, "that are used already");
}

TEST_F(CheckImage, ABlockThatAListHasTwiceIsFound) {
  const Ext4Image image("-O ^metadata_csum,^extents,^64bit");
  ASSERT_TRUE(
      image.debugfs("write /dev/null file\nfallocate file 0 1\n"
                    "set_inode_field file size 8192\n"));
  ASSERT_EQ(joined(check(image)), "");
  const std::uint64_t list = image.inode_at("/file") + 40;
  image.patch_number(list + 4, image.number<std::uint32_t>(list));
  expect_damage(image, "that are used already");
}

TEST_F(CheckImage, AClusterThatTwoPartsOfAFileHaveIsFound) {
  const Ext4Image image("-O bigalloc,^metadata_csum -C 16384");
  ASSERT_TRUE(
      image.debugfs("write /dev/null file\nfallocate file 0 3\nfallocate file 8 11\n"
                    "set_inode_field file size 49152\n"));
  ASSERT_EQ(joined(check(image)), "");
  const std::uint64_t extents = image.inode_at("/file") + 40 + 12;
  image.patch_number(extents + 12 + 8, image.number<std::uint32_t>(extents + 8));
  expect_damage(image, "that are used already");
}

TEST_F(CheckImage, AHighHalfOfACountWithoutHugeFilesIsFound) {
  const Ext4Image image = filled_image("-O ^huge_file");
  ASSERT_TRUE(image.debugfs("set_inode_field /one/other blocks_hi 1\n"));
  expect_damage(image, "units of space");
}

TEST_F(CheckImage, AFileBeyondItsListOfBlocksIsFound) {
  const Ext4Image image = filled_image("-O ^extents,^64bit,^metadata_csum");
  ASSERT_TRUE(image.debugfs("set_inode_field /one/other size 0x50000000000\n"));
  expect_damage(image, "has a wrong size");
}

// Where "user.a" and "user.b" lie in an inode, and what is behind their names.
class CheckAttributes : public CheckImage {
 protected:
  static constexpr std::uint64_t kFirst = 160 + 4;
  static constexpr std::uint64_t kEntry = 16 + 4;
  static constexpr std::uint64_t kValuePlace = 2;
  void SetUp() override {
    CheckImage::SetUp();
    if (IsSkipped()) return;
    ASSERT_TRUE(image_.debugfs("ea_set /one/file user.a abcd\nea_set /one/file user.b efgh\n"));
    ASSERT_EQ(joined(check(image_)), "");
    entries_ = image_.inode_at("/one/file") + kFirst;
  }
  // Without a hash no value is wrong.
  void clear_hashes() const {
    for (const std::uint64_t entry : {entries_, entries_ + kEntry}) {
      image_.patch_number<std::uint32_t>(entry + 12, 0);
    }
  }
  Ext4Image image_ = filled_image(kPlain);
  std::uint64_t entries_ = 0;
};

TEST_F(CheckAttributes, AValueAtTheEndOfTheNamesIsFound) {
  clear_hashes();
  image_.patch_number<std::uint16_t>(entries_ + kEntry + kValuePlace, 2 * kEntry);
  image_.patch_number<std::uint32_t>(entries_ + 2 * kEntry, 0);
  expect_damage(image_, "has damaged extended attributes");
}

TEST_F(CheckAttributes, AValueWhoseLastWordIsCutIsFound) {
  ASSERT_TRUE(image_.debugfs("ea_set /one/other user.a abc\n"));
  ASSERT_EQ(joined(check(image_)), "");
  const std::uint64_t place = image_.inode_at("/one/other") + kFirst + kValuePlace;
  image_.patch_number<std::uint32_t>(image_.inode_at("/one/other") + kFirst + 12, 0);
  image_.patch_number<std::uint16_t>(
      place, static_cast<std::uint16_t>(image_.number<std::uint16_t>(place) + 1));
  expect_damage(image_, "has damaged extended attributes");
}

TEST_F(CheckAttributes, ValuesThatShareBytesAreFound) {
  clear_hashes();
  ASSERT_EQ(joined(check(image_)), "");
  image_.patch_number(entries_ + kEntry + kValuePlace,
                      image_.number<std::uint16_t>(entries_ + kValuePlace));
  expect_damage(image_, "has attributes that share bytes");
}

TEST_F(CheckAttributes, AWrongHashIsFoundAndInABlockAMissingOneToo) {
  image_.scratch().put("value", std::string(300, 'v'));
  ASSERT_TRUE(
      image_.debugfs("ea_set -f " + (image_.scratch() / "value") + " /one/other user.large\n"));
  const std::string stat = image_.ask("stat /one/other");
  const std::uint64_t block = std::stoull(stat.substr(stat.find("File ACL: ") + 10)) * 4096;
  constexpr std::uint64_t kHead = 32;
  ASSERT_NE(image_.number<std::uint32_t>(block + kHead + 12), 0U);
  for (const std::uint32_t hash : {0U, 5U}) {
    image_.patch_number(block + kHead + 12, hash);
    expect_damage(image_, "has an attribute with a wrong hash");
  }
}

TEST_F(CheckAttributes, OneOfNoKindInABlockIsFound) {
  image_.scratch().put("value", std::string(300, 'v'));
  ASSERT_TRUE(
      image_.debugfs("ea_set -f " + (image_.scratch() / "value") + " /one/other user.large\n"));
  const std::string stat = image_.ask("stat /one/other");
  const std::uint64_t block = std::stoull(stat.substr(stat.find("File ACL: ") + 10)) * 4096;
  image_.patch_number<std::uint8_t>(block + 32 + 1, 0);
  expect_damage(image_, "has an attribute of no kind");
}

TEST_F(CheckImage, AnEmptyAttributeOutsideOfAnInodeWithDataIsFound) {
  ScratchFolder folder;
  folder.put("file", "text");
  const Ext4Image image("-O inline_data,^metadata_csum -d " + folder.path());
  const std::uint64_t entry = image.inode_at("/file") + 160 + 4;
  ASSERT_EQ(image.bytes(entry + 16, 4), "data");
  ASSERT_EQ(image.number<std::uint32_t>(entry + 8), 0U) << "its value is empty";
  image.patch_number<std::uint16_t>(entry + 2, 60'000);
  expect_damage(image, "has an empty attribute outside of its place");
}

// With -n e2fsck tells these two and ends as if they were nothing.
TEST_F(CheckImage, AJournalOfNoFeatureIsFound) {
  const Ext4Image image;
  ASSERT_TRUE(image.debugfs("feature -has_journal\n"));
  const std::string lines = joined(check(image));
  EXPECT_NE(lines.find("journal"), std::string::npos) << lines;
}

TEST_F(CheckImage, AGroupThatIsSaidToBeUnusedWithoutTheFeatureIsFound) {
  for (const char* const field : {"itable_unused 5", "flags 1", "flags 2"}) {
    const Ext4Image image{std::string(kPlain)};
    ASSERT_TRUE(image.debugfs("set_block_group 0 " + std::string(field) + "\n"));
    const std::string lines = joined(check(image));
    EXPECT_NE(lines.find("without the feature"), std::string::npos) << field << lines;
  }
}

// One thing is damaged by debugfs, and both e2fsck and we have to see it.
struct Damage {
  const char* name;
  const char* commands;
};

class CheckDamagedImage : public testing::TestWithParam<Damage> {};

TEST_P(CheckDamagedImage, IsFound) {
  if (!Ext4Image::have_tools()) GTEST_SKIP() << "mke2fs, debugfs or e2fsck is missing";
  for (const std::string_view options : {kPlain, std::string_view("")}) {
    const Ext4Image image = filled_image(options);
    ASSERT_TRUE(image.made());
    ASSERT_EQ(joined(check(image)), "");
    ASSERT_TRUE(image.debugfs(GetParam().commands));
    ASSERT_FALSE(image.is_consistent()) << "the damage is none";
    EXPECT_NE(check(image).size(), 0U) << options;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, CheckDamagedImage,
    testing::Values(
        Damage{"FreeInode", "clri /one/file\n"}, Damage{"InodeMarkedFree", "freei /one/file\n"},
        Damage{"InodeMarkedUsed", "seti <100>\n"}, Damage{"BlockMarkedUsed", "setb 7000 3\n"},
        Damage{"LinkCount", "set_inode_field /one/other links_count 3\n"},
        Damage{"FolderLinkCount", "set_inode_field /one links_count 9\n"},
        Damage{"BlockCount", "set_inode_field /one/file blocks 2\n"},
        Damage{"SizeTooSmall", "set_inode_field /one/file size 100\n"},
        Damage{"FolderSize", "set_inode_field /one size 8192\n"},
        Damage{"FolderSizeOdd", "set_inode_field /one size 4000\n"},
        Damage{"Mode", "set_inode_field /one/file mode 0010644\n"},
        Damage{"ModeUnknown", "set_inode_field /one/file mode 0170644\n"},
        Damage{"Deleted", "set_inode_field /one/file dtime 20200101\n"},
        Damage{"Unnamed", "unlink /one/two/file\n"}, Damage{"FolderUnnamed", "unlink /one/two\n"},
        Damage{"FolderTwice", "link /one/two /again\n"},
        Damage{"FolderInItself", "link /one /one/two/three/loop\nunlink /one\n"},
        Damage{"NoParent", "cd /one/two\nunlink ..\n"}, Damage{"Self", "cd /one/two\nunlink .\n"},
        Damage{"NameOfNothing", "link <500> /nothing\n"},
        Damage{"ReservedNamed", "link <8> /journal\n"},
        Damage{"GroupFreeBlocks", "set_block_group 0 free_blocks_count 5\n"},
        Damage{"GroupFreeInodes", "set_block_group 0 free_inodes_count 5\n"},
        Damage{"GroupFolders", "set_block_group 0 used_dirs_count 77\n"},
        Damage{"BlockBitmapPlace", "set_block_group 0 block_bitmap 99999\n"},
        Damage{"InodeTablePlace", "set_block_group 0 inode_table 99999\n"},
        Damage{"TableOverlap", "set_block_group 0 inode_bitmap 1\n"},
        Damage{"ExtentOutside", "set_inode_field /one/file block[5] 99999\n"},
        Damage{"ExtentInMetadata", "set_inode_field /one/file block[5] 1\n"},
        Damage{"ExtentLength", "set_inode_field /one/file block[4] 0\n"},
        Damage{"ExtentMagic", "set_inode_field /one/file block[0] 0\n"},
        Damage{"TwoFilesOneBlock",
               "set_inode_field /one/file block[5] 1500\n"
               "set_inode_field /one/other block[5] 1500\n"},
        Damage{"LinkSize", "set_inode_field /one/link size 3\n"},
        Damage{"LongLinkSize", "set_inode_field /one/long-link size 9\n"},
        Damage{"LinkEmpty", "set_inode_field /one/link size 0\n"},
        Damage{"JournalGone", "clri <8>\n"}, Damage{"RootGone", "clri <2>\n"},
        Damage{"RootFile", "set_inode_field <2> mode 0100644\n"},
        Damage{"FileLargerThanTheImageKnows",
               "feature -large_file\nset_inode_field /one/file size 0x100000000\n"},
        Damage{"FragmentAddress", "set_inode_field /one/file faddr 5\n"},
        Damage{"IndexOfAFile", "set_inode_field /one/file flags 0x81000\n"},
        Damage{"AttributePlace", "set_inode_field /one/file file_acl 99999\n"},
        Damage{"OrphanFileOfNoFeature", "set_super_value orphan_file_inum 12\n"},
        Damage{"ReservedBlocks", "set_super_value r_blocks_count 5000\n"},
        Damage{"BadBlocksMode", "set_inode_field <1> mode 0100644\n"},
        Damage{"BadBlocksOwner", "set_inode_field <1> uid 5\n"},
        Damage{"Imagic", "set_inode_field /one/other flags 0x82000\n"},
        Damage{"ExtentRoom", "set_inode_field /one/other block[1] 1\n"},
        Damage{"LinkOfOrphans", "set_inode_field <1> dtime @5\n"},
        Damage{"FoldsCaseOfAFile",
               "feature casefold\nset_inode_field /one/other flags 0x40080000\n"},
        Damage{"FoldsCaseOfNoFeature", "set_inode_field /one flags 0x40080000\n"},
        Damage{"EncryptedWithoutContext", "set_inode_field /one/other flags 0x80800\n"},
        Damage{"ReservedMode", "set_inode_field <6> mode 0100644\n"},
        Damage{"BootLoaderFolder", "set_inode_field <5> mode 0040755\n"},
        Damage{"ResizeMode", "set_inode_field <7> mode 0120600\n"},
        Damage{"QuotaOfNoFeature", "set_inode_field <3> links_count 1\n"}),
    [](const auto& made) { return std::string(made.param.name); });

}  // namespace
}  // namespace update::image
