#include "engine/image/write/mkfs.hpp"

#include "tests/engine/image/image_tools.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <vector>

namespace update::image {
namespace {

constexpr std::uint64_t kMiB = 1U << 20;

class MkfsTest : public testing::TestWithParam<std::uint64_t> {
 protected:
  Status make(const std::string& name, const Geometry& geometry) {
    const auto file = new_image(scratch_, name, geometry.bytes);
    auto fs = make_file_system(file.get(), geometry, identity_, 0);
    if (!fs) return fail(std::move(fs).error());
    return flush_image(fs->get());
  }

  ScratchFolder scratch_;
  Identity identity_ = test_identity();
};

/// The blocks in which two sparse files differ, and where in them.
std::vector<std::uint64_t> differing_bytes(const std::string& one, const std::string& other) {
  const int fds[2] = {open(one.c_str(), O_RDONLY), open(other.c_str(), O_RDONLY)};
  std::set<off_t> blocks;
  for (const int fd : fds) {
    for (off_t at = 0; (at = lseek(fd, at, SEEK_DATA)) >= 0;) {
      const off_t end = lseek(fd, at, SEEK_HOLE);
      for (; at < end; at += 4096) blocks.insert(at / 4096);
    }
  }
  std::vector<std::uint64_t> differing;
  for (const off_t block : blocks) {
    unsigned char bytes[2][4096] = {};
    for (int side = 0; side < 2; ++side) {
      if (pread(fds[side], bytes[side], 4096, block * 4096) < 0) differing.push_back(0);
    }
    if (std::memcmp(bytes[0], bytes[1], 4096) == 0) continue;
    for (unsigned at = 0; at < 4096; ++at) {
      if (bytes[0][at] != bytes[1][at]) {
        differing.push_back(static_cast<std::uint64_t>(block) * 4096 + at);
      }
    }
  }
  for (const int fd : fds) close(fd);
  return differing;
}

/// s_kbytes_written (what was written, which we do otherwise) and the checksum over it, in the
/// superblock and in its copies.
bool may_differ(std::uint64_t at) {
  const std::uint64_t in_block = at < 4096 ? at - 1024 : at % 4096;
  return (in_block >= 0x178 && in_block < 0x180) || (in_block >= 0x3FC && in_block < 0x400);
}

TEST_P(MkfsTest, IsByteForByteWhatMkfsMakes) {
  UPDATE_NEED_TOOL("mkfs.ext4");
  const Geometry geometry{.bytes = GetParam() * kMiB, .grow_to_bytes = 0, .label = "disk"};
  ASSERT_TRUE(make("ours", geometry));
  ASSERT_TRUE(new_image(scratch_, "theirs", geometry.bytes));
  const Outcome made = run_tool(
      "E2FSPROGS_FAKE_TIME=1700000000 mkfs.ext4 -q -F -b 4096 -i 16384 -L disk "
      "-U a0a1a2a3-a4a5-a6a7-a8a9-aaabacadaeaf -E root_owner=0:0,lazy_itable_init=1,"
      "lazy_journal_init=1,hash_seed=10111213-1415-1617-1819-1a1b1c1d1e1f,resize=" +
      std::to_string(std::max<std::uint64_t>(geometry.bytes / 4096 * 64, 64 * 32768 + 1)) + " " +
      (scratch_ / "theirs"));
  ASSERT_EQ(made.status, 0) << made.text;
  std::vector<std::uint64_t> differing = differing_bytes(scratch_ / "ours", scratch_ / "theirs");
  std::erase_if(differing, may_differ);
  EXPECT_TRUE(differing.empty()) << differing.size() << " bytes, the first at "
                                 << differing.front();
  expect_clean(scratch_ / "ours");
}

// 64 GiB has backups of the superblock in groups far from each other.
INSTANTIATE_TEST_SUITE_P(Sizes, MkfsTest, testing::Values(4, 16, 64, 512, 8192, 65536));

TEST_F(MkfsTest, ReservesDescriptorsForSixtyFourTimesTheSize) {
  UPDATE_NEED_TOOL("dumpe2fs");
  ASSERT_TRUE(make("image", {.bytes = 8192 * kMiB, .grow_to_bytes = 0, .label = {}}));
  EXPECT_NE(
      run_tool("dumpe2fs -h " + (scratch_ / "image")).text.find("Reserved GDT blocks:      63"),
      std::string::npos);
}

TEST_F(MkfsTest, TheFirstSecondOfAllIsAMomentLikeAnyOther) {
  identity_.now_s = 0;
  ASSERT_TRUE(make("image", {.bytes = 16 * kMiB, .grow_to_bytes = 0, .label = {}}));
  const std::string text = run_tool("TZ=UTC dumpe2fs -h " + (scratch_ / "image")).text;
  const std::string line = text.substr(text.find("Last write time:"));
  EXPECT_NE(line.substr(0, line.find('\n')).find("1970"), std::string::npos) << text;
}

TEST_F(MkfsTest, WhatIsTooSmallIsNoSpace) {
  const Status made = make("image", {.bytes = 32 * 1024, .grow_to_bytes = 0, .label = {}});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code(), ErrorCode::no_space);
}

TEST_F(MkfsTest, WritesFewBlocks) {
  ASSERT_TRUE(make("image", {.bytes = 8192 * kMiB, .grow_to_bytes = 0, .label = {}}));
  struct stat status {};
  ASSERT_EQ(stat((scratch_ / "image").c_str(), &status), 0);
  EXPECT_LT(status.st_blocks * 512, 512 * 1024);
}

}  // namespace
}  // namespace update::image
