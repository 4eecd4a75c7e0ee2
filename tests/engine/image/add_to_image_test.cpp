#include "engine/image/write/write_image.hpp"
#include "engine/image/write/write_tree.hpp"
#include "engine/os/confinement_linux.hpp"

#include "tests/engine/image/image_tools.hpp"
#include "tests/engine/image/tree_builder.hpp"

#include <functional>
#include <vector>

namespace update::image {
namespace {

constexpr std::uint64_t kMiB = 1U << 20;

struct InProcess : os::Confinement {
  Result<std::string> run(const os::ConfinementLimits& /*limits*/,
                          const std::function<Result<std::string>()>& work) override {
    return work();
  }
};

/// A child that the image has taken over.
struct Taken final : os::Confinement {
  explicit Taken(std::vector<DataRun> runs) : runs_(std::move(runs)) {}
  Result<std::string> run(const os::ConfinementLimits& /*limits*/,
                          const std::function<Result<std::string>()>& /*work*/) override {
    const auto bytes = std::as_bytes(std::span(runs_));
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }

 private:
  std::vector<DataRun> runs_;
};

struct Uninterrupted final : os::StopRequest {
  Signal pending() override { return Signal::none; }
  void hold() override {}
  void let_go() override {}
};

/// Each entry has bytes of its own, so that no more than they are copied.
struct Alone final : Contents {
  explicit Alone(os::File& file) : file_(file) {}
  Result<os::File*> open(const Tree& /*tree*/, EntryIndex /*entry*/) override { return &file_; }
  Status close(const Tree& /*tree*/, EntryIndex /*entry*/) override { return {}; }

 private:
  os::File& file_;
};

class AddToImage : public testing::Test {
 protected:
  std::unique_ptr<os::File> open(const std::string& name) {
    auto folder = files_.open_folder(scratch_.path());
    auto file = (*folder)->open_file_for_update(name);
    return file ? std::move(*file) : nullptr;
  }
  void make(TreeBuilder& builder, std::uint64_t bytes) {
    scratch_.put("source", builder.bytes());
    const auto source = open("source");
    ImageContents contents(*source);
    const auto target = new_image(scratch_, "image", 0);
    const Status written = write_image(*target, {.bytes = bytes, .grow_to_bytes = 0, .label = {}},
                                       test_identity(), builder.tree(), contents, {}, stop_);
    ASSERT_TRUE(written) << written.error().message();
  }
  Status add(TreeBuilder& builder, const std::string& path) {
    InProcess confinement;
    return add(builder, path, confinement);
  }
  Status add(TreeBuilder& builder, const std::string& path, os::Confinement& confinement) {
    scratch_.put("source", builder.bytes());
    const auto source = open("source");
    Alone contents(*source);
    const auto target = open("image");
    return add_to_image(confinement, *target, path, builder.tree(), contents, {}, stop_, now_s_);
  }
  /// As the tools make it, with what mkfs here does not make.
  void make_with_tools(const std::string& options) {
    const Outcome made =
        run_tool("mke2fs -q -F -t ext4 -b 4096 " + options + " " + (scratch_ / "image") + " 32M");
    ASSERT_EQ(made.status, 0) << made.text;
  }
  /// One command of debugfs, which says nothing where all is well.
  void change(const std::string& command) {
    run_tool("debugfs -w -R '" + command + "' " + (scratch_ / "image"));
  }
  std::string content(const std::string& path) const {
    std::string text = run_tool("debugfs -R 'cat " + path + "' " + (scratch_ / "image")).text;
    return text.substr(text.find('\n') + 1);  // after the line with the version
  }
  std::string fingerprint() const { return run_tool("sha256sum < " + (scratch_ / "image")).text; }
  std::string stat(const std::string& path) const {
    return run_tool("debugfs -R 'stat " + path + "' " + (scratch_ / "image")).text;
  }

