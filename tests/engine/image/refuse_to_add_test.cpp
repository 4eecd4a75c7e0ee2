#include "engine/image/write/write_tree.hpp"
#include "engine/os/confinement_linux.hpp"
#include "tests/engine/image/add_to_image_fixture.hpp"

#include <span>
#include <vector>

// What is not added to an image, before anything is written.
namespace update::image {
namespace {

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

TEST_F(AddToImage, AnotherKindIsRefusedBeforeAnythingIsWritten) {
  TreeBuilder old;
  old.file(0, "name", "bytes");
  make(old, 16 * kMiB);
  const std::string before = fingerprint();
  TreeBuilder added;
  added.file(0, "a", "a");
  added.folder(0, "name");
  expect_refused(added, "/", ErrorCode::failed, "'/name' is a file");
  EXPECT_EQ(fingerprint(), before);
}

TEST_F(AddToImage, WhatDoesNotFitIsNoSpaceBeforeAnythingIsWritten) {
  TreeBuilder none;
  make(none, 16 * kMiB);
  const std::string before = fingerprint();
  TreeBuilder added;
  added.file(0, "large", std::string(15 * kMiB, 'x'));
  expect_refused(added, "/", ErrorCode::no_space, "has room for");
  EXPECT_EQ(fingerprint(), before);
}

TEST_F(AddToImage, AFolderThatIsNotThereIsNotFound) {
  TreeBuilder none;
  make(none, 16 * kMiB);
  TreeBuilder added;
  expect_refused(added, "/a/b", ErrorCode::not_found, "'/a/b'");
}

TEST_F(AddToImage, ReplacingAFileThatCountsLessThanItHasIsDamage) {
  TreeBuilder old;
  old.file(0, "file", std::string(50'000, 'o'));
  make(old, 16 * kMiB);
  change("set_inode_field /file blocks 8");
  TreeBuilder added;
  added.file(0, "file", "new");
  expect_refused(added, "/", ErrorCode::not_trusted, "counts");
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
  expect_refused(added, "/", ErrorCode::not_trusted, "twice");
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
  expect_refused(added, "/a/b", ErrorCode::failed, "would lie in more than");
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
    expect_refused(added, "/", ErrorCode::failed, feature, confinement);
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
  expect_refused(large, "/", ErrorCode::failed, "'/large' has, in the image, an attribute");
  EXPECT_EQ(fingerprint(), before);
}

TEST_F(AddToImage, AFileThatIsLargerThanExt4AllowsIsNamed) {
  TreeBuilder none;
  make(none, 16 * kMiB);
  TreeBuilder added;
  const EntryIndex large = added.file(0, "large", "bytes");
  added[large].size = std::uint64_t{UINT32_MAX} * 4096 + 1;
  expect_refused(added, "/", ErrorCode::failed, "/large");
  --added[large].size;
  EXPECT_TRUE(add(added, "/"));
  expect_clean(scratch_ / "image");
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
    expect_refused(added, "/", ErrorCode::not_trusted, "made to do harm", taken);
  }
  EXPECT_EQ(fingerprint(), before);
  Taken honest({{1, 0, kMiB, 8192}, two});
  EXPECT_TRUE(add(added, "/", honest));
}

}  // namespace
}  // namespace update::image
