#include "engine/image/read/read_image.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <algorithm>
#include <filesystem>

#include "tests/engine/image/ext4_image.hpp"
#include "tests/fake/fake_system.hpp"

namespace update::image {
namespace {

// A folder with one of each kind that the file system of the host can have.
void fill_folder(const ScratchFolder& folder) {
  namespace fs = std::filesystem;
  fs::create_directories(folder / "root/.ssh");
  fs::create_directories(folder / "root/empty");
  folder.put("root/.ssh/keys", "ssh-ed25519 AAAA");
  folder.put("root/nothing", "");
  folder.put("root/large", std::string(300'000, 'x'));
  fs::permissions(folder / "root", fs::perms(0700));
  ASSERT_EQ(chmod((folder / "root/large").c_str(), 06755), 0);
  fs::create_symlink("../short", folder / "root/short-link");
  fs::create_symlink(std::string(200, 'l'), folder / "root/long-link");
  fs::create_hard_link(folder / "root/large", folder / "root/second");
}

class ReadImage : public testing::Test {
 protected:
  void SetUp() override {
    if (!Ext4Image::have_tools()) GTEST_SKIP() << "mke2fs, debugfs or e2fsck is missing";
  }
  Result<Tree> read(const Ext4Image& image, std::string_view path = "/", Depth depth = Depth::tree,
                    const TreeLimits& limits = {}) {
    const auto file = image.open();
    return read_image(confinement_, *file, path, depth, limits);
  }
  static const Entry* find(const Tree& tree, std::string_view path) {
    for (EntryIndex index = 0; index < tree.entries.size(); ++index) {
      if (tree.path(index) == path) return &tree.entries[index];
    }
    return nullptr;
  }
  static std::string contents(const Ext4Image& image, const Tree& tree, const Entry& entry) {
    std::string joined(entry.size, '\0');
    for (std::size_t at = 0; at < entry.extents; ++at) {
      const Extent& extent = tree.extents[entry.first_extent + at];
      joined.replace(extent.offset, extent.length, image.bytes(extent.source, extent.length));
    }
    return joined;
  }

  FakeConfinement confinement_;
};

TEST_F(ReadImage, ATreeIsReadAsItWasPutIn) {
  ScratchFolder folder;
  fill_folder(folder);
  const Ext4Image image("-d " + folder.path());
  ASSERT_TRUE(image.made());
  const auto tree = read(image, "/root");
  ASSERT_TRUE(tree) << tree.error().message();
  EXPECT_EQ(tree->entries[0].type, EntryType::folder);
  EXPECT_EQ(tree->entries[0].mode, 0700);
  ASSERT_EQ(tree->entries.size(), 9U);
  const Entry* large = find(*tree, "/large");
  ASSERT_NE(large, nullptr);
  EXPECT_EQ(large->mode, 06755);
  EXPECT_EQ(contents(image, *tree, *large), std::string(300'000, 'x'));
  EXPECT_EQ(tree->at(find(*tree, "/short-link")->content), "../short");
  EXPECT_EQ(tree->at(find(*tree, "/long-link")->content), std::string(200, 'l'));
  const Entry* second = find(*tree, "/second");
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(&tree->entries[second->link_to], large);
  EXPECT_EQ(find(*tree, "/nothing")->extents, 0U);
  const Entry* keys = find(*tree, "/.ssh/keys");
  ASSERT_NE(keys, nullptr);
  EXPECT_EQ(contents(image, *tree, *keys), "ssh-ed25519 AAAA");
  struct stat status {};
  ASSERT_EQ(stat((folder / "root/.ssh/keys").c_str(), &status), 0);
  EXPECT_EQ(keys->modified.seconds, status.st_mtim.tv_sec);
  EXPECT_EQ(keys->uid, status.st_uid);
  EXPECT_EQ(tree->total_size(), 300'016U);
}

TEST_F(ReadImage, DepthTellsHowMuch) {
  ScratchFolder folder;
  fill_folder(folder);
  const Ext4Image image("-d " + folder.path());
  const auto one = read(image, "/root", Depth::entry);
  ASSERT_TRUE(one);
  EXPECT_EQ(one->entries.size(), 1U);
  const auto children = read(image, "root/", Depth::children);
  ASSERT_TRUE(children);
  EXPECT_EQ(children->entries.size(), 8U);
  const auto link = read(image, "/root/short-link", Depth::tree);
  ASSERT_TRUE(link);
  EXPECT_EQ(link->entries[0].type, EntryType::symbolic_link);
  // A listing of the top shows lost+found, the tree to be copied has none.
  const auto top = read(image, "/", Depth::children);
  ASSERT_TRUE(top);
  EXPECT_NE(find(*top, "/lost+found"), nullptr);
  const auto all = read(image);
  ASSERT_TRUE(all);
  EXPECT_EQ(find(*all, "/lost+found"), nullptr);
  EXPECT_EQ(all->entries.size(), 10U);
}

TEST_F(ReadImage, APathThatIsNotThereIsNotFoundAndNoLinkIsFollowed) {
  ScratchFolder folder;
  fill_folder(folder);
  std::filesystem::create_symlink("root", folder / "link");
  const Ext4Image image("-d " + folder.path());
  for (const std::string_view path : {"/absent", "/root/large/x", "/link/.ssh", "/root/..", "/."}) {
    const auto tree = read(image, path);
    ASSERT_FALSE(tree) << path;
    EXPECT_EQ(tree.error().code(), ErrorCode::not_found) << path;
  }
}

TEST_F(ReadImage, HolesAndReservedBlocksAreNoExtents) {
  ScratchFolder folder;
  {
    std::ofstream sparse(folder / "sparse", std::ios::binary);
    sparse << "begin";
    sparse.seekp(20 << 20);
    sparse << "end";
  }
  const Ext4Image image("-d " + folder.path());
  ASSERT_TRUE(
      image.debugfs("write /dev/null reserved\nfallocate reserved 0 9\n"
                    "set_inode_field reserved size 40960\n"));
  const auto tree = read(image);
  ASSERT_TRUE(tree) << tree.error().message();
  const Entry* sparse = find(*tree, "/sparse");
  ASSERT_NE(sparse, nullptr);
  EXPECT_EQ(sparse->extents, 2U);
  EXPECT_EQ(sparse->size, (20U << 20) + 3);
  const std::string bytes = contents(image, *tree, *sparse);
  EXPECT_EQ(bytes.substr(0, 5), "begin");
  EXPECT_EQ(bytes.substr(20 << 20), "end");
  const Extent& last = tree->extents[sparse->first_extent + 1];
  EXPECT_EQ(last.offset + last.length, sparse->size);
  const Entry* reserved = find(*tree, "/reserved");
  ASSERT_NE(reserved, nullptr);
  EXPECT_EQ(reserved->size, 40960U);
  EXPECT_EQ(reserved->extents, 0U);
}

TEST_F(ReadImage, OldImagesWithListsOfBlocksAreRead) {
  ScratchFolder folder;
  std::string bytes;
  while (bytes.size() < 9'000'000) bytes += std::to_string(bytes.size()) + " ";
  folder.put("file", bytes);
  const Ext4Image image("-O ^extents,^64bit,^metadata_csum,^has_journal -I 128 -d " +
                        folder.path());
  ASSERT_TRUE(image.made());
  const auto tree = read(image);
  ASSERT_TRUE(tree) << tree.error().message();
  const Entry* file = find(*tree, "/file");
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(contents(image, *tree, *file), bytes);
  EXPECT_EQ(file->modified.nanoseconds, 0U);
}

TEST_F(ReadImage, AFragmentedFileHasItsTreeFollowed) {
  const Ext4Image image;
  ASSERT_TRUE(image.made());
  std::string commands = "write /dev/null many\n";
  // Every other block: each one an extent, more than fit into the inode and one node.
  for (int block = 0; block < 1000; block += 2) {
    commands += "fallocate many " + std::to_string(block) + " " + std::to_string(block) + "\n";
  }
  commands += "set_inode_field many size 4096000\n";
  ASSERT_TRUE(image.debugfs(commands));
  const auto tree = read(image);
  ASSERT_TRUE(tree) << tree.error().message();
  const auto few = read(image, "/", Depth::tree, TreeLimits{.extents = 100});
  ASSERT_FALSE(few);
  EXPECT_EQ(few.error().code(), ErrorCode::failed);
}

TEST_F(ReadImage, SmallFilesWithinTheirInodesHaveContent) {
  ScratchFolder folder;
  folder.put("tiny", "tiny bytes");
  folder.put("small", std::string(120, 's'));
  std::filesystem::create_directory(folder / "folder");
  folder.put("folder/inside", std::string(9000, 'i'));
  const Ext4Image image("-O inline_data -d " + folder.path());
  ASSERT_TRUE(image.made());
  const auto tree = read(image);
  ASSERT_TRUE(tree) << tree.error().message();
  EXPECT_EQ(tree->at(find(*tree, "/tiny")->content), "tiny bytes");
  EXPECT_EQ(tree->at(find(*tree, "/small")->content), std::string(120, 's'));
  EXPECT_EQ(find(*tree, "/small")->attributes, 0U);
  ASSERT_NE(find(*tree, "/folder/inside"), nullptr);
}

TEST_F(ReadImage, TimesReachFrom1901To2446) {
  const Ext4Image image;
  ASSERT_TRUE(
      image.debugfs("write /dev/null file\n"
                    "set_inode_field file mtime @4294967295\n"
                    "set_inode_field file mtime_extra 7\n"));
  const auto tree = read(image, "/file", Depth::entry);
  ASSERT_TRUE(tree);
  // All ones are one second before 1970; three times 2^32 more, and one nanosecond.
  EXPECT_EQ(tree->entries[0].modified.seconds, (std::int64_t{3} << 32) - 1);
  EXPECT_EQ(tree->entries[0].modified.nanoseconds, 1U);
}

TEST_F(ReadImage, AttributesAndAccessListsComeAsTheKernelGivesThem) {
  const Ext4Image image;
  const std::string acl(
      "\x01\0\0\0\x01\0\x07\0\x02\0\x05\0\xE8\x03\0\0\x04\0\x05\0\x10\0\x05\0\x20\0\x05\0", 28);
  image.scratch().put("acl", acl);
  image.scratch().put("value", std::string(3000, 'v'));
  ASSERT_TRUE(
      image.debugfs("write /dev/null file\nea_set file user.small abc\n"
                    "ea_set file trusted.x abc\nea_set file security.capability abc\n"
                    "ea_set -r -f " +
                    (image.scratch() / "acl") +
                    " file system.posix_acl_access\n"
                    "ea_set -f " +
                    (image.scratch() / "value") + " file user.large\n"));
  const auto tree = read(image, "/file");
  ASSERT_TRUE(tree) << tree.error().message();
  std::map<std::string, std::string> found;
  for (const Attribute& attribute : tree->attributes) {
    found[std::string(tree->at(attribute.name))] = tree->at(attribute.value);
  }
  EXPECT_EQ(found["user.small"], "abc");
  EXPECT_EQ(found["user.large"], std::string(3000, 'v'));
  EXPECT_EQ(found["security.capability"], "abc");
  EXPECT_EQ(found.size(), 4U);
  EXPECT_EQ(tree->skipped[static_cast<std::size_t>(Skipped::attribute)], 1U);
  const std::string kernel_form(
      "\x02\0\0\0\x01\0\x07\0\xFF\xFF\xFF\xFF\x02\0\x05\0\xE8\x03\0\0\x04\0\x05\0\xFF\xFF\xFF\xFF"
      "\x10\0\x05\0\xFF\xFF\xFF\xFF\x20\0\x05\0\xFF\xFF\xFF\xFF",
      44);
  EXPECT_EQ(found["system.posix_acl_access"], kernel_form);
}

TEST_F(ReadImage, DevicesAndTheirLikeAreCounted) {
  const Ext4Image image;
  ASSERT_TRUE(
      image.debugfs("mknod pipe p\nmknod null c 1 3\nmknod disk b 8 0\n"
                    "write /dev/null file\n"));
  const auto tree = read(image);
  ASSERT_TRUE(tree);
  EXPECT_EQ(tree->entries.size(), 2U);
  EXPECT_EQ(tree->skipped[static_cast<std::size_t>(Skipped::device)], 2U);
  EXPECT_EQ(tree->skipped[static_cast<std::size_t>(Skipped::pipe)], 1U);
  const auto pipe = read(image, "/pipe");
  ASSERT_FALSE(pipe);
  EXPECT_EQ(pipe.error().code(), ErrorCode::failed);
}

TEST_F(ReadImage, LimitsHold) {
  ScratchFolder folder;
  fill_folder(folder);
  const Ext4Image image("-d " + folder.path());
  for (const TreeLimits& limits : {TreeLimits{.entries = 5}, TreeLimits{.text_bytes = 20}}) {
    const auto tree = read(image, "/", Depth::tree, limits);
    ASSERT_FALSE(tree);
    EXPECT_EQ(tree.error().code(), ErrorCode::failed);
  }
  const auto deep = read(image, "/", Depth::tree, TreeLimits{.depth = 2});
  ASSERT_FALSE(deep);
  EXPECT_EQ(deep.error().code(), ErrorCode::failed) << "it is sound";
  EXPECT_NE(deep.error().message().find("more than 2 folders"), std::string::npos)
      << deep.error().message();
  EXPECT_EQ(deep.error().hint().find("e2fsck"), std::string::npos);
}

TEST_F(ReadImage, TheReaderInTheChildIsNotBelieved) {
  const Ext4Image image;
  confinement_.fail_with(Error(ErrorCode::not_trusted, "killed"));
  const auto tree = read(image);
  ASSERT_FALSE(tree);
  EXPECT_EQ(tree.error().message(), "killed");
  EXPECT_EQ(confinement_.runs(), 1U);
}

TEST_F(ReadImage, InfoTellsGeometryAndIdentity) {
  const Ext4Image image("-L banger -U 01234567-89ab-4cde-8f01-23456789abcd", "64M");
  const auto file = image.open();
  const auto info = read_image_info(confinement_, *file);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->bytes, 64U << 20);
  EXPECT_EQ(info->block_size, 4096U);
  EXPECT_EQ(info->label, "banger");
  EXPECT_EQ(info->uuid, "01234567-89ab-4cde-8f01-23456789abcd");
  EXPECT_LT(info->free_inodes, info->inodes);
  EXPECT_LT(info->free_bytes, info->bytes);
  EXPECT_GT(info->free_bytes, info->bytes / 2);
}

/// Of this process and its children that have ended: what others do on the machine is not in it.
double processor_ms() {
  double sum = 0;
  for (const int who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage usage{};
    getrusage(who, &usage);
    for (const timeval& part : {usage.ru_utime, usage.ru_stime}) {
      sum += static_cast<double>(part.tv_sec) * 1e3 + static_cast<double>(part.tv_usec) / 1e3;
    }
  }
  return sum;
}

TEST_F(ReadImage, FiveThousandFilesTakeNoTime) {
  ScratchFolder folder;
  for (int at = 0; at < 5000; ++at) folder.put("file-" + std::to_string(at), "some bytes");
  const Ext4Image image("-N 20000 -d " + folder.path(), "256M");
  ASSERT_TRUE(image.made());
  const auto file = image.open();
  const double begin_ms = processor_ms();
  const auto tree = read_image(confinement_, *file, "/", Depth::tree);
  const double took_ms = processor_ms() - begin_ms;
  ASSERT_TRUE(tree) << tree.error().message();
  EXPECT_EQ(tree->entries.size(), 5001U);
  RecordProperty("milliseconds", std::to_string(took_ms));
  EXPECT_LT(took_ms, 500);  // not optimised; optimised it is 20
}

}  // namespace
}  // namespace update::image
