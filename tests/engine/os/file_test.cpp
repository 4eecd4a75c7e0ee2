#include "engine/os/file_linux.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <vector>

#include "tests/engine/os/error_of.hpp"
#include "tests/engine/os/temporary_folder.hpp"

namespace update::os {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

class OpenFile : public testing::Test {
 protected:
  std::unique_ptr<File> create(const std::string& name, const std::string& text = "") {
    auto file = folder_->create_file(name, 0644).value();
    EXPECT_TRUE(file->write_at(bytes_of(text), 0));
    return file;
  }
  static std::string read_all(File& file) {
    std::string text(file.info().value().identity.size, '\0');
    EXPECT_EQ(file.read_at(std::as_writable_bytes(std::span(text)), 0).value(), text.size());
    return text;
  }
  std::uint64_t blocks_of(const std::string& name) {
    struct stat status {};
    ::stat(temporary_.path(name).c_str(), &status);
    return static_cast<std::uint64_t>(status.st_blocks) * 512;
  }

  TemporaryFolder temporary_;
  std::unique_ptr<Folder> folder_ = temporary_.open();
};

TEST_F(OpenFile, IsReadAndWrittenWhereOneSays) {
  const auto file = create("file", "0123456789");
  ASSERT_TRUE(file->write_at(bytes_of("AB"), 4));
  std::string text(5, '?');
  EXPECT_EQ(file->read_at(std::as_writable_bytes(std::span(text)), 3).value(), 5U);
  EXPECT_EQ(text, "3AB67");
}

TEST_F(OpenFile, IsReadShortOnlyAtItsEnd) {
  const auto file = create("file", "abc");
  std::string text(8, '?');
  EXPECT_EQ(file->read_at(std::as_writable_bytes(std::span(text)), 1).value(), 2U);
  EXPECT_EQ(text, "bc??????");
  EXPECT_EQ(file->read_at(std::as_writable_bytes(std::span(text)), 3).value(), 0U);
}

TEST_F(OpenFile, WritingWhatIsOpenForReadingNamesFileAndReason) {
  create("file", "abc");
  const auto file = folder_->open_file("file").value();
  const auto status = file->write_at(bytes_of("x"), 0);
  ASSERT_FALSE(status);
  EXPECT_EQ(error_of(status).system_errno(), EBADF);
  EXPECT_NE(error_of(status).message().find(temporary_.path("file")), std::string::npos);
}

TEST_F(OpenFile, AnOffsetThatNoFileHasIsAnError) {
  const auto file = create("file", "abc");
  std::string text(1, '?');
  EXPECT_FALSE(file->read_at(std::as_writable_bytes(std::span(text)), UINT64_MAX - 8));
  EXPECT_FALSE(file->write_at(bytes_of("x"), UINT64_MAX - 8));
  EXPECT_FALSE(file->truncate(UINT64_MAX));
  EXPECT_FALSE(file->reserve(UINT64_MAX));
}

TEST_F(OpenFile, InfoTellsWhatStatTells) {
  const auto file = create("file", "abc");
  const FileInfo info = file->info().value();
  struct stat status {};
  ASSERT_EQ(::stat(temporary_.path("file").c_str(), &status), 0);
  EXPECT_EQ(info.type, FileType::regular);
  EXPECT_EQ(info.identity.device, status.st_dev);
  EXPECT_EQ(info.identity.inode, status.st_ino);
  EXPECT_EQ(info.identity.size, 3U);
  EXPECT_EQ(info.identity.mtime_ns, status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec);
  EXPECT_EQ(info.ctime_ns, status.st_ctim.tv_sec * 1'000'000'000 + status.st_ctim.tv_nsec);
  EXPECT_EQ(info.mode, 0644U);
  EXPECT_EQ(info.uid, ::geteuid());
  EXPECT_EQ(info.gid, status.st_gid);
  EXPECT_EQ(info.links, 1U);
}

TEST_F(OpenFile, CloningSharesAllOrWritesNothing) {
  const auto source = create("source", std::string(100'000, 's'));
  const auto target = create("target");
  const auto cloned = target->clone_from(*source);
  ASSERT_TRUE(cloned) << cloned.error().message();
  EXPECT_EQ(read_all(*target), *cloned ? std::string(100'000, 's') : "");
}

TEST_F(OpenFile, CloningIntoWhatIsOpenForReadingIsAnError) {
  const auto source = create("source", "s");
  create("target");
  const auto target = folder_->open_file("target").value();
  EXPECT_EQ(error_of(target->clone_from(*source)).system_errno(), EBADF);
}

TEST_F(OpenFile, AnotherFileSystemCannotShareBlocks) {
  if (!std::filesystem::is_directory("/dev/shm") || ::access("/dev/shm", W_OK) != 0) {
    GTEST_SKIP() << "needs a second file system";
  }
  const auto source = create("source", "s");
  const auto shm = LinuxFileSystem().open_folder("/dev/shm").value();
  const std::string name = "os_test." + std::to_string(::getpid());
  const auto target = shm->create_file(name, 0600).value();
  EXPECT_TRUE(shm->unlink(name).value());
  EXPECT_EQ(target->clone_from(*source).value(), false);
  const auto copied = target->copy_from(*source, 0, 0, 1);
  ASSERT_TRUE(copied) << copied.error().message();
}

TEST_F(OpenFile, TheKernelCopiesARangeToAnOffset) {
  const auto source = create("source", "0123456789");
  const auto target = create("target", "----------");
  const auto copied = target->copy_from(*source, 4, 2, 3).value();
  if (!copied) GTEST_SKIP() << "the file system cannot";
  EXPECT_EQ(copied, 3U);
  EXPECT_EQ(read_all(*target), "--456-----");
  EXPECT_EQ(target->copy_from(*source, 10, 10, 5).value(), 0U);
}

TEST_F(OpenFile, ARangeIsSharedOrNothingIsWritten) {
  const std::string blocks = std::string(4096, 'a') + std::string(4096, 'b');
  const auto source = create("source", blocks);
  const auto target = create("target", "old");
  const bool shared = target->clone_range(*source, 4096, 8192, 4096).value();
  EXPECT_EQ(target->info().value().identity.size, shared ? 12288U : 3U);
  EXPECT_EQ(target->clone_range(*source, 1, 8192, 4096).value(), false) << "no whole blocks";
  EXPECT_EQ(target->clone_range(*source, 0, 0, 0).value(), true) << "nothing is to be shared";
  EXPECT_EQ(target->info().value().identity.size, shared ? 12288U : 3U);
}

TEST_F(OpenFile, WhatTheKernelCannotCopyIsNoError) {
  const auto file = create("file", "0123456789");
  // copy_file_range(2): ranges that overlap in one file are EINVAL.
  EXPECT_EQ(file->copy_from(*file, 0, 0, 10).value(), std::nullopt);
}

TEST_F(OpenFile, CopyingIntoWhatIsOpenForReadingIsAnError) {
  const auto source = create("source", "s");
  create("target");
  const auto target = folder_->open_file("target").value();
  EXPECT_EQ(error_of(target->copy_from(*source, 0, 0, 1)).system_errno(), EBADF);
}

TEST_F(OpenFile, DataIsFoundBetweenHoles) {
  constexpr std::uint64_t kMiB = 1U << 20;
  const auto file = create("file");
  ASSERT_TRUE(file->truncate(8 * kMiB));
  EXPECT_FALSE(file->next_data(0).value()) << "nothing but a hole";
  const std::string block(65536, 'd');
  ASSERT_TRUE(file->write_at(bytes_of(block), 2 * kMiB));
  const auto data = file->next_data(0).value();
  ASSERT_TRUE(data);
  EXPECT_EQ(data->begin, 2 * kMiB);
  EXPECT_EQ(data->end, 2 * kMiB + block.size());
  EXPECT_FALSE(file->next_data(data->end).value());
  EXPECT_FALSE(file->next_data(9 * kMiB).value()) << "after the end";
}

TEST_F(OpenFile, TruncateSetsTheSizeBothWays) {
  const auto file = create("file", "abcdef");
  ASSERT_TRUE(file->truncate(2));
  EXPECT_EQ(read_all(*file), "ab");
  ASSERT_TRUE(file->truncate(4));
  EXPECT_EQ(read_all(*file), std::string("ab\0\0", 4));
}

TEST_F(OpenFile, ReservedBlocksChangeNothingThatIsRead) {
  const auto file = create("file", "abc");
  ASSERT_TRUE(file->reserve(4U << 20));
  EXPECT_EQ(read_all(*file), "abc");
  EXPECT_GE(blocks_of("file"), 4U << 20);
  EXPECT_TRUE(file->reserve(0));
}

TEST_F(OpenFile, AHintToWriteBackHarmsNothing) {
  const auto file = create("file", "abc");
  file->start_writeback(0, 3);
  file->start_writeback(UINT64_MAX, UINT64_MAX);
  EXPECT_EQ(read_all(*file), "abc");
  EXPECT_TRUE(file->sync());
}

TEST_F(OpenFile, ModeIsSetWithItsSetIdBits) {
  const auto file = create("file");
  ASSERT_TRUE(file->set_mode(04751));
  EXPECT_EQ(file->info().value().mode, 04751U);
}

TEST_F(OpenFile, OwnerIsSet) {
  const auto file = create("file");
  const std::uint32_t uid = ::geteuid() == 0 ? 4711 : ::geteuid();
  const std::uint32_t gid = ::geteuid() == 0 ? 4712 : ::getegid();
  ASSERT_TRUE(file->set_owner(uid, gid));
  EXPECT_EQ(file->info().value().uid, uid);
  EXPECT_EQ(file->info().value().gid, gid);
}

TEST_F(OpenFile, TheOwnerThatMeansNoChangeIsRefused) {
  const auto file = create("file");
  EXPECT_EQ(error_of(file->set_owner(UINT32_MAX, ::getegid())).system_errno(), EINVAL);
  EXPECT_EQ(error_of(file->set_owner(::geteuid(), UINT32_MAX)).system_errno(), EINVAL);
}

TEST_F(OpenFile, TimesAreSetToTheNanosecondAlsoBefore1970) {
  const auto file = create("file");
  for (const std::int64_t time : {std::int64_t{1'234'567'890'123'456'789}, std::int64_t{-1}}) {
    ASSERT_TRUE(file->set_times(time));
    EXPECT_EQ(file->info().value().identity.mtime_ns, time);
  }
}

TEST_F(OpenFile, AttributesAreReadSetAndRemoved) {
  const auto file = create("file");
  const std::string value("a\0b\n", 4);
  const auto set = file->set_attribute("user.one", value);
  if (!set && set.error().system_errno() == ENOTSUP) GTEST_SKIP() << "no user attributes here";
  ASSERT_TRUE(set) << set.error().message();
  ASSERT_TRUE(file->set_attribute("user.two", ""));
  Attributes found = file->attributes().value();
  EXPECT_EQ(found["user.one"], value);
  EXPECT_EQ(found.count("user.two"), 1U);
  ASSERT_TRUE(file->remove_attribute("user.one"));
  EXPECT_EQ(file->attributes().value().count("user.one"), 0U);
  EXPECT_TRUE(file->remove_attribute("user.one")) << "it is absent, as it should be";
}

TEST_F(OpenFile, ANameOfAnAttributeIsNotCutShort) {
  const auto file = create("file");
  const std::string name("user.one\0rest", 13);
  EXPECT_EQ(error_of(file->set_attribute(name, "x")).system_errno(), EINVAL);
  EXPECT_EQ(error_of(file->remove_attribute(name)).system_errno(), EINVAL);
}

TEST_F(OpenFile, AFileSystemWithoutAttributesHasNone) {
  const auto proc = LinuxFileSystem().open_folder("/proc/self").value();
  EXPECT_EQ(proc->open_file("stat").value()->attributes().value(), Attributes{});
}

TEST_F(OpenFile, OneAtATimeHoldsTheLock) {
  auto first = create("lock");
  const auto second = folder_->open_file_for_update("lock").value();
  EXPECT_TRUE(first->try_lock().value());
  EXPECT_FALSE(second->try_lock().value());
  first.reset();
  EXPECT_TRUE(second->try_lock().value());
}

// F4: a stale lock stops nobody.
TEST_F(OpenFile, TheLockOfAProcessThatWasKilledIsFree) {
  create("lock");
  std::array<int, 2> ready{};
  ASSERT_EQ(::pipe(ready.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto file = folder_->open_file_for_update("lock").value();
    const char locked = file->try_lock().value() ? 'y' : 'n';
    if (::write(ready[1], &locked, 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char locked = '?';
  ASSERT_EQ(::read(ready[0], &locked, 1), 1);
  EXPECT_EQ(locked, 'y');
  const auto file = folder_->open_file_for_update("lock").value();
  EXPECT_FALSE(file->try_lock().value());
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(file->try_lock().value());
  for (const int fd : ready) ::close(fd);
}

}  // namespace
}  // namespace update::os