  ScratchFolder scratch_;
  os::LinuxFileSystem files_;
  Uninterrupted stop_;
  std::int64_t now_s_ = 1'700'000'000;
};

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

TEST_F(AddToImage, AnotherKindIsRefusedBeforeAnythingIsWritten) {
  TreeBuilder old;
  old.file(0, "name", "bytes");
  make(old, 16 * kMiB);
  const std::string before = fingerprint();
  TreeBuilder added;
  added.file(0, "a", "a");
  added.folder(0, "name");
  const Status done = add(added, "/");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), ErrorCode::failed);
  EXPECT_NE(done.error().message().find("/name"), std::string::npos);
  EXPECT_EQ(fingerprint(), before);
}

TEST_F(AddToImage, WhatDoesNotFitIsNoSpaceBeforeAnythingIsWritten) {
  TreeBuilder none;
  make(none, 16 * kMiB);
  const std::string before = fingerprint();
  TreeBuilder added;
  added.file(0, "large", std::string(15 * kMiB, 'x'));
  const Status done = add(added, "/");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), ErrorCode::no_space);
  EXPECT_EQ(fingerprint(), before);
}

TEST_F(AddToImage, AFolderThatIsNotThereIsNotFound) {
  TreeBuilder none;
  make(none, 16 * kMiB);
  TreeBuilder added;
  const Status done = add(added, "/a/b");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), ErrorCode::not_found);
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

TEST_F(AddToImage, ReplacingAFileThatCountsLessThanItHasIsDamage) {
  TreeBuilder old;
  old.file(0, "file", std::string(50'000, 'o'));
  make(old, 16 * kMiB);
  change("set_inode_field /file blocks 8");
  TreeBuilder added;
  added.file(0, "file", "new");
  const Status done = add(added, "/");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), ErrorCode::not_trusted) << done.error().message();
  EXPECT_NE(done.error().message().find("counts"), std::string::npos) << done.error().message();
}

TEST_F(AddToImage, ReplacingAFileThatHasABlockTwiceIsDamage) {
  TreeBuilder old;
  const EntryIndex twice = old.file(0, "file", "data");
  old.data(twice, 8192, "data");
  make(old, 16 * kMiB);
  const std::string blocks = run_tool("debugfs -R 'blocks /file' " + (scratch_ / "image")).text;
  const auto first = std::stoull(blocks.substr(blocks.find('\n') + 1));
  change("set_inode_field /file block[8] " + std::to_string(first));
  TreeBuilder added;
  added.file(0, "file", "new");
  const Status done = add(added, "/");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), ErrorCode::not_trusted) << done.error().message();
  EXPECT_NE(done.error().message().find("twice"), std::string::npos) << done.error().message();
}

TEST_F(AddToImage, WhatLiesTooDeepToBeReadAgainIsRefused) {
  TreeBuilder old;
  old.folder(old.folder(0, "a"), "b");
  make(old, 16 * kMiB);
  TreeBuilder added;
  EntryIndex folder = 0;
  for (std::size_t depth = 2; depth < TreeLimits().depth; ++depth)
    folder = added.folder(folder, "f");
  EXPECT_TRUE(add(added, "/a/b"));
  added.file(folder, "file", "");
  const Status done = add(added, "/a/b");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), ErrorCode::failed);
}

TEST_F(AddToImage, AnImageInUseIsRefused) {
  TreeBuilder none;
  make(none, 16 * kMiB);
  ASSERT_EQ(run_tool("debugfs -w -R 'feature needs_recovery' " + (scratch_ / "image")).status, 0);
  const Status done = add(none, "/");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), ErrorCode::failed);
  EXPECT_NE(done.error().hint().find("e2fsck"), std::string::npos);
}

