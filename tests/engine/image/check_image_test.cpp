#include "engine/image/read/read_image.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "tests/engine/image/ext4_image.hpp"
#include "tests/fake/fake_system.hpp"

namespace update::image {
namespace {

constexpr std::string_view kPlain = "-O ^metadata_csum";

void fill(const ScratchFolder& folder) {
  namespace fs = std::filesystem;
  fs::create_directories(folder / "one/two/three");
  folder.put("one/file", std::string(50'000, 'f'));
  folder.put("one/other", std::string(5000, 'o'));
  folder.put("one/two/file", "text");
  fs::create_symlink("target", folder / "one/link");
  fs::create_symlink(std::string(300, 't'), folder / "one/long-link");
  fs::create_hard_link(folder / "one/file", folder / "one/second");
}

std::vector<std::string> check(const Ext4Image& image) {
  FakeConfinement confinement;
  const auto file = image.open();
  auto lines = check_image(confinement, *file);
  return lines ? std::move(*lines) : std::vector<std::string>{"error: " + lines.error().message()};
}

std::string joined(const std::vector<std::string>& lines) {
  std::string all;
  for (const std::string& line : lines) all += line + "\n";
  return all;
}

class CheckImage : public testing::Test {
 protected:
  void SetUp() override {
    if (!Ext4Image::have_tools()) GTEST_SKIP() << "mke2fs, debugfs or e2fsck is missing";
  }
};

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
  const Ext4Image image("-N 8000 -d " + folder.path(), "64M");
  ASSERT_TRUE(image.made());
  ASSERT_LE(Ext4Image::run("e2fsck -fyD " + image.path()), 256);
  ASSERT_NE(image.ask("htree_dump /").find("Root node dump"), std::string::npos);
  EXPECT_EQ(joined(check(image)), "");
  // Two entries of the root exchanged: names are not where they are looked for.
  const std::uint64_t root = image.block_at("/", 0);
  const auto first = image.number<std::uint32_t>(root + 32 + 8 + 4);
  const auto second = image.number<std::uint32_t>(root + 32 + 16 + 4);
  image.patch_number(root + 32 + 8 + 4, second);
  image.patch_number(root + 32 + 16 + 4, first);
  EXPECT_FALSE(image.is_consistent());
  EXPECT_NE(check(image).size(), 0U);
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
  ScratchFolder folder;
  fill(folder);
  const Ext4Image image(std::string(kPlain) + " -d " + folder.path());
  const std::uint64_t block = image.block_at("/one", 0);
  image.patch_number<std::uint8_t>(block + image.bytes(block, 4096).find("other") - 1, 0);
  ASSERT_TRUE(image.is_consistent());
  EXPECT_EQ(joined(check(image)), "");
}

TEST_F(CheckImage, TimesThatTheKernelTakesAreNoDamage) {
  ScratchFolder folder;
  fill(folder);
  const Ext4Image image(std::string(kPlain) + " -d " + folder.path());
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

TEST_F(CheckImage, ANameOfAnInodeInAGroupThatWasNeverUsedIsFound) {
  const Ext4Image image("-g 1024");
  ASSERT_TRUE(image.debugfs("link <8000> /nothing\n"));
  ASSERT_FALSE(image.is_consistent());
  const std::string lines = joined(check(image));
  EXPECT_NE(lines.find("is an inode that is free"), std::string::npos) << lines;
}

TEST_F(CheckImage, ATypeOfDotsThatIsNoneOfAFolderIsFound) {
  ScratchFolder folder;
  fill(folder);
  for (const std::uint64_t type_at : {7U, 12U + 7U}) {
    const Ext4Image image(std::string(kPlain) + " -d " + folder.path());
    image.patch_number<std::uint8_t>(image.block_at("/one", 0) + type_at, 1);
    EXPECT_FALSE(image.is_consistent());
    EXPECT_NE(check(image).size(), 0U) << type_at;
  }
}

TEST_F(CheckImage, DataWithinAnInodeThatIsNotThereIsFound) {
  ScratchFolder folder;
  fill(folder);
  const Ext4Image image("-O inline_data,^metadata_csum -d " + folder.path());
  ASSERT_TRUE(image.debugfs("ea_rm /one/two/file system.data\n"));
  ASSERT_FALSE(image.is_consistent());
  EXPECT_NE(check(image).size(), 0U);
}

TEST_F(CheckImage, AnAttributeThatBelongsToNoFileIsFound) {
  ScratchFolder folder;
  fill(folder);
  const Ext4Image image("-O ea_inode,^metadata_csum -d " + folder.path());
  image.scratch().put("value", std::string(9000, 'v'));
  ASSERT_TRUE(
      image.debugfs("ea_set -f " + (image.scratch() / "value") + " /one/file user.large\n"));
  Ext4Image::run("e2fsck -fy " + image.path());  // debugfs does not count its blocks
  ASSERT_EQ(joined(check(image)), "");
  // The mark of the attributes in the inode: without it there are none.
  image.patch_number<std::uint32_t>(image.inode_at("/one/file") + 160, 0);
  EXPECT_FALSE(image.is_consistent());
  const std::string lines = joined(check(image));
  EXPECT_NE(lines.find("for an attribute, but no file has that"), std::string::npos) << lines;
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
  EXPECT_FALSE(image.is_consistent());
  EXPECT_NE(check(image).size(), 0U);
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

TEST_F(CheckImage, ABlockInUseThatIsMarkedFreeIsFound) {
  ScratchFolder folder;
  fill(folder);
  const Ext4Image image("-d " + folder.path());
  const std::uint64_t block = image.block_at("/one/file", 3) / 4096;
  ASSERT_TRUE(image.debugfs("freeb " + std::to_string(block) + " 1\n"));
  ASSERT_FALSE(image.is_consistent());
  const std::string lines = joined(check(image));
  EXPECT_NE(lines.find(" block " + std::to_string(block) + " in use and marks it as free"),
            std::string::npos)
      << lines;
}

TEST_F(CheckImage, ATypeOnAnImageWithoutTypesIsFound) {
  constexpr std::uint8_t kFolder = 2;
  constexpr std::uint8_t kFile = 1;
  ScratchFolder folder;
  fill(folder);
  for (const std::string_view name : {".", "..", "other"}) {
    const Ext4Image image(std::string(kPlain) + ",^filetype -d " + folder.path());
    ASSERT_EQ(joined(check(image)), "");
    const std::uint64_t block = image.block_at("/one", 0);
    const std::size_t entry = name == "."    ? 0
                              : name == ".." ? 12
                                             : image.bytes(block, 4096).find(name) - 8;
    image.patch_number(block + entry + 7, name == "other" ? kFile : kFolder);
    EXPECT_FALSE(image.is_consistent());
    EXPECT_NE(check(image).size(), 0U) << name;
  }
}

TEST_F(CheckImage, DotsThatGoOnBehindTheirLengthAreFound) {
  ScratchFolder folder;
  fill(folder);
  for (const std::uint64_t behind : {8U + 1U, 12U + 8U + 2U}) {
    const Ext4Image image(std::string(kPlain) + " -d " + folder.path());
    image.patch(image.block_at("/one", 0) + behind, "x");
    EXPECT_FALSE(image.is_consistent());
    EXPECT_NE(check(image).size(), 0U) << behind;
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
  EXPECT_FALSE(image.is_consistent());
  const std::string lines = joined(check(image));
  EXPECT_NE(lines.find("that are used already"), std::string::npos) << lines;
}

TEST_F(CheckImage, ABlockThatAListHasTwiceIsFound) {
  const Ext4Image image("-O ^metadata_csum,^extents,^64bit");
  ASSERT_TRUE(
      image.debugfs("write /dev/null file\nfallocate file 0 1\n"
                    "set_inode_field file size 8192\n"));
  ASSERT_EQ(joined(check(image)), "");
  const std::uint64_t list = image.inode_at("/file") + 40;
  image.patch_number(list + 4, image.number<std::uint32_t>(list));
  EXPECT_FALSE(image.is_consistent());
  const std::string lines = joined(check(image));
  EXPECT_NE(lines.find("that are used already"), std::string::npos) << lines;
}

TEST_F(CheckImage, AClusterThatTwoPartsOfAFileHaveIsFound) {
  const Ext4Image image("-O bigalloc,^metadata_csum -C 16384");
  ASSERT_TRUE(
      image.debugfs("write /dev/null file\nfallocate file 0 3\nfallocate file 8 11\n"
                    "set_inode_field file size 49152\n"));
  ASSERT_EQ(joined(check(image)), "");
  const std::uint64_t extents = image.inode_at("/file") + 40 + 12;
  image.patch_number(extents + 12 + 8, image.number<std::uint32_t>(extents + 8));
  EXPECT_FALSE(image.is_consistent());
  const std::string lines = joined(check(image));
  EXPECT_NE(lines.find("that are used already"), std::string::npos) << lines;
}

TEST_F(CheckImage, AHighHalfOfACountWithoutHugeFilesIsFound) {
  ScratchFolder folder;
  fill(folder);
  const Ext4Image image("-O ^huge_file -d " + folder.path());
  ASSERT_TRUE(image.debugfs("set_inode_field /one/other blocks_hi 1\n"));
  ASSERT_FALSE(image.is_consistent());
  const std::string lines = joined(check(image));
  EXPECT_NE(lines.find("units of space"), std::string::npos) << lines;
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

TEST_F(CheckImage, WhatIsNoImageIsTold) {
  const Ext4Image image;
  image.patch(1080, std::string_view("\0\0", 2));
  const auto lines = check(image);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_NE(lines[0].find("no ext4 image"), std::string::npos);
}

// One thing is damaged by debugfs, and both e2fsck and we have to see it.
struct Damage {
  const char* name;
  const char* commands;
};

class CheckDamagedImage : public testing::TestWithParam<Damage> {};

TEST_P(CheckDamagedImage, IsFound) {
  if (!Ext4Image::have_tools()) GTEST_SKIP() << "mke2fs, debugfs or e2fsck is missing";
  ScratchFolder folder;
  fill(folder);
  for (const std::string_view options : {kPlain, std::string_view("")}) {
    const Ext4Image image(std::string(options) + " -d " + folder.path());
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
        Damage{"ExtentRoom", "set_inode_field /one/other block[1] 1\n"}),
    [](const auto& made) { return std::string(made.param.name); });

}  // namespace
}  // namespace update::image
