#include "engine/image/file/clone_file.hpp"

#include "engine/os/filesystem_linux.hpp"
#include "tests/engine/installation/scratch_folder.hpp"
#include "tests/fake/fake_filesystem.hpp"
#include "tests/fake/fake_system.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace update {
namespace {

using Verb = FakeCall::Verb;

/// A system of these files, whatever else it needs.
struct SystemOf {
  explicit SystemOf(os::FileSystem& files)
      : system{files,     fake.processes, fake.services,    fake.clock,
               fake.host, fake.stop,      fake.confinement, fake.table} {}
  FakeSystem fake;
  os::System system;
};

Status clone_on(os::FileSystem& files, const std::string& source, const std::string& target) {
  return clone_file(SystemOf(files).system, source, target);
}

class CloneFile : public testing::Test {
 protected:
  Status clone(std::string_view source, std::string_view target) {
    return clone_on(files_, scratch_ / source, scratch_ / target);
  }
  struct stat status_of(std::string_view name) {
    struct stat status {};
    EXPECT_EQ(stat((scratch_ / name).c_str(), &status), 0) << name;
    return status;
  }

  ScratchFolder scratch_;
  os::LinuxFileSystem files_;
};

TEST_F(CloneFile, CopiesBytesAndPermissionBitsWhateverTheUmask) {
  std::string bytes;
  for (int at = 0; bytes.size() < 3'000'001; ++at) bytes += std::to_string(at);
  scratch_.put("source", bytes);
  const mode_t old_umask = umask(0077);
  for (const mode_t mode : {0755U, 0666U, 0400U, 0000U}) {
    if (geteuid() != 0 && (mode & 0400U) == 0) continue;
    ASSERT_EQ(chmod((scratch_ / "source").c_str(), mode), 0);
    EXPECT_TRUE(clone("source", "target"));
    EXPECT_EQ(status_of("target").st_mode & 07777U, mode);
    EXPECT_EQ(scratch_.read("target"), bytes);
    std::filesystem::remove(scratch_ / "target");
  }
  umask(old_umask);
}

TEST_F(CloneFile, SetIdBitsAreNotPermissionBits) {
  scratch_.put("source", "x");
  ASSERT_EQ(chmod((scratch_ / "source").c_str(), 06755), 0);
  ASSERT_TRUE(clone("source", "target"));
  EXPECT_EQ(status_of("target").st_mode & 07777U, 0755U);
}

TEST_F(CloneFile, TheMaskOfAnAccessListBecomesNoRightOfTheGroup) {
  scratch_.put("source", "x");
  ASSERT_EQ(chmod((scratch_ / "source").c_str(), 0600), 0);
  // Version 2; owner rw-, user 65534 rw-, group ---, mask rw-, others ---.
  const std::string list(
      "\2\0\0\0"
      "\1\0\6\0\xFF\xFF\xFF\xFF\2\0\6\0\xFE\xFF\0\0"
      "\4\0\0\0\xFF\xFF\xFF\xFF\20\0\6\0\xFF\xFF\xFF\xFF"
      "\40\0\0\0\xFF\xFF\xFF\xFF",
      44);
  if (setxattr((scratch_ / "source").c_str(), "system.posix_acl_access", list.data(), list.size(),
               0) != 0) {
    GTEST_SKIP() << "the file system has no access lists";
  }
  ASSERT_EQ(status_of("source").st_mode & 07777U, 0660U);
  ASSERT_TRUE(clone("source", "target"));
  EXPECT_EQ(status_of("target").st_mode & 07777U, 0600U);
}

TEST_F(CloneFile, WhatTheKernelShowsAndDoesNotMeasureIsNotCopiedAsNothing) {
  const Status cloned = clone_on(files_, "/proc/version", scratch_ / "target");
  ASSERT_FALSE(cloned);
  EXPECT_EQ(cloned.error().code(), ErrorCode::failed);
  EXPECT_NE(cloned.error().message().find("more bytes than it says"), std::string::npos);
  EXPECT_EQ(scratch_.count(), 0);
}

TEST_F(CloneFile, AnEmptyFileIsCopied) {
  scratch_.put("source", "");
  ASSERT_TRUE(clone("source", "target"));
  EXPECT_EQ(status_of("target").st_size, 0);
}

TEST_F(CloneFile, HolesStayHoles) {
  scratch_.put("source", "begin");
  constexpr off_t kSize = off_t{1} << 30;
  {
    const int fd = open((scratch_ / "source").c_str(), O_WRONLY | O_CLOEXEC);
    ASSERT_EQ(pwrite(fd, "middle", 6, kSize / 2), 6);
    ASSERT_EQ(ftruncate(fd, kSize), 0);
    close(fd);
  }
  ASSERT_TRUE(clone("source", "target"));
  const struct stat target = status_of("target");
  EXPECT_EQ(target.st_size, kSize);
  EXPECT_LE(target.st_blocks, status_of("source").st_blocks + 64);
  const int fd = open((scratch_ / "target").c_str(), O_RDONLY | O_CLOEXEC);
  char bytes[8] = {};
  EXPECT_EQ(pread(fd, bytes, 6, kSize / 2), 6);
  EXPECT_STREQ(bytes, "middle");
  EXPECT_EQ(pread(fd, bytes, 5, 0), 5);
  EXPECT_EQ(std::string_view(bytes, 5), "begin");
  close(fd);
}

TEST_F(CloneFile, ATargetThatExistsIsLeftAlone) {
  scratch_.put("source", "new");
  scratch_.put("target", "old");
  std::filesystem::create_symlink("absent", scratch_ / "link");
  for (const std::string_view target : {"target", "link", "source"}) {
    const Status cloned = clone("source", target);
    ASSERT_FALSE(cloned) << target;
    EXPECT_EQ(cloned.error().system_errno(), EEXIST) << target;
  }
  EXPECT_EQ(scratch_.read("target"), "old");
  EXPECT_EQ(scratch_.read("source"), "new");
  EXPECT_FALSE(scratch_.has("absent"));
}

TEST_F(CloneFile, AMissingOrStrangeSourceLeavesNoTarget) {
  std::filesystem::create_directory(scratch_ / "folder");
  ASSERT_EQ(mkfifo((scratch_ / "pipe").c_str(), 0600), 0);
  const Status missing = clone("absent", "target");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().system_errno(), ENOENT);
  EXPECT_NE(missing.error().message().find(scratch_ / "absent"), std::string::npos);
  EXPECT_FALSE(clone("folder", "target"));
  EXPECT_FALSE(clone("pipe", "target"));
  EXPECT_FALSE(scratch_.has("target"));
}

