#include "engine/image/write/write_image.hpp"

#include "tests/engine/image/image_tools.hpp"
#include "tests/engine/image/tree_builder.hpp"

#include <ext2fs/ext2fs.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <random>
#include <set>
#include <unordered_map>
#include <vector>

namespace update::image {
namespace {

constexpr std::uint64_t kMiB = 1U << 20;

std::string pattern(std::size_t size, unsigned seed) {
  std::string bytes(size, '\0');
  std::minstd_rand random(seed + 1);
  for (char& byte : bytes) byte = static_cast<char>(random() >> 8);
  return bytes;
}

struct NeverStop final : os::StopRequest {
  Signal pending() override { return signal; }
  void hold() override {}
  void let_go() override {}
  Signal signal = Signal::none;
};

class WriteImage : public testing::Test {
 protected:
  Status write(std::uint64_t bytes, OwnerRule owners = {}) {
    scratch_.put("source", builder_.bytes());
    os::LinuxFileSystem files;
    auto folder = files.open_folder(scratch_.path());
    auto source = (*folder)->open_file("source");
    if (!source) return fail(std::move(source).error());
    ImageContents contents(**source);
    target_ = new_image(scratch_, "image", 0);
    return write_image(*target_, {.bytes = bytes, .grow_to_bytes = 0, .label = {}}, test_identity(),
                       builder_.tree(), contents, owners, stop_);
  }
  void expect_written(std::uint64_t bytes, OwnerRule owners = {}) {
    const Status written = write(bytes, owners);
    ASSERT_TRUE(written) << written.error().message();
    expect_clean(image());
  }
  std::string image() const { return scratch_ / "image"; }
  std::string debugfs(const std::string& request) const {
    return run_tool("debugfs -R '" + request + "' " + image()).text;
  }

