#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "tests/engine/os/error_of.hpp"
#include "tests/engine/os/temporary_folder.hpp"

namespace update::os {
namespace {

constexpr FileTime kYear2200{7258118400, 123456789};
constexpr FileTime kYear1905{-2051222400, 987654321};

class FolderMetadata : public testing::Test {
 protected:
  struct stat status_of(const std::string& name) {
    struct stat status {};
    EXPECT_EQ(::lstat(temporary_.path(name).c_str(), &status), 0) << name;
    return status;
  }

  TemporaryFolder temporary_;
  std::unique_ptr<Folder> folder_ = temporary_.open();
};

TEST_F(FolderMetadata, ALinkIsMadeAsItIsToldAndTakesNoName) {
  ASSERT_TRUE(folder_->create_link("link", "../no where/\n"));
  EXPECT_EQ(folder_->read_link("link").value(), "../no where/\n");
  EXPECT_EQ(error_of(folder_->create_link("link", "x")).system_errno(), EEXIST);
  EXPECT_EQ(error_of(folder_->create_link("a/b", "x")).system_errno(), EINVAL);
  EXPECT_EQ(error_of(folder_->create_link("nul", std::string("a\0b", 3))).system_errno(), EINVAL);
  EXPECT_EQ(folder_->list().value(), std::vector<std::string>{"link"});
}

TEST_F(FolderMetadata, TimesReachFurtherThanNanosecondsIn64Bits) {
  ASSERT_TRUE(folder_->create_link("link", "file"));
  const auto file = folder_->create_file("file", 0600).value();
  const auto below = folder_->create_folder("folder", 0700).value();
  ASSERT_TRUE(file->set_both_times({13569465600, 5}, kYear1905));  // the year 2400
  ASSERT_TRUE(below->set_both_times(kYear2200, kYear1905));
  ASSERT_TRUE(folder_->set_times_of("link", kYear1905, kYear2200));
  EXPECT_EQ(file->info().value().modified, (FileTime{13569465600, 5}));
  EXPECT_EQ(file->info().value().accessed, kYear1905);
  EXPECT_EQ(below->info().value().modified, kYear2200);
  EXPECT_EQ(folder_->lookup("link").value()->modified, kYear1905);
  EXPECT_EQ(status_of("link").st_atim.tv_sec, kYear2200.seconds);
  EXPECT_GT(folder_->lookup("link").value()->changed.seconds, 1'700'000'000);
}

TEST_F(FolderMetadata, NanosecondsThatMeanNowOrNeverAreRefused) {
  const auto file = folder_->create_file("file", 0600).value();
  for (const long number : {UTIME_NOW, UTIME_OMIT}) {
    const auto special = static_cast<std::uint32_t>(number);
    EXPECT_EQ(error_of(file->set_both_times({1, special}, {1, 0})).system_errno(), EINVAL);
    EXPECT_EQ(error_of(file->set_both_times({1, 0}, {1, special})).system_errno(), EINVAL);
  }
}

TEST_F(FolderMetadata, TheModeOfAFolderIsSetWhatever) {
  const auto below = folder_->create_folder("folder", 0700).value();
  ASSERT_TRUE(below->set_mode(03751));
  EXPECT_EQ(status_of("folder").st_mode & 07777U, 03751U);
}

TEST_F(FolderMetadata, OwnersOfFoldersAndLinks) {
  if (::geteuid() != 0) GTEST_SKIP() << "owners need root";
  std::ofstream(temporary_.path("file")) << "x";
  ASSERT_TRUE(folder_->create_link("link", "file"));
  const auto below = folder_->create_folder("folder", 0700).value();
  ASSERT_TRUE(below->set_owner(12, 34));
  ASSERT_TRUE(folder_->set_owner_of("link", 56, 78));
  EXPECT_EQ(status_of("folder").st_uid, 12U);
  EXPECT_EQ(status_of("folder").st_gid, 34U);
  EXPECT_EQ(status_of("link").st_uid, 56U);
  EXPECT_EQ(status_of("link").st_gid, 78U);
  EXPECT_EQ(status_of("file").st_uid, 0U) << "the link was not followed";
  EXPECT_EQ(error_of(below->set_owner(UINT32_MAX, 0)).system_errno(), EINVAL);
}

TEST_F(FolderMetadata, AttributesOfAFolder) {
  const auto below = folder_->create_folder("folder", 0700).value();
  EXPECT_EQ(below->attributes().value(), Attributes{});
  if (const auto set = below->set_attribute("user.x", std::string("a\0b", 3)); !set) {
    GTEST_SKIP() << "the file system has no attributes for users: " << set.error().message();
  }
  EXPECT_EQ(below->attributes().value(), (Attributes{{"user.x", std::string("a\0b", 3)}}));
  EXPECT_EQ(folder_->attributes_of("folder").value(), below->attributes().value());
  ASSERT_TRUE(folder_->set_attribute_of("folder", "user.y", ""));
  EXPECT_EQ(below->attributes().value().count("user.y"), 1U);
  EXPECT_FALSE(folder_->attributes_of("absent"));
}

TEST_F(FolderMetadata, AttributesOfALinkAreNotThoseOfItsTarget) {
  const auto file = folder_->create_file("file", 0600).value();
  if (!file->set_attribute("user.x", "y")) GTEST_SKIP() << "no attributes for users here";
  ASSERT_TRUE(folder_->create_link("link", "file"));
  EXPECT_EQ(folder_->attributes_of("link").value(), Attributes{});
  EXPECT_EQ(error_of(folder_->set_attribute_of("link", "user.x", "z")).system_errno(), EPERM)
      << "links have none for users";
  EXPECT_EQ(file->attributes().value(), (Attributes{{"user.x", "y"}}));
  if (::geteuid() != 0) return;
  ASSERT_TRUE(folder_->set_attribute_of("link", "trusted.x", "z"));
  EXPECT_EQ(folder_->attributes_of("link").value(), (Attributes{{"trusted.x", "z"}}));
}

TEST_F(FolderMetadata, TellsDevicesSocketsAndPipesApart) {
  ASSERT_EQ(::mkfifo(temporary_.path("pipe").c_str(), 0600), 0);
  ASSERT_EQ(::mknod(temporary_.path("socket").c_str(), S_IFSOCK | 0600, 0), 0);
  const auto special = [&](const std::string& name) {
    const FileInfo info = folder_->lookup(name).value().value();
    EXPECT_EQ(info.type, FileType::other);
    return info.special;
  };
  EXPECT_EQ(special("pipe"), SpecialType::pipe);
  EXPECT_EQ(special("socket"), SpecialType::socket);
  const auto devices = LinuxFileSystem().open_folder("/dev").value();
  EXPECT_EQ(devices->lookup("null").value()->special, SpecialType::device);
  EXPECT_EQ(folder_->info().value().special, SpecialType::none);
}

TEST_F(FolderMetadata, AFileSystemIsSyncedAsAWhole) {
  EXPECT_TRUE(folder_->sync_all());
}

}  // namespace
}  // namespace update::os