TEST_F(CloneFile, ALinkAsTheSourceIsFollowed) {
  scratch_.put("source", "bytes");
  std::filesystem::create_directory(scratch_ / "folder");
  std::filesystem::create_symlink("../source", scratch_ / "folder/relative");
  std::filesystem::create_symlink(scratch_ / "folder/relative", scratch_ / "absolute");
  std::filesystem::create_symlink("loop", scratch_ / "loop");
  ASSERT_TRUE(clone("absolute", "target"));
  EXPECT_EQ(scratch_.read("target"), "bytes");
  EXPECT_TRUE(
      std::filesystem::is_regular_file(std::filesystem::symlink_status(scratch_ / "target")));
  const Status loop = clone("loop", "other");
  ASSERT_FALSE(loop);
  EXPECT_EQ(loop.error().system_errno(), ELOOP);
}

TEST_F(CloneFile, APathThatNamesNoFileIsAUsageError) {
  scratch_.put("source", "bytes");
  for (const std::string_view target : {"", ".", "..", "target/"}) {
    const Status cloned = clone("source", target);
    ASSERT_FALSE(cloned) << target;
    EXPECT_EQ(cloned.error().code(), ErrorCode::usage) << target;
  }
  EXPECT_FALSE(clone_on(files_, "", scratch_ / "target"));
  EXPECT_EQ(scratch_.count(), 1);
}

TEST_F(CloneFile, ARelativePathIsTakenFromTheWorkingFolder) {
  scratch_.put("source", "bytes");
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(scratch_.path());
  const Status cloned = clone_on(files_, "source", "target");
  std::filesystem::current_path(before);
  ASSERT_TRUE(cloned);
  EXPECT_EQ(scratch_.read("target"), "bytes");
}

// What cannot be had from every real file system.
class CloneFileOnFake : public testing::Test {
 protected:
  CloneFileOnFake() { disk_.put_file("/a/source", bytes_, 0750); }
  Status clone() { return clone_on(disk_, "/a/source", "/b/target"); }

  std::string bytes_ = std::string(2'500'000, 'x') + "end";
  FakeFileSystem disk_;
};

TEST_F(CloneFileOnFake, TheFileIsSyncedThenNamedThenItsFolderIsSynced) {
  disk_.make_folder("/b");
  ASSERT_TRUE(clone());
  std::vector<Verb> last;
  for (const FakeCall& call : disk_.calls()) last.push_back(call.verb);
  ASSERT_GE(last.size(), 4U);
  last.erase(last.begin(), last.end() - 4);
  EXPECT_EQ(last,
            (std::vector<Verb>{Verb::sync_file, Verb::link, Verb::unlink, Verb::sync_folder}));
  disk_.lose(LossPattern::keep_nothing());
  EXPECT_EQ(disk_.read("/b/target"), bytes_);
  EXPECT_EQ(disk_.info("/b/target")->mode, 0750U);
}

TEST_F(CloneFileOnFake, BlocksAreSharedWhereTheFileSystemCan) {
  disk_.make_folder("/b");
  disk_.device("/").clones = true;
  ASSERT_TRUE(clone());
  EXPECT_EQ(disk_.count(Verb::clone), 1U);
  EXPECT_EQ(disk_.count(Verb::copy) + disk_.count(Verb::write), 0U);
  EXPECT_EQ(disk_.read("/b/target"), bytes_);
}

