#include "engine/image/read/read_image.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <random>

#include "tests/engine/image/ext4_image.hpp"
#include "tests/fake/fake_system.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace update::image {
namespace {

// Images that somebody made to do harm. Without checksums, which are no protection: whoever makes
// such an image makes them right.
class HostileImage : public testing::Test {
 protected:
  void SetUp() override {
    if (!Ext4Image::have_tools()) GTEST_SKIP() << "mke2fs, debugfs or e2fsck is missing";
    std::filesystem::create_directories(folder_ / "one/two/three");
    folder_.put("one/file", std::string(50'000, 'f'));
    folder_.put("one/other", std::string(5000, 'o'));
    std::filesystem::create_symlink("target", folder_ / "one/link");
    make_image();
  }
  void make_image() {
    image_ = std::make_unique<Ext4Image>("-O ^metadata_csum -d " + folder_.path());
    ASSERT_TRUE(image_->made());
  }
  Result<Tree> read(std::string_view path = "/") {
    FakeConfinement confinement;
    const auto file = image_->open();
    return read_image(confinement, *file, path, Depth::tree);
  }
  void expect_refused(std::string_view what) {
    const auto tree = read();
    ASSERT_FALSE(tree) << what;
    EXPECT_EQ(tree.error().code(), ErrorCode::not_trusted) << tree.error().message();
    EXPECT_NE(tree.error().message().find(what), std::string::npos) << tree.error().message();
  }
  // Where the entry `name` of a folder lies, behind its 8 bytes of numbers.
  std::uint64_t name_at(const std::string& folder, std::string_view name) {
    const std::uint64_t block = image_->block_at(folder, 0);
    return block + image_->bytes(block, 4096).find(name);
  }

  ScratchFolder folder_;
  std::unique_ptr<Ext4Image> image_;
};

TEST_F(HostileImage, AFolderInItselfOrTwice) {
  ASSERT_TRUE(image_->debugfs("link /one /one/two/three/loop\n"));
  expect_refused("two places");
}

TEST_F(HostileImage, AFolderWhoseParentIsAnother) {
  ASSERT_TRUE(image_->debugfs("link /one /one/two/three/loop\n"));
  const std::uint64_t dots = image_->block_at("/one", 0) + 12;
  image_->patch_number(dots, image_->number<std::uint32_t>(image_->block_at("/one/two/three", 0)));
  expect_refused("'..'");
}

TEST_F(HostileImage, ATopThatIsNoFolder) {
  for (const char* mode : {"0100644", "0120777", "010644"}) {
    ASSERT_TRUE(image_->debugfs("set_inode_field <2> mode " + std::string(mode) + "\n"));
    expect_refused("inode 2 of the image should be the top folder");
    const auto below = read("/one");
    ASSERT_FALSE(below) << "not_found would be taken for an image without it";
    EXPECT_EQ(below.error().code(), ErrorCode::not_trusted);
  }
}

TEST_F(HostileImage, NamesThatAreNone) {
  struct Case {
    std::string_view name;
    std::string_view what;
  };
  for (const Case& one : {Case{{"f/le", 4}, "illegal name"}, Case{{"f\0le", 4}, "illegal name"}}) {
    const std::uint64_t at = name_at("/one", "file");
    image_->patch(at, one.name);
    expect_refused(one.what);
    image_->patch(at, "file");
  }
  ASSERT_TRUE(read());
  const std::uint64_t at = name_at("/one", "file");
  image_->patch_number<std::uint8_t>(at - 2, 1);
  image_->patch(at, ".");
  expect_refused("illegal name");
  image_->patch_number<std::uint8_t>(at - 2, 0);
  expect_refused("illegal name");
}

TEST_F(HostileImage, TwoEntriesOfOneName) {
  ASSERT_TRUE(
      image_->debugfs("set_inode_field /one/other links_count 2\nlink /one/other /one/filo\n"));
  image_->patch(name_at("/one", "filo"), "file");
  expect_refused("twice");
}

TEST_F(HostileImage, EntriesOfIllegalLength) {
  const std::uint64_t at = name_at("/one", "file") - 4;
  for (const std::uint16_t length : std::initializer_list<std::uint16_t>{0, 4, 13, 4096, 65535}) {
    image_->patch_number(at, length);
    const auto tree = read();
    ASSERT_FALSE(tree) << length;
    EXPECT_EQ(tree.error().code(), ErrorCode::not_trusted);
  }
}

TEST_F(HostileImage, InodesThatMayHaveNoName) {
  const std::uint64_t at = name_at("/one", "file") - 8;
  for (const std::uint32_t number : {1U, 7U, 8U, 500U, 9'999'999U, 0xFFFFFFFFU}) {
    image_->patch_number(at, number);
    const auto tree = read();
    ASSERT_FALSE(tree) << number;
    EXPECT_EQ(tree.error().code(), ErrorCode::not_trusted);
  }
}

TEST_F(HostileImage, AnInodeMarkedAsFree) {
  ASSERT_TRUE(image_->debugfs("freei /one/file\n"));
  expect_refused("marked as free");
}

TEST_F(HostileImage, ExtentsThatAreIllegal) {
  for (const char* const field : {"block[5] 99999", "block[5] 1", "block[4] 0", "block[0] 0",
                                  "block[1] 0x00060004", "block[5] 8190", "block[4] 0xFFFFFFFF"}) {
    make_image();
    ASSERT_TRUE(image_->debugfs("set_inode_field /one/file " + std::string(field) + "\n"));
    const auto tree = read();
    ASSERT_FALSE(tree) << field;
    EXPECT_EQ(tree.error().code(), ErrorCode::not_trusted);
    EXPECT_NE(tree.error().message().find("/one/file"), std::string::npos);
  }
}

TEST_F(HostileImage, ExtentsOutOfOrder) {
  // Reserved blocks, which are no extents of the tree: only who reads the map can see it.
  std::string commands = "write /dev/null two\nfallocate two 0 0\nfallocate two 2 2\n";
  commands += "write /dev/null many\n";
  for (int block = 0; block < 20; block += 2) {
    commands += "fallocate many " + std::to_string(block) + " " + std::to_string(block) + "\n";
  }
  ASSERT_TRUE(image_->debugfs(commands));
  ASSERT_TRUE(read());
  constexpr std::uint64_t kFirst = 40 + 12;  // behind the header in the inode
  const std::uint64_t two = image_->inode_at("/two");
  for (const std::uint32_t wrong : {2U, 3U}) {
    image_->patch_number(two + kFirst, wrong);
    expect_refused("extents out of order");
  }
  image_->patch_number(two + kFirst, 0U);
  ASSERT_TRUE(read());
  // What the index says of its child is not where the child begins.
  image_->patch_number(image_->inode_at("/many") + kFirst, 1U);
  expect_refused("extents out of order");
}

TEST_F(HostileImage, AnExtentTreeWhoseEntriesShareOneChild) {
  // Three blocks, each with 340 entries that all name the next: 39 million leaves to who follows.
  ASSERT_TRUE(image_->debugfs("write /dev/null bomb\nsetb 6000 4\n"));
  const auto header = [&](std::uint64_t at, std::uint16_t entries, std::uint16_t most,
                          std::uint16_t depth) {
    image_->patch_number<std::uint16_t>(at, 0xF30A);
    image_->patch_number<std::uint16_t>(at + 2, entries);
    image_->patch_number<std::uint16_t>(at + 4, most);
    image_->patch_number<std::uint16_t>(at + 6, depth);
  };
  const auto index = [&](std::uint64_t at, std::uint32_t logical, std::uint32_t block) {
    image_->patch_number(at, logical);
    image_->patch_number(at + 4, block);
    image_->patch_number(at + 8, 0U);
  };
  for (std::uint32_t level = 0; level < 3; ++level) {
    const std::uint64_t node = (6000 + level) * 4096ULL;
    header(node, 340, 340, static_cast<std::uint16_t>(2 - level));
    for (std::uint32_t at = 0; at < 340; ++at) {
      if (level == 2) {
        image_->patch_number(node + 12 + at * 12, at);
        image_->patch_number<std::uint16_t>(node + 16 + at * 12, 1);
        image_->patch_number<std::uint16_t>(node + 18 + at * 12, 0);
        image_->patch_number(node + 20 + at * 12, 6003U);
      } else {
        index(node + 12 + at * 12, at * 340, 6001 + level);
      }
    }
  }
  const std::uint64_t inode = image_->inode_at("/bomb");
  ASSERT_NE(inode, 0U);
  header(inode + 40, 1, 4, 3);
  index(inode + 52, 0, 6000);
  image_->patch_number<std::uint32_t>(inode + 32, 0x80000);
  image_->patch_number<std::uint32_t>(inode + 4, 4096);
  const auto begin = std::chrono::steady_clock::now();
  expect_refused("/bomb");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(1));
}

TEST_F(HostileImage, FilesThatShareAllBlocks) {
  // A large file many times over would make a small image fill a disk.
  std::string commands;
  folder_.put("large", std::string(8'000'000, 'x'));
  commands += "write " + (folder_ / "large") + " large\n";
  for (int at = 0; at < 5; ++at) commands += "write /dev/null copy" + std::to_string(at) + "\n";
  ASSERT_TRUE(image_->debugfs(commands));
  const std::uint64_t large = image_->inode_at("/large");
  const std::string bytes = image_->bytes(large, 128);
  for (int at = 0; at < 5; ++at)
    image_->patch(image_->inode_at("/copy" + std::to_string(at)), bytes);
  expect_refused("shares blocks");
}

TEST_F(HostileImage, SizesThatNoFileHas) {
  ASSERT_TRUE(image_->debugfs("set_inode_field /one/file size 0x7FFFFFFFFFFFFFFF\n"));
  expect_refused("illegal size");
}

TEST_F(HostileImage, LinksThatAreNone) {
  for (const char* const field : {"size 0", "size 100", "size 5000", "block[0] 0"}) {
    make_image();
    ASSERT_TRUE(image_->debugfs("set_inode_field /one/link " + std::string(field) + "\n"));
    const auto tree = read();
    ASSERT_FALSE(tree) << field;
    EXPECT_EQ(tree.error().code(), ErrorCode::not_trusted);
  }
}

TEST_F(HostileImage, FoldersWithHoles) {
  ASSERT_TRUE(image_->debugfs("set_inode_field /one size 8192\n"));
  expect_refused("shorter than its size");
  ASSERT_TRUE(image_->debugfs("set_inode_field /one size 100\n"));
  expect_refused("illegal size");
}

TEST_F(HostileImage, EncryptedFilesAreNamed) {
  ASSERT_TRUE(image_->debugfs("set_inode_field /one/file flags 0x80800\n"));
  expect_refused("encrypted");
}

TEST_F(HostileImage, AttributesAndAccessListsOutOfBounds) {
  const std::string odd_acl("\x01\0\0\0\x01\0\x07\0\x02\0", 10);
  image_->scratch().put("acl", odd_acl);
  ASSERT_TRUE(image_->debugfs("ea_set /one/other user.name value\nea_set -r -f " +
                              (image_->scratch() / "acl") +
                              " /one/file system.posix_acl_access\n"));
  const std::uint64_t entry = image_->inode_at("/one/other") + 160 + 4;
  const auto offset = image_->number<std::uint16_t>(entry + 2);
  expect_refused("damaged ACL");
  ASSERT_TRUE(image_->debugfs("ea_rm /one/file system.posix_acl_access\n"));
  ASSERT_TRUE(read());
  for (const std::uint16_t wrong : std::initializer_list<std::uint16_t>{0, 200, 65535}) {
    image_->patch_number(entry + 2, wrong);
    expect_refused("extended attributes");
  }
  image_->patch_number(entry + 2, offset);
  image_->patch_number<std::uint32_t>(entry + 8, 0xFFFFFFFF);
  expect_refused("extended attributes");
}

TEST_F(HostileImage, AJournalThatNeedsRecoveryIsNoDamage) {
  ASSERT_TRUE(image_->debugfs("feature needs_recovery\n"));
  const auto tree = read();
  ASSERT_FALSE(tree);
  EXPECT_EQ(tree.error().code(), ErrorCode::failed);
  EXPECT_NE(tree.error().hint().find("e2fsck"), std::string::npos);
}

// A few thousand steps of the fuzzer, always the same ones: in each image some bytes are changed
// where the file system keeps its own.
TEST(HostileBytes, NeverBreakTheReader) {
  const ScratchFolder corpus;
  const std::string script = UPDATE_SOURCE_DIR "/tests/fuzz/make_corpus.sh ";
  if (!Ext4Image::have_tools()) GTEST_SKIP() << "mke2fs, debugfs or e2fsck is missing";
  ASSERT_EQ(Ext4Image::run(script + corpus.path()), 0);
  std::mt19937 random(20'261'124);
  for (const auto& image : std::filesystem::directory_iterator(corpus.path())) {
    const std::string sound = corpus.read(image.path().filename().string());
    std::vector<std::size_t> used;
    for (std::size_t at = 0; at < sound.size(); ++at) {
      if (sound[at] != 0 && sound[at] != 'x') used.push_back(at);
    }
    for (int round = 0; round < 150; ++round) {
      std::string bytes = sound;
      for (auto change = random() % 6 + 1; change > 0; --change) {
        constexpr unsigned char kValues[] = {0, 1, 2, 0x7F, 0x80, 0xFF};
        const std::size_t at =
            std::min(used[random() % used.size()] + random() % 3, bytes.size() - 1);
        bytes[at] = static_cast<char>(random() % 2 == 0 ? kValues[random() % 6] : random() % 256);
      }
      LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    }
  }
}

TEST_F(HostileImage, AHugeClaimTakesNoTime) {
  // What the superblock counts is more than the file has.
  std::filesystem::resize_file(image_->path(), 1U << 20);
  const auto begin = std::chrono::steady_clock::now();
  expect_refused("the file has");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(200));
}

}  // namespace
}  // namespace update::image