TEST_F(AddToImage, AnImageWithAFeatureWhoseRulesAreNotKeptIsRefused) {
  for (const char* const feature :
       {"quota", "project", "mmp", "bigalloc", "read-only", "shared_blocks"}) {
    make_with_tools("");
    change(std::string("feature ") + feature);
    const std::string before = fingerprint();
    TreeBuilder added;
    added.file(0, "file", "bytes");
    os::LinuxConfinement confinement;
    const Status done = add(added, "/", confinement);
    ASSERT_FALSE(done) << feature;
    EXPECT_EQ(done.error().code(), ErrorCode::failed) << done.error().message();
    EXPECT_NE(done.error().message().find(feature), std::string::npos) << done.error().message();
    EXPECT_EQ(fingerprint(), before) << feature;
  }
}

TEST_F(AddToImage, AFileWhoseAttributeHasAnInodeOfItsOwnIsNotReplaced) {
  make_with_tools("-O ea_inode");
  scratch_.put("value", std::string(10'000, 'v'));
  scratch_.put("plain", "plain");
  change("write " + (scratch_ / "plain") + " large");
  change("write " + (scratch_ / "plain") + " small");
  change("ea_set -f " + (scratch_ / "value") + " /large user.large");
  change("ea_set /small user.small value");
  run_tool("e2fsck -fy " + (scratch_ / "image"));  // debugfs counts too few blocks for /large
  TreeBuilder small;
  small.file(0, "small", "new");
  const Status done = add(small, "/");
  ASSERT_TRUE(done) << done.error().message();
  expect_clean(scratch_ / "image");
  const std::string before = fingerprint();
  TreeBuilder large;
  large.file(0, "large", "new");
  const Status refused = add(large, "/");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::failed) << refused.error().message();
  EXPECT_EQ(fingerprint(), before);
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

TEST_F(AddToImage, AFileThatIsLargerThanExt4AllowsIsNamed) {
  TreeBuilder none;
  make(none, 16 * kMiB);
  for (const bool fits : {false, true}) {
    TreeBuilder added;
    const EntryIndex large = added.file(0, "large", "bytes");
    added[large].size = std::uint64_t{UINT32_MAX} * 4096 + (fits ? 0 : 1);
    const Status done = add(added, "/");
    ASSERT_EQ(done.has_value(), fits);
    if (fits) continue;
    EXPECT_EQ(done.error().code(), ErrorCode::failed);
    EXPECT_NE(done.error().message().find("/large"), std::string::npos) << done.error().message();
  }
  expect_clean(scratch_ / "image");
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

TEST_F(AddToImage, TheAnswerOfTheChildIsNotBelieved) {
  TreeBuilder none;
  make(none, 16 * kMiB);
  const std::string before = fingerprint();
  TreeBuilder added;
  added.file(0, "one", std::string(8192, 'x'));
  added.file(0, "two", std::string(4096, 'y'));
  const DataRun two{2, 8192, 8 * kMiB, 4096};
  const std::vector<std::vector<DataRun>> answers = {
      {},
      {{1, 0, 16 * kMiB, 8192}, two},                         // behind the end
      {{1, 0, UINT64_MAX - 4096, 8192}, two},                 // wraps around
      {{1, 0, 8 * kMiB - 4096, 8192}, two},                   // onto another run
      {{1, 4096, kMiB, 8192}, two},                           // other bytes of the source
      {{1, 0, kMiB, 12288}, two},                             // more than there is
      {{1, 0, kMiB, 0}, {1, 0, kMiB, 8192}, two},             // nothing
      {{1, 0, kMiB, 8192}, two, {2, 12288, 9 * kMiB, 4096}},  // once too often
      {{2, 0, kMiB, 8192}, two},                              // another file
  };
  for (const auto& answer : answers) {
    Taken taken(answer);
    const Status done = add(added, "/", taken);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code(), ErrorCode::not_trusted);
  }
  EXPECT_EQ(fingerprint(), before);
  Taken honest({{1, 0, kMiB, 8192}, two});
  EXPECT_TRUE(add(added, "/", honest));
}

}  // namespace
}  // namespace update::image