TEST_F(CloneFileOnFake, TheKernelCopiesWhereItCanAndThisProgramWhereItCannot) {
  disk_.make_folder("/b");
  disk_.device("/").copy_chunk = 1'000'000;
  ASSERT_TRUE(clone());
  EXPECT_EQ(disk_.count(Verb::write), 0U);
  EXPECT_EQ(disk_.read("/b/target"), bytes_);
  disk_.remove("/b/target");
  disk_.device("/").kernel_copies = false;
  ASSERT_TRUE(clone());
  EXPECT_GT(disk_.count(Verb::write), 0U);
  EXPECT_EQ(disk_.read("/b/target"), bytes_);
}

TEST_F(CloneFileOnFake, AnyFailureLeavesNoTarget) {
  disk_.make_folder("/b");
  disk_.device("/").kernel_copies = false;
  const FakeDisk before = disk_.disk();
  ASSERT_TRUE(clone());
  const std::uint64_t calls = disk_.call_count();
  for (std::uint64_t call = 1; call <= calls; ++call) {
    FakeFileSystem disk(before);
    disk.fail_at(call, EIO);
    const Status cloned = clone_on(disk, "/a/source", "/b/target");
    ASSERT_FALSE(cloned) << call;
    EXPECT_EQ(cloned.error().system_errno(), EIO) << call;
    EXPECT_FALSE(disk.exists("/b/target")) << call;
    EXPECT_EQ(disk.open_handles(), 0U) << call;
  }
}

TEST_F(CloneFileOnFake, AKillAtAnyCallLeavesNoTargetOrAllOfItAndNothingOnceItIsRunAgain) {
  disk_.make_folder("/b");
  for (const int link_error : {0, EPERM}) {
    disk_.device("/").link_error = link_error;
    FakeFileSystem counted(disk_.disk());
    ASSERT_TRUE(clone_on(counted, "/a/source", "/b/target"));
    EXPECT_EQ(counted.read("/b/target"), bytes_);
    for (std::uint64_t call = 1; call <= counted.call_count(); ++call) {
      SCOPED_TRACE(counted.lines()[call - 1]);
      FakeFileSystem stopping(disk_.disk());
      stopping.stop_at(call, When::after);
      EXPECT_THROW(static_cast<void>(clone_on(stopping, "/a/source", "/b/target")), PowerCut);
      stopping.kill();
      if (stopping.exists("/b/target")) {
        EXPECT_EQ(stopping.read("/b/target"), bytes_);
        continue;
      }
      EXPECT_TRUE(clone_on(stopping, "/a/source", "/b/target"));
      EXPECT_EQ(stopping.list_all(),
                (std::vector<std::string>{"/a", "/a/source", "/b", "/b/target"}));
    }
  }
}

TEST_F(CloneFileOnFake, ATargetThatIsMadeMeanwhileIsLeftAlone) {
  disk_.make_folder("/b");
  for (const int link_error : {0, EPERM}) {
    FakeFileSystem disk(disk_.disk());
    disk.device("/").link_error = link_error;
    disk.after_call(2, [&disk] { disk.put_file("/b/target", "another's"); });
    const Status cloned = clone_on(disk, "/a/source", "/b/target");
    ASSERT_FALSE(cloned);
    EXPECT_EQ(cloned.error().system_errno(), EEXIST);
    EXPECT_EQ(disk.read("/b/target"), "another's");
  }
}

TEST_F(CloneFileOnFake, AStopIsHeededWithinTheFile) {
  disk_.make_folder("/b");
  disk_.device("/").copy_chunk = 1'000'000;
  SystemOf on(disk_);
  disk_.after_call(3, [&on] { on.fake.stop.send(os::StopRequest::Signal::interrupt); });
  const Status cloned = clone_file(on.system, "/a/source", "/b/target");
  ASSERT_FALSE(cloned);
  EXPECT_EQ(cloned.error().code(), ErrorCode::interrupted);
  EXPECT_EQ(disk_.list_all(), (std::vector<std::string>{"/a", "/a/source", "/b"}));
}

TEST_F(CloneFileOnFake, AFullDiskIsToldAsSuchAndLeavesNoTarget) {
  disk_.mount("/b").free_bytes = 1'000'000;
  const Status cloned = clone();
  ASSERT_FALSE(cloned);
  EXPECT_EQ(cloned.error().code(), ErrorCode::no_space);
  EXPECT_FALSE(disk_.exists("/b/target"));
}

TEST_F(CloneFileOnFake, ASourceThatBecomesShorterMeanwhileIsAnError) {
  disk_.make_folder("/b");
  for (const bool kernel_copies : {true, false}) {
    FakeFileSystem disk(disk_.disk());
    disk.device("/").kernel_copies = kernel_copies;
    disk.device("/").copy_chunk = 1'000'000;
    // The first two make the target, the third writes the first part of it.
    disk.after_call(3, [&disk] { disk.overwrite("/a/source", "short"); });
    EXPECT_FALSE(clone_on(disk, "/a/source", "/b/target")) << kernel_copies;
    EXPECT_FALSE(disk.exists("/b/target"));
  }
}

}  // namespace
}  // namespace update
