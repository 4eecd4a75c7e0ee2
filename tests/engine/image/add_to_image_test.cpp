#include "tests/engine/image/add_to_image_fixture.hpp"

#include <ext2fs/ext2_fs.h>

namespace update::image {
namespace {

TEST_F(AddToImage, GoesIntoFoldersReplacesFilesAndLeavesTheRest) {
  TreeBuilder old;
  const EntryIndex etc = old.folder(0, "etc", 0700);
  const EntryIndex linked = old.file(etc, "linked", std::string(20'000, 'o'));
  old.again(0, "other-name", linked);
  old.file(etc, "replaced", std::string(50'000, 'o'));
  old.file(etc, "kept", "kept");
  old.link(etc, "link", std::string(100, 'l'));
  make(old, 64 * kMiB);

  TreeBuilder added;
  added[0].mode = 0111;
  const EntryIndex folder = added.folder(0, "etc", 0751);
  added.file(folder, "replaced", "new", 0600);
  added.file(folder, "linked", "newer");
  added.link(folder, "link", "elsewhere");
  added.file(added.folder(folder, "made"), "deep", std::string(9000, 'd'));
  const Status done = add(added, "/");
  ASSERT_TRUE(done) << done.error().message();
  expect_clean(scratch_ / "image");
  EXPECT_EQ(content("/etc/replaced"), "new");
  EXPECT_EQ(content("/etc/linked"), "newer");
  EXPECT_EQ(content("/other-name"), std::string(20'000, 'o'));
  EXPECT_EQ(content("/etc/kept"), "kept");
  EXPECT_EQ(content("/etc/made/deep"), std::string(9000, 'd'));
  EXPECT_NE(stat("/etc").find("Mode:  0751"), std::string::npos);
  EXPECT_NE(stat("/").find("Mode:  0755"), std::string::npos) << "the folder keeps its own mode";
  EXPECT_NE(stat("/etc/link").find("elsewhere"), std::string::npos);
}

TEST_F(AddToImage, OnceMoreGivesTheSameAndUsesNoMoreRoom) {
  TreeBuilder none;
  make(none, 16 * kMiB);
  TreeBuilder added;
  const EntryIndex folder = added.folder(0, "folder");
  for (int at = 0; at < 1000; ++at) added.file(folder, "file" + std::to_string(at), "bytes");
  ASSERT_TRUE(add(added, "/"));
  const auto free_blocks = [&] {
    return run_tool("dumpe2fs -h " + (scratch_ / "image") + " | grep '^Free '").text;
  };
  const std::string before = free_blocks();
  ASSERT_TRUE(add(added, "/"));
  expect_clean(scratch_ / "image");
  EXPECT_EQ(free_blocks(), before);
}

TEST_F(AddToImage, OldBytesDoNotShowBehindNewOnes) {
  TreeBuilder old;
  old.file(0, "file", std::string(2 * kMiB, 'o'));
  make(old, 16 * kMiB);
  TreeBuilder added;
  added.file(0, "file", "new");
  ASSERT_TRUE(add(added, "/"));
  const std::string extents = run_tool("debugfs -R 'blocks /file' " + (scratch_ / "image")).text;
  const auto block = std::stoull(extents.substr(extents.find('\n') + 1));
  std::vector<std::byte> bytes(4096);
  ASSERT_TRUE(open("image")->read_at(bytes, block * 4096));
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()),
            "new" + std::string(4093, '\0'));
}

TEST_F(AddToImage, WithoutTheFeatureNoEntryGetsAType) {
  make_with_tools("-O ^filetype");
  TreeBuilder added;
  added.file(added.folder(0, "few"), "file", "bytes");
  const EntryIndex many = added.folder(0, "many");
  for (int at = 0; at < 1000; ++at) added.file(many, "file" + std::to_string(at), "");
  const Status done = add(added, "/");
  ASSERT_TRUE(done) << done.error().message();
  const std::string index = run_tool("debugfs -R 'htree_dump /many' " + (scratch_ / "image")).text;
  ASSERT_NE(index.find("Root node dump"), std::string::npos) << index;
  expect_clean(scratch_ / "image");
}

// Which kinds of hash an image may name is another question than which an index may have.
TEST_F(AddToImage, AnIndexHasAHashThatTheKernelKnows) {
  constexpr std::uint64_t kHashVersionAt = 1024 + 252;
  for (const int version : {0, 1, 2, 3, 4, 5, 6, 7, 255}) {
    make_with_tools("-O ^metadata_csum");
    const auto number = static_cast<std::byte>(version);
    ASSERT_TRUE(open("image")->write_at(std::span(&number, 1), kHashVersionAt));
    expect_clean(scratch_ / "image");
    TreeBuilder added;
    const EntryIndex many = added.folder(0, "many");
    for (int at = 0; at < 1000; ++at) added.file(many, "\xE4-file" + std::to_string(at), "");
    const Status done = add(added, "/");
    ASSERT_TRUE(done) << version << done.error().message();
    expect_clean(scratch_ / "image");
    const std::string index =
        run_tool("debugfs -R 'htree_dump /many' " + (scratch_ / "image") + " | cat -v").text;
    const int written = version <= EXT2_HASH_TEA ? version : EXT2_HASH_HALF_MD4;
    EXPECT_NE(index.find("Hash Version: " + std::to_string(written)), std::string::npos) << index;
  }
}

TEST_F(AddToImage, TheFirstAttributesAndTheFirstLargeFileOfAnImageSetItsFeatures) {
  make_with_tools("-O ^ext_attr,^large_file,^resize_inode");
  TreeBuilder added;
  added.attribute(added.file(0, "attributes", "bytes"), "user.large", std::string(1000, 'v'));
  const EntryIndex large = added.file(0, "large", "bytes");
  added[large].size = std::uint64_t{3} << 30;
  const Status done = add(added, "/");
  ASSERT_TRUE(done) << done.error().message();
  expect_clean(scratch_ / "image");
  const std::string features = run_tool("dumpe2fs -h " + (scratch_ / "image")).text;
  EXPECT_NE(features.find("ext_attr"), std::string::npos) << features;
  EXPECT_NE(features.find("large_file"), std::string::npos) << features;
}

TEST_F(AddToImage, AtTheFirstSecondOfAllAFreedInodeIsStillAFreedOne) {
  TreeBuilder old;
  old.file(0, "one", "one");
  old.file(0, "other", "other");
  old.folder(0, "folder");
  make(old, 16 * kMiB);
  TreeBuilder added;
  added.again(0, "other", added.file(0, "one", "new"));
  now_s_ = 0;
  ASSERT_TRUE(add(added, "/"));
  expect_clean(scratch_ / "image");
  // While the last change of the image is as early, e2fsck believes any time. This one takes no
  // inode.
  TreeBuilder later;
  later.folder(0, "folder");
  now_s_ = 1'700'000'000;
  ASSERT_TRUE(add(later, "/"));
  expect_clean(scratch_ / "image");
}

TEST_F(AddToImage, AFolderThatIsThereGetsTheAttributesOfTheNewOne) {
  TreeBuilder old;
  for (const char* const name : {"inode", "block", "none"}) {
    const EntryIndex folder = old.folder(0, name);
    old.attribute(folder, "user.old", std::string(name[0] == 'b' ? 1000 : 10, 'o'));
    old.file(folder, "kept", "kept");
  }
  make(old, 16 * kMiB);
  change("ea_set /inode trusted.kept value");
  TreeBuilder added;
  added.attribute(added.folder(0, "inode"), "user.new", std::string(1000, 'n'));
  const EntryIndex block = added.folder(0, "block");
  added.attribute(block, "user.new", "n");
  added.attribute(block, "system.posix_acl_access",
                  std::string("\2\0\0\0"
                              "\1\0\7\0\xFF\xFF\xFF\xFF\4\0\5\0\xFF\xFF\xFF\xFF"
                              "\x20\0\5\0\xFF\xFF\xFF\xFF",
                              28));
  added.folder(0, "none");
  const Status done = add(added, "/");
  ASSERT_TRUE(done) << done.error().message();
  expect_clean(scratch_ / "image");
  const auto attributes = [&](const std::string& path) {
    const std::string text =
        run_tool("debugfs -R 'ea_list " + path + "' " + (scratch_ / "image")).text;
    return text.substr(text.find('\n') + 1);
  };
  EXPECT_EQ(attributes("/inode").find("user.old"), std::string::npos) << attributes("/inode");
  EXPECT_NE(attributes("/inode").find("user.new (1000)"), std::string::npos);
  EXPECT_NE(attributes("/inode").find("trusted.kept"), std::string::npos) << "no tree carries it";
  EXPECT_EQ(attributes("/block").find("user.old"), std::string::npos) << attributes("/block");
  EXPECT_NE(attributes("/block").find("user.new (1)"), std::string::npos);
  EXPECT_NE(attributes("/block").find("posix_acl_access"), std::string::npos);
  EXPECT_EQ(attributes("/none"), "");
  EXPECT_EQ(content("/inode/kept"), "kept");
}

TEST_F(AddToImage, AFolderWithFewerFieldsGetsItsTimesInThoseThatItHas) {
  TreeBuilder old;
  old.folder(0, "folder");
  make(old, 16 * kMiB);
  change("set_inode_field /folder mtime_extra 1");
  change("set_inode_field /folder crtime 0");
  change("set_inode_field /folder crtime_extra 0");
  change("set_inode_field /folder extra_isize 28");
  TreeBuilder added;
  const EntryIndex folder = added.folder(0, "folder");
  added[folder].modified = {2'208'988'800, 5};  // 2040
  ASSERT_TRUE(add(added, "/"));
  expect_clean(scratch_ / "image");
  const std::string text =
      run_tool("TZ=UTC debugfs -R 'stat /folder' " + (scratch_ / "image")).text;
  const std::string line = text.substr(text.find(" mtime:"));
  EXPECT_NE(line.substr(0, line.find('\n')).find("2040"), std::string::npos) << text;
}

}  // namespace
}  // namespace update::image
