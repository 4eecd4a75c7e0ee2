#include "engine/image/ext4/superblock.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "tests/engine/image/ext4_image.hpp"

namespace update::image {
namespace {

constexpr std::uint64_t kFileBytes = 32U << 20;

using Bytes = std::array<std::byte, kSuperblockBytes>;

template <class Number>
void put(Bytes& bytes, std::size_t offset, Number value) {
  std::memcpy(bytes.data() + offset, &value, sizeof(value));
}

// As mke2fs writes it for 32 MiB without checksums, in what is looked at.
Bytes sound() {
  Bytes bytes{};
  put<std::uint32_t>(bytes, 0x00, 8192);  // inodes
  put<std::uint32_t>(bytes, 0x04, 8192);  // blocks
  put<std::uint32_t>(bytes, 0x0C, 7000);  // free blocks
  put<std::uint32_t>(bytes, 0x10, 8100);  // free inodes
  put<std::uint32_t>(bytes, 0x18, 2);     // blocks of 4096
  put<std::uint32_t>(bytes, 0x1C, 2);
  put<std::uint32_t>(bytes, 0x20, 32768);  // blocks in a group
  put<std::uint32_t>(bytes, 0x24, 32768);
  put<std::uint32_t>(bytes, 0x28, 8192);  // inodes in a group
  put<std::uint16_t>(bytes, 0x38, 0xEF53);
  put<std::uint16_t>(bytes, 0x3A, 1);      // cleanly unmounted
  put<std::uint32_t>(bytes, 0x4C, 1);      // revision
  put<std::uint32_t>(bytes, 0x54, 11);     // first inode
  put<std::uint16_t>(bytes, 0x58, 256);    // size of an inode
  put<std::uint32_t>(bytes, 0x5C, 0x4);    // has a journal
  put<std::uint32_t>(bytes, 0x60, 0x2C2);  // filetype, extents, 64bit, flex_bg
  put<std::uint16_t>(bytes, 0xFE, 64);     // size of a descriptor
  std::memcpy(bytes.data() + 0x78, "label", 5);
  return bytes;
}

TEST(Superblock, ASoundOneIsRead) {
  const auto parsed = parse_superblock(sound(), kFileBytes);
  ASSERT_TRUE(parsed) << parsed.error().message();
  EXPECT_EQ(parsed->block_size, 4096U);
  EXPECT_EQ(parsed->blocks, 8192U);
  EXPECT_EQ(parsed->groups, 1U);
  EXPECT_EQ(parsed->free_blocks, 7000U);
  EXPECT_EQ(parsed->inodes, 8192U);
  EXPECT_EQ(parsed->label, "label");
  EXPECT_TRUE(check_settled(*parsed, true));
}

struct Wrong {
  const char* name;
  void (*make)(Bytes&);
  ErrorCode code = ErrorCode::not_trusted;
};

class WrongSuperblock : public testing::TestWithParam<Wrong> {};

TEST_P(WrongSuperblock, IsRefused) {
  Bytes bytes = sound();
  GetParam().make(bytes);
  const auto parsed = parse_superblock(bytes, kFileBytes);
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code(), GetParam().code) << parsed.error().message();
}

INSTANTIATE_TEST_SUITE_P(
    Fields, WrongSuperblock,
    testing::Values(
        Wrong{"Magic", [](Bytes& bytes) { put<std::uint16_t>(bytes, 0x38, 0xEF54); }},
        Wrong{"Revision", [](Bytes& bytes) { put(bytes, 0x4C, 2U); }, ErrorCode::failed},
        Wrong{"BlockSize", [](Bytes& bytes) { put(bytes, 0x18, 7U); }},
        Wrong{"BlockSizeHuge", [](Bytes& bytes) { put(bytes, 0x18, 0xFFFFFFFFU); }},
        Wrong{"ClusterSize", [](Bytes& bytes) { put(bytes, 0x1C, 5U); }},
        Wrong{"NoBlocks", [](Bytes& bytes) { put(bytes, 0x04, 0U); }},
        Wrong{"MoreBlocksThanFile", [](Bytes& bytes) { put(bytes, 0x04, 8193U); }},
        Wrong{"BlocksHigh", [](Bytes& bytes) { put(bytes, 0x150, 1U); }},
        Wrong{"FirstBlock", [](Bytes& bytes) { put(bytes, 0x14, 1U); }},
        Wrong{"GroupSizeZero", [](Bytes& bytes) { put(bytes, 0x24, 0U); }},
        Wrong{"GroupSizeLarge", [](Bytes& bytes) { put(bytes, 0x24, 32776U); }},
        Wrong{"GroupSizesDiffer", [](Bytes& bytes) { put(bytes, 0x20, 32760U); }},
        Wrong{"InodesOfGroup", [](Bytes& bytes) { put(bytes, 0x28, 8184U); }},
        Wrong{"InodesZero", [](Bytes& bytes) { put(bytes, 0x28, 0U); }},
        Wrong{"InodesMany",
              [](Bytes& bytes) {
                put(bytes, 0x28, 40'000U);
                put(bytes, 0x00, 40'000U);
              }},
        Wrong{"InodeSize", [](Bytes& bytes) { put<std::uint16_t>(bytes, 0x58, 200); }},
        Wrong{"InodeSizeLarge", [](Bytes& bytes) { put<std::uint16_t>(bytes, 0x58, 8192); }},
        Wrong{"FirstInode", [](Bytes& bytes) { put(bytes, 0x54, 9000U); }},
        Wrong{"DescriptorSize", [](Bytes& bytes) { put<std::uint16_t>(bytes, 0xFE, 48); }},
        Wrong{"DescriptorSmall", [](Bytes& bytes) { put<std::uint16_t>(bytes, 0xFE, 32); }},
        Wrong{"Feature", [](Bytes& bytes) { put(bytes, 0x60, 0x80000000U); }, ErrorCode::failed},
        Wrong{"JournalDevice", [](Bytes& bytes) { put(bytes, 0x60, 0x8U); }, ErrorCode::failed},
        Wrong{"Checksum",
              [](Bytes& bytes) {
                put(bytes, 0x64, 0x400U);
                put<std::uint8_t>(bytes, 0x175, 1);
              }}),
    [](const auto& made) { return std::string(made.param.name); });

TEST(Superblock, WhatIsInUseIsRefused) {
  struct Case {
    std::size_t offset;
    std::uint32_t value;
    bool readers;  ///< refuse, too
  };
  for (const Case& one : {
           Case{0x60, 0x2C6, true},       // the journal needs recovery
           Case{0xE8, 12, false},         // a list of deleted files
           Case{0x64, 0x10000, false},    // the same in a file
           Case{0x3A, 2, false},          // the kernel met errors
           Case{0x5C, 0x80000004, false}  // a feature that only writers must know
       }) {
    Bytes bytes = sound();
    put(bytes, one.offset, one.value);
    const auto parsed = parse_superblock(bytes, kFileBytes);
    ASSERT_TRUE(parsed) << parsed.error().message();
    EXPECT_EQ(check_settled(*parsed, false).has_value(), !one.readers) << one.offset;
    const Status writing = check_settled(*parsed, true);
    ASSERT_FALSE(writing) << one.offset;
    EXPECT_EQ(writing.error().code(), ErrorCode::failed);
  }
  Bytes bytes = sound();
  put(bytes, 0x5C, 0U);
  put<std::uint16_t>(bytes, 0x3A, 0);
  const auto mounted = parse_superblock(bytes, kFileBytes);
  ASSERT_TRUE(mounted);
  EXPECT_FALSE(check_settled(*mounted, false));
}

TEST(Superblock, FeaturesThatAWriterDoesNotKeepConsistentAreNamed) {
  struct Case {
    std::size_t offset;
    std::uint32_t features;
    const char* name;
  };
  for (const Case& one :
       {Case{0x5C, 0x6, "imagic_inodes"}, Case{0x5C, 0x80000004, "FEATURE_C31"},
        Case{0x60, 0x3C2, "mmp"}, Case{0x64, 0x100, "quota"}, Case{0x64, 0x1000, "read-only"},
        Case{0x64, 0x2000, "project"}, Case{0x64, 0x4001, "shared_blocks"},
        Case{0x64, 0x5000, "read-only, shared_blocks"}}) {
    Bytes bytes = sound();
    put(bytes, one.offset, one.features);
    const auto parsed = parse_superblock(bytes, kFileBytes);
    ASSERT_TRUE(parsed) << one.name << ": " << parsed.error().message();
    EXPECT_TRUE(check_settled(*parsed, false)) << one.name;
    const Status writing = check_settled(*parsed, true);
    ASSERT_FALSE(writing) << one.name;
    EXPECT_EQ(writing.error().code(), ErrorCode::failed);
    EXPECT_TRUE(writing.error().message().ends_with(": " + std::string(one.name)))
        << writing.error().message();
  }
}

TEST(Superblock, ThoseOfMke2fsAreRead) {
  if (!Ext4Image::have_tools()) GTEST_SKIP() << "mke2fs, debugfs or e2fsck is missing";
  for (const char* const options :
       {"", "-b 1024", "-O ^64bit", "-O ^metadata_csum", "-O bigalloc -C 16384", "-I 128",
        "-O meta_bg,^resize_inode", "-b 65536 -F -F", "-O inline_data,ea_inode,large_dir",
        "-O casefold,encrypt,verity", "-r 0 -O none", "-O mmp"}) {
    const Ext4Image image(options, "80M");
    if (!image.made()) continue;  // an mke2fs that lacks it
    const auto file = image.open();
    const auto parsed = read_superblock(*file);
    EXPECT_TRUE(parsed) << options << ": " << parsed.error().message();
  }
}

TEST(Superblock, AShortFileIsNoImage) {
  const Ext4Image image("", "1");
  image.scratch().put("image.ext4", std::string(2000, '\0'));
  const auto parsed = read_superblock(*image.open());
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code(), ErrorCode::not_trusted);
}

}  // namespace
}  // namespace update::image