  ScratchFolder scratch_;
  TreeBuilder builder_;
  NeverStop stop_;
  std::unique_ptr<os::File> target_;
};

#define UPDATE_NEED_MOUNT(mount) \
  if (!(mount).mounted()) GTEST_SKIP() << "needs a loop mount, that is root: " << (mount).why()

TEST_F(WriteImage, AnEmptyTreeIsABareFileSystem) {
  builder_.tree() = Tree();
  expect_written(64 * kMiB);
  EXPECT_EQ(std::filesystem::file_size(image()), 64 * kMiB);
}

TEST_F(WriteImage, TheKernelSeesWhatTheTreeSays) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root for a loop mount";
  builder_[0].mode = 0710;
  const EntryIndex etc = builder_.folder(0, "etc", 01777);
  const EntryIndex passwd = builder_.file(etc, "passwd", "root:x:0:0\n", 0600);
  builder_[passwd].modified = {7'258'118'400, 999'999'999};  // 2200
  builder_[passwd].accessed = {-2'000'000'000, 1};           // 1906
  builder_.file(etc, "su", "binary", 06755);
  builder_.file(etc, "big", pattern(3'000'001, 1));
  builder_.again(0, "passwd-too", passwd);
  const EntryIndex fast = builder_.link(0, "fast", "etc/passwd");
  builder_.again(0, "fast-too", fast);
  builder_.link(0, "edge59", std::string(59, 'x'));
  builder_.link(0, "edge60", std::string(60, 'y'));
  builder_.link(0, "slow", std::string(4000, 'z'));
  builder_.file(0, "empty", "");
  const EntryIndex inline_data = builder_.file(0, "inline", "");
  builder_[inline_data].content = builder_.tree().keep("few bytes");
  builder_[inline_data].size = 9;
  expect_written(64 * kMiB);

  const LoopMount mount(image(), scratch_ / "mnt");
  UPDATE_NEED_MOUNT(mount);
  const std::string at = scratch_ / "mnt";
  const auto status = [&](const std::string& name) {
    struct stat found {};
    EXPECT_EQ(lstat((at + "/" + name).c_str(), &found), 0) << name;
    return found;
  };
  EXPECT_EQ(status(".").st_mode & 07777U, 0710U);
  EXPECT_EQ(status(".").st_nlink, 4U);
  EXPECT_EQ(status("etc").st_mode & 07777U, 01777U);
  EXPECT_EQ(status("etc/su").st_mode & 07777U, 06755U);
  EXPECT_EQ(status("etc/passwd").st_mtim.tv_sec, 7'258'118'400);
  EXPECT_EQ(status("etc/passwd").st_mtim.tv_nsec, 999'999'999);
  EXPECT_EQ(status("etc/passwd").st_atim.tv_sec, -2'000'000'000);
  EXPECT_EQ(status("etc/passwd").st_ino, status("passwd-too").st_ino);
  EXPECT_EQ(status("etc/passwd").st_nlink, 2U);
  EXPECT_EQ(status("fast").st_ino, status("fast-too").st_ino);
  EXPECT_EQ(std::filesystem::read_symlink(at + "/fast"), "etc/passwd");
  EXPECT_EQ(std::filesystem::read_symlink(at + "/edge59"), std::string(59, 'x'));
  EXPECT_EQ(std::filesystem::read_symlink(at + "/edge60"), std::string(60, 'y'));
  EXPECT_EQ(std::filesystem::read_symlink(at + "/slow"), std::string(4000, 'z'));
  EXPECT_EQ(scratch_.read("mnt/etc/big"), pattern(3'000'001, 1));
  EXPECT_EQ(scratch_.read("mnt/empty"), "");
  EXPECT_EQ(scratch_.read("mnt/inline"), "few bytes");
}

TEST_F(WriteImage, OwnersAreRootUnlessTheyAreKept) {
  const EntryIndex file = builder_.file(0, "file", "x");
  builder_[file].uid = 70'000;
  builder_[file].gid = 80'001;
  expect_written(16 * kMiB);
  EXPECT_NE(debugfs("stat file").find("User:     0   Group:     0"), std::string::npos);
  std::filesystem::remove(image());
  expect_written(16 * kMiB, {.keep = true});
  EXPECT_NE(debugfs("stat file").find("User: 70000   Group: 80001"), std::string::npos);
}

TEST_F(WriteImage, HolesStayHolesAndManyExtentsBecomeATree) {
  const EntryIndex file = builder_.file(0, "file", pattern(4096, 0));
  std::string expected = pattern(4096, 0);
  for (unsigned at = 1; at < 3000; ++at) {
    builder_.data(file, at * 12288UL, pattern(4096, at));
    expected.resize(at * 12288UL);
    expected += pattern(4096, at);
  }
  builder_[file].size += 100'000;  // a hole at the end
  expected.resize(expected.size() + 100'000);
  expect_written(256 * kMiB);
  ASSERT_EQ(run_tool("debugfs -R 'dump file " + (scratch_ / "out") + "' " + image()).status, 0);
  EXPECT_TRUE(scratch_.read("out") == expected);
  // 3000 blocks, nine leaves, and a node above them, since an inode points to four.
  EXPECT_NE(debugfs("stat file").find("Blockcount: " + std::to_string((3000 + 9 + 1) * 8)),
            std::string::npos)
      << debugfs("stat file");
}

class Names : public WriteImage, public testing::WithParamInterface<int> {};

TEST_P(Names, TheKernelListsAndFindsEachOne) {
  const int count = GetParam();
  std::set<std::string> expected;
  const EntryIndex folder = builder_.folder(0, "many");
  for (int at = 0; at < count; ++at) {
    // Of several lengths, some with bytes above 127.
    const std::string name = "name-" + std::to_string(at * 7919) +
                             std::string(static_cast<std::size_t>(at % 5 * 7), '\xC3');
    builder_.file(folder, name, "");
    expected.insert(name);
  }
  expect_written(256 * kMiB);
  if (geteuid() != 0) GTEST_SKIP() << "needs root for a loop mount";
  {
    const LoopMount mount(image(), scratch_ / "mnt");
    UPDATE_NEED_MOUNT(mount);
    std::set<std::string> listed;
    for (const auto& one : std::filesystem::directory_iterator(scratch_ / "mnt/many")) {
      listed.insert(one.path().filename());
    }
    EXPECT_TRUE(listed == expected) << listed.size();
    struct stat found {};
    for (const std::string& name : expected) {
      ASSERT_EQ(lstat((scratch_ / "mnt/many/" + name).c_str(), &found), 0) << name;
    }
    ASSERT_NE(lstat((scratch_ / "mnt/many/none").c_str(), &found), 0);
    for (int at = 0; at < 300; ++at) scratch_.put("mnt/many/new" + std::to_string(at), "");
    for (const std::string& name : expected) {
      if (name.size() % 3 == 0) unlink((scratch_ / "mnt/many/" + name).c_str());
    }
  }
  expect_clean(image());
}

INSTANTIATE_TEST_SUITE_P(Counts, Names, testing::Values(0, 1, 2, 130, 500, 5'000, 100'000));

// 13 such names are in a leaf: every second pair of one hash begins in one leaf and ends in the
// next.
TEST_F(WriteImage, NamesOfOneHashAreFoundInTwoLeaves) {
  const Identity identity = test_identity();
  std::uint32_t seed[4];
  std::memcpy(seed, identity.hash_seed.data(), sizeof seed);
  std::unordered_map<std::uint32_t, std::string> by_hash;
  std::vector<std::string> names;
  for (int at = 0; names.size() < 60; ++at) {
    const std::string name = std::to_string(at) + std::string(240, '-');
    std::uint32_t hash = 0;
    ASSERT_EQ(ext2fs_dirhash2(EXT2_HASH_HALF_MD4, name.data(), static_cast<int>(name.size()),
                              nullptr, 0, seed, &hash, nullptr),
              0);
    const auto [other, is_new] = by_hash.emplace(hash, name);
    if (is_new) continue;
    names.push_back(other->second);
    names.push_back(name);
  }
  for (const std::string& name : names) builder_.file(0, name, "");
  expect_written(16 * kMiB);
  if (geteuid() != 0) GTEST_SKIP() << "needs root for a loop mount";
  const LoopMount mount(image(), scratch_ / "mnt");
  UPDATE_NEED_MOUNT(mount);
  struct stat found {};
  for (const std::string& name : names) {
    EXPECT_EQ(lstat((scratch_ / "mnt/" + name).c_str(), &found), 0) << name;
  }
}

TEST_F(WriteImage, AttributesAreInTheInodeOrInABlock) {
  const EntryIndex file = builder_.file(0, "file", "x");
  builder_.attribute(file, "user.small", "value");
  builder_.attribute(file, "user.empty", "");
  const EntryIndex large = builder_.file(0, "large", "x");
  builder_.attribute(large, "user.large", std::string(3000, 'L'));
  builder_.attribute(large, "security.capability",
                     std::string("\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20));
  builder_.attribute(large, "user.small", "in the inode");
  builder_.attribute(large, "trusted.never", "gone");
  expect_written(16 * kMiB);
  EXPECT_EQ(unstorable_attributes(builder_.tree()), 1U);
  if (geteuid() != 0) GTEST_SKIP() << "needs root for a loop mount";
  const LoopMount mount(image(), scratch_ / "mnt");
  UPDATE_NEED_MOUNT(mount);
  const std::string dump =
      run_tool("cd " + (scratch_ / "mnt") + " && getfattr -d -m - file large").text;
  EXPECT_NE(dump.find("user.small=\"value\""), std::string::npos) << dump;
  EXPECT_NE(dump.find("user.empty"), std::string::npos) << dump;
  EXPECT_NE(dump.find("user.large=\"" + std::string(3000, 'L')), std::string::npos);
  EXPECT_NE(dump.find("security.capability"), std::string::npos) << dump;
  EXPECT_NE(dump.find("user.small=\"in the inode\""), std::string::npos) << dump;
  EXPECT_EQ(dump.find("trusted"), std::string::npos) << dump;
  struct stat found {};
  ASSERT_EQ(stat((scratch_ / "mnt/file").c_str(), &found), 0);
  EXPECT_EQ(found.st_blocks, 8);
}

std::string acl_entry(std::uint16_t tag, std::uint16_t mode, std::uint32_t id) {
  std::string bytes;
  bytes.append(reinterpret_cast<const char*>(&tag), 2);
  bytes.append(reinterpret_cast<const char*>(&mode), 2);
  return bytes.append(reinterpret_cast<const char*>(&id), 4);
}

TEST_F(WriteImage, AclsGetTheFormOfTheDisk) {
  const std::uint32_t none = UINT32_MAX;
  const std::string acl = std::string("\2\0\0\0", 4) + acl_entry(1, 6, none) +
                          acl_entry(2, 4, 1234) + acl_entry(4, 4, none) + acl_entry(16, 4, none) +
                          acl_entry(32, 0, none);
  const EntryIndex file = builder_.file(0, "file", "x", 0640);
  builder_.attribute(file, "system.posix_acl_access", acl);
  expect_written(16 * kMiB);
  if (geteuid() != 0) GTEST_SKIP() << "needs root for a loop mount";
  const LoopMount mount(image(), scratch_ / "mnt");
  UPDATE_NEED_MOUNT(mount);
  const std::string dump = run_tool("getfacl -n -p " + (scratch_ / "mnt/file")).text;
  EXPECT_NE(dump.find("user:1234:r--"), std::string::npos) << dump;
}

TEST_F(WriteImage, AnAclThatIsNoneIsNamed) {
  builder_.attribute(builder_.file(0, "file", "x"), "system.posix_acl_access", "\2\0\0\0short");
  const Status written = write(16 * kMiB);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code(), ErrorCode::failed);
  EXPECT_NE(written.error().message().find("/file"), std::string::npos);
}

TEST_F(WriteImage, AttributesThatFillInodeAndBlockFindTheirPlaces) {
  const EntryIndex file = builder_.file(0, "file", "x");
  // 20 bytes more each: 88 fit into the inode, 4060 into the block.
  builder_.attribute(file, "user.a", std::string(40, 'a'));
  builder_.attribute(file, "user.bb", std::string(68, 'b'));
  builder_.attribute(file, "user.ccc", std::string(3980, 'c'));
  expect_written(16 * kMiB);
  const std::string list = debugfs("ea_list /file");
  for (const char* const size : {"user.a (40)", "user.bb (68)", "user.ccc (3980)"}) {
    EXPECT_NE(list.find(size), std::string::npos) << list;
  }
}

TEST_F(WriteImage, AttributesThatDoNotFitAreAnErrorThatNamesTheEntry) {
  builder_.attribute(builder_.file(0, "file", "x"), "user.x", std::string(5000, 'x'));
  const Status written = write(16 * kMiB);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code(), ErrorCode::failed);
  EXPECT_NE(written.error().message().find("/file"), std::string::npos);
}

TEST_F(WriteImage, SubfoldersBeyondTheCountAreCountedAsOne) {
  for (int at = 0; at < 65'010; ++at) builder_.folder(0, "d" + std::to_string(at));
  expect_written(2048 * kMiB);
  EXPECT_NE(debugfs("stat /").find("Links: 1 "), std::string::npos) << debugfs("stat /");
}

TEST_F(WriteImage, AFileOfMoreNamesThanExt4CountsIsRefused) {
  const EntryIndex file = builder_.file(0, "file", "x");
  for (int at = 0; at < 65'000; ++at) builder_.again(0, "n" + std::to_string(at), file);
  const Status written = write(256 * kMiB);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code(), ErrorCode::failed);
}

TEST_F(WriteImage, WhatJustFitsFitsAndOneBlockLessIsNoSpaceBeforeAnythingIsWritten) {
  for (int at = 0; at < 300; ++at) {
    builder_.file(0, "file" + std::to_string(at),
                  pattern(20'000 + 7U * static_cast<unsigned>(at), 1));
  }
  const std::uint64_t bytes = size_for(needed_for(builder_.tree()), 0, 4096);
  expect_written(bytes);
  std::filesystem::remove(image());
  const Status written = write(bytes - 4096);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code(), ErrorCode::no_space);
  EXPECT_FALSE(written.error().hint().empty());
  EXPECT_EQ(std::filesystem::file_size(image()), 0U);
}

TEST_F(WriteImage, AWorkDiskGetsAsManyInodesAsItsTreeNeeds) {
  for (int at = 0; at < 10'000; ++at) builder_.file(0, std::to_string(at), "");
  expect_written(64 * kMiB);  // mkfs.ext4 would give it 4,096
}

// As in an image with blocks of 1 KiB: what is behind the end of a file belongs to another.
TEST_F(WriteImage, BytesBehindTheEndOfAFileAreNotCopied) {
  const EntryIndex one = builder_.file(0, "one", "one" + std::string(4093, '#'));
  builder_.tree().extents[0].length = 3;
  builder_[one].size = 3;
  expect_written(16 * kMiB);
  const auto block =
      std::stoull(debugfs("blocks one").substr(debugfs("blocks one").find('\n') + 1));
  std::vector<std::byte> bytes(4096);
  ASSERT_TRUE(target_->read_at(bytes, block * 4096));
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()),
            "one" + std::string(4093, '\0'));
}

TEST_F(WriteImage, FilesSideBySideAreCopiedWithTheirBlocks) {
  // A source that is an image with blocks of 4 KiB.
  for (int at = 0; at < 40; ++at) {
    builder_.file(0, "file" + std::to_string(at),
                  pattern(5000 + 100U * static_cast<unsigned>(at), 3));
  }
  expect_written(64 * kMiB);
  std::filesystem::rename(image(), scratch_ / "first");
  // The same tree again, its bytes where the first image has them.
  std::vector<Extent>& extents = builder_.tree().extents;
  for (std::size_t at = 0; at < extents.size(); ++at) {
    const std::string said =
        run_tool("debugfs -R 'blocks file" + std::to_string(at) + "' " + (scratch_ / "first")).text;
    extents[at].source = std::stoull(said.substr(said.find('\n') + 1)) * 4096;
  }
  os::LinuxFileSystem files;
  auto folder = files.open_folder(scratch_.path());
  auto source = (*folder)->open_file("first");
  ImageContents contents(**source);
  target_ = new_image(scratch_, "image", 0);
  ASSERT_TRUE(write_image(*target_, {.bytes = 64 * kMiB, .grow_to_bytes = 0, .label = {}},
                          test_identity(), builder_.tree(), contents, {}, stop_));
  expect_clean(image());
  EXPECT_EQ(run_tool("cmp " + image() + " " + (scratch_ / "first")).text, "");
}

TEST_F(WriteImage, StopsBetweenTwoFiles) {
  builder_.file(0, "file", "x");
  stop_.signal = os::StopRequest::Signal::terminate;
  const Status written = write(16 * kMiB);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code(), ErrorCode::terminated);
}

}  // namespace
}  // namespace update::image
