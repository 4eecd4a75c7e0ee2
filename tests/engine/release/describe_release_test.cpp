#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>
#include <utility>

#include "engine/base/text.hpp"
#include "engine/release/release.hpp"
#include "tests/engine/release/observed_folder.hpp"
#include "tests/engine/release/temporary_folder.hpp"

namespace update {
namespace {

namespace fs = std::filesystem;

class DescribeTest : public ::testing::Test {
 protected:
  DescribeTest() : description_{"banger", Version::parse("1.4.0").value(), 5, 6, {}, "notes"} {}

  void expect_refused(ErrorCode code, std::string_view because) {
    const auto manifest = describe_release(*folder_.open(), description_);
    ASSERT_FALSE(manifest) << "wanted: " << because;
    EXPECT_EQ(manifest.error().code(), code) << manifest.error().message();
    EXPECT_NE(manifest.error().message().find(because), std::string::npos)
        << "wanted " << because << ": " << manifest.error().message();
  }

  TemporaryFolder folder_;
  ReleaseDescription description_;
};

TEST_F(DescribeTest, HashesEveryFileSortedByName) {
  const std::string large(3'500'000, 'x');
  folder_.write("b", large);
  folder_.write("a", "");
  folder_.write("c", "three");
  folder_.write("release.json", "an old one");
  folder_.write("release.json.minisig", "an old one");
  description_.minimum_version = Version::parse("1.2.0").value();
  const auto manifest = describe_release(*folder_.open(), description_);
  ASSERT_TRUE(manifest) << manifest.error().message();
  ASSERT_EQ(manifest->files.size(), 3U);
  EXPECT_EQ(manifest->files[0].name, "a");
  EXPECT_EQ(manifest->files[0].size, 0U);
  EXPECT_EQ(manifest->files[0].sha256, sha256_of(""));
  EXPECT_EQ(manifest->files[1].name, "b");
  EXPECT_EQ(manifest->files[1].size, large.size());
  EXPECT_EQ(manifest->files[1].sha256, sha256_of(large));
  EXPECT_EQ(manifest->files[2].sha256, sha256_of("three"));
  EXPECT_EQ(manifest->product, "banger");
  EXPECT_EQ(manifest->version.text(), "1.4.0");
  EXPECT_EQ(manifest->created_us, 5);
  EXPECT_EQ(manifest->expires_us, 6);
  EXPECT_EQ(manifest->minimum_version->text(), "1.2.0");
  EXPECT_EQ(manifest->notes, "notes");
}

TEST_F(DescribeTest, TakesModesWithoutSetIdBits) {
  folder_.write("a", "a");
  folder_.write("b", "b");
  ASSERT_EQ(::chmod((folder_.path() / "a").c_str(), 0640), 0);
  ASSERT_EQ(::chmod((folder_.path() / "b").c_str(), 06755), 0);
  const auto manifest = describe_release(*folder_.open(), description_);
  ASSERT_TRUE(manifest);
  EXPECT_EQ(manifest->files[0].mode, 0640U);
  EXPECT_EQ(manifest->files[1].mode, 0755U);
}

TEST_F(DescribeTest, RefusesAnEmptyFolder) {
  expect_refused(ErrorCode::failed, "no file");
  folder_.write("release.json", "{}");
  folder_.write("release.json.minisig", "");
  expect_refused(ErrorCode::failed, "no file");
}

TEST_F(DescribeTest, RefusesEverythingButRegularFiles) {
  folder_.write("a", "a");
  const fs::path path = folder_.path() / "other";
  fs::create_directory(path);
  expect_refused(ErrorCode::failed, "'other' is not a regular file");
  fs::remove(path);
  fs::create_symlink("a", path);
  expect_refused(ErrorCode::failed, "'other' is not a regular file");
  fs::remove(path);
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  expect_refused(ErrorCode::failed, "'other' is not a regular file");
}

TEST_F(DescribeTest, RefusesNamesThatNoManifestMayHold) {
  for (const std::string name : {"a\nb", "\x1b[1m", "\xff", "a\u202eb"}) {
    folder_.write(name, "x");
    expect_refused(ErrorCode::failed, quote(name));
    fs::remove(folder_.path() / name);
  }
}

TEST_F(DescribeTest, NoticesAFileThatGrowsWhileItIsRead) {
  folder_.write("a", std::string(2'000'000, 'a'));
  Observer observer;
  observer.after_read = [&](const std::string&) {
    const auto size = fs::file_size(folder_.path() / "a");
    if (size < 20'000'000) fs::resize_file(folder_.path() / "a", size + (1U << 20));
  };
  ObservedFolder folder(folder_.open(), observer);
  const auto manifest = describe_release(folder, description_);
  ASSERT_FALSE(manifest);
  EXPECT_EQ(manifest.error().code(), ErrorCode::not_trusted);
  EXPECT_NE(manifest.error().message().find("changed"), std::string::npos);
  EXPECT_LT(observer.bytes_read, 5'000'000U);  // it does not run after an endless file
}

// The writer puts size and mtime back; the ctime it cannot.
TEST_F(DescribeTest, NoticesAFileThatIsRewrittenInSecret) {
  folder_.write("a", "before");
  Observer observer;
  bool done = false;
  observer.after_read = [&](const std::string&) {
    if (std::exchange(done, true)) return;
    const fs::path path = folder_.path() / "a";
    const auto time = fs::last_write_time(path);
    struct stat before {};
    ASSERT_EQ(::stat(path.c_str(), &before), 0);
    struct stat after = before;
    // The kernel's clock for files ticks in milliseconds: written again until it has gone on.
    while (after.st_ctim.tv_nsec == before.st_ctim.tv_nsec) {
      folder_.write("a", "behind");
      fs::last_write_time(path, time);
      ASSERT_EQ(::stat(path.c_str(), &after), 0);
    }
  };
  ObservedFolder folder(folder_.open(), observer);
  const auto manifest = describe_release(folder, description_);
  ASSERT_FALSE(manifest);
  EXPECT_EQ(manifest.error().code(), ErrorCode::not_trusted);
}

TEST_F(DescribeTest, DescribesNothingThatNobodyCouldInstall) {
  folder_.write("a", "a");
  description_.product = "";
  expect_refused(ErrorCode::failed, "product");
  description_.product = "b\xff";
  expect_refused(ErrorCode::failed, "UTF-8");
  description_.product = "banger";
  description_.notes = "\xff";
  expect_refused(ErrorCode::failed, "UTF-8");
  description_.notes = std::string(70'000, 'n');
  expect_refused(ErrorCode::failed, "notes");
  description_.notes = "";
  for (std::size_t at = 0; at < kManifestFilesLimit; ++at)
    folder_.write("f" + std::to_string(at), "");
  expect_refused(ErrorCode::failed, "files");
}

}  // namespace
}  // namespace update
