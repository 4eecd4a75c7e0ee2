#include "engine/installation/atomic_replace.hpp"

#include "engine/os/filesystem_linux.hpp"
#include "tests/engine/installation/scratch_folder.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <thread>

namespace update {
namespace {

// The six cases that the original tested, and what is better here, on a real file system.
class AtomicReplace : public testing::Test {
 protected:
  AbsolutePath path(std::string_view name) { return AbsolutePath::parse(scratch_ / name).value(); }
  Status replace(std::string_view source, std::string_view suffix = ".previous") {
    return atomic_replace(files_, path(source), path("dst"), suffix);
  }
  Status undo(std::string_view suffix = ".previous") {
    return undo_atomic_replace(files_, path("dst"), suffix);
  }
  ino_t inode(std::string_view name) {
    struct stat status {};
    EXPECT_EQ(lstat((scratch_ / name).c_str(), &status), 0) << name;
    return status.st_ino;
  }

  ScratchFolder scratch_;
  os::LinuxFileSystem files_;
};

TEST_F(AtomicReplace, KeepsTheOldFileAndPutsTheNewOneInPlace) {
  scratch_.put("dst", "old");
  scratch_.put("new", "new");
  const ino_t old_inode = inode("dst");
  const ino_t new_inode = inode("new");
  ASSERT_TRUE(replace("new"));
  EXPECT_EQ(scratch_.read("dst"), "new");
  EXPECT_EQ(scratch_.read("dst.previous"), "old");
  EXPECT_EQ(inode("dst"), new_inode);
  EXPECT_EQ(inode("dst.previous"), old_inode);
  EXPECT_EQ(scratch_.count(), 2);
}

TEST_F(AtomicReplace, AFirstInstallLeavesNoBackup) {
  scratch_.put("new", "new");
  ASSERT_TRUE(replace("new"));
  EXPECT_EQ(scratch_.read("dst"), "new");
  EXPECT_EQ(scratch_.count(), 1);
}

TEST_F(AtomicReplace, AStaleBackupIsReplaced) {
  scratch_.put("dst", "old");
  scratch_.put("dst.previous", "stale");
  scratch_.put("new", "new");
  ASSERT_TRUE(replace("new"));
  EXPECT_EQ(scratch_.read("dst"), "new");
  EXPECT_EQ(scratch_.read("dst.previous"), "old");
  EXPECT_EQ(scratch_.count(), 2);
}

TEST_F(AtomicReplace, AnEmptySuffixIsRefusedBeforeAnythingIsTouched) {
  scratch_.put("dst", "old");
  scratch_.put("new", "new");
  const Status replaced = replace("new", "");
  ASSERT_FALSE(replaced);
  EXPECT_EQ(replaced.error().code(), ErrorCode::usage);
  ASSERT_FALSE(undo(""));
  EXPECT_EQ(scratch_.read("dst"), "old");
  EXPECT_EQ(scratch_.read("new"), "new");
  EXPECT_EQ(scratch_.count(), 2);
}

TEST_F(AtomicReplace, AnUndoRestoresTheOldFile) {
  scratch_.put("dst", "old");
  scratch_.put("new", "new");
  ASSERT_TRUE(replace("new"));
  ASSERT_TRUE(undo());
  EXPECT_EQ(scratch_.read("dst"), "old");
  EXPECT_EQ(scratch_.count(), 1);
}

TEST_F(AtomicReplace, AnUndoWithoutABackupDoesNothingAndSucceeds) {
  EXPECT_TRUE(undo());
  scratch_.put("dst", "new");
  EXPECT_TRUE(undo());
  EXPECT_EQ(scratch_.read("dst"), "new");
  EXPECT_EQ(scratch_.count(), 1);
  EXPECT_TRUE(undo_atomic_replace(files_, path("absent/dst"), ".previous"));
}

TEST_F(AtomicReplace, AnUndoPutsBackWhatIsMissing) {
  scratch_.put("dst.previous", "old");
  ASSERT_TRUE(undo());
  EXPECT_EQ(scratch_.read("dst"), "old");
}

// F17: rename(2) between two names of one inode succeeds and does nothing.
TEST_F(AtomicReplace, F17AnUndoOfTwoNamesOfOneInodeRemovesTheBackup) {
  scratch_.put("dst", "same");
  std::filesystem::create_hard_link(scratch_ / "dst", scratch_ / "dst.previous");
  ASSERT_TRUE(undo());
  EXPECT_EQ(scratch_.read("dst"), "same");
  EXPECT_EQ(scratch_.count(), 1);
}

TEST_F(AtomicReplace, F17ASourceThatIsTheDestinationsInodeLeavesNoName) {
  scratch_.put("dst", "same");
  std::filesystem::create_hard_link(scratch_ / "dst", scratch_ / "new");
  ASSERT_TRUE(replace("new"));
  EXPECT_EQ(scratch_.read("dst"), "same");
  EXPECT_FALSE(scratch_.has("new"));
  std::filesystem::create_directory(scratch_ / "elsewhere");
  std::filesystem::create_hard_link(scratch_ / "dst", scratch_ / "elsewhere/new");
  ASSERT_TRUE(replace("elsewhere/new"));
  EXPECT_EQ(scratch_.read("dst"), "same");
  EXPECT_EQ(scratch_.read("dst.previous"), "same");
  EXPECT_FALSE(scratch_.has("elsewhere/new"));
  EXPECT_EQ(scratch_.count(), 3);
}

TEST_F(AtomicReplace, ARunThatWasStoppedAfterItsBackupIsRepeated) {
  scratch_.put("dst", "old");
  std::filesystem::create_hard_link(scratch_ / "dst", scratch_ / "dst.previous");
  scratch_.put("new", "new");
  ASSERT_TRUE(replace("new"));
  EXPECT_EQ(scratch_.read("dst"), "new");
  EXPECT_EQ(scratch_.read("dst.previous"), "old");
  EXPECT_EQ(scratch_.count(), 2);
}

TEST_F(AtomicReplace, ASourceInAnotherFolderIsMoved) {
  scratch_.put("dst", "old");
  std::filesystem::create_directory(scratch_ / "staged");
  scratch_.put("staged/new", "new");
  const ino_t new_inode = inode("staged/new");
  ASSERT_TRUE(replace("staged/new"));
  EXPECT_EQ(inode("dst"), new_inode);
  EXPECT_EQ(scratch_.read("dst.previous"), "old");
  EXPECT_FALSE(scratch_.has("staged/new"));
  EXPECT_EQ(scratch_.count(), 3);
}

TEST_F(AtomicReplace, AStrangeDestinationOrSourceIsRefusedBeforeAnythingIsTouched) {
  scratch_.put("new", "new");
  std::filesystem::create_directory(scratch_ / "folder");
  std::filesystem::create_symlink("new", scratch_ / "link");
  for (const std::string_view destination : {"folder", "link", "new"}) {
    EXPECT_FALSE(atomic_replace(files_, path("new"), path(destination), ".previous"));
  }
  EXPECT_FALSE(atomic_replace(files_, path("absent/new"), path("dst"), ".previous"));
  scratch_.put("dst", "old");
  EXPECT_FALSE(replace("folder"));
  EXPECT_FALSE(replace("link"));
  EXPECT_FALSE(replace("absent"));
  EXPECT_FALSE(replace("new", "/x"));
  EXPECT_FALSE(replace("new", std::string(255, 's')));
  // The backup as the source: it would be overwritten by the very file that it is to replace.
  scratch_.put("dst.previous", "older");
  EXPECT_FALSE(replace("dst.previous"));
  EXPECT_EQ(scratch_.read("dst"), "old");
  EXPECT_EQ(scratch_.read("dst.previous"), "older");
  EXPECT_EQ(scratch_.count(), 5);
}

TEST_F(AtomicReplace, ABackupNameThatIsAFolderIsAnErrorAndNothingChanges) {
  scratch_.put("dst", "old");
  scratch_.put("new", "new");
  std::filesystem::create_directory(scratch_ / "dst.previous");
  EXPECT_FALSE(replace("new"));
  EXPECT_EQ(scratch_.read("dst"), "old");
  EXPECT_EQ(scratch_.read("new"), "new");
  EXPECT_EQ(scratch_.count(), 3);
  const Status undone = undo();
  ASSERT_FALSE(undone);
  EXPECT_NE(undone.error().message().find(scratch_ / "dst.previous"), std::string::npos);
}

TEST_F(AtomicReplace, TheDestinationNeverDisappearsAndIsNeverHalf) {
  const std::string old_bytes(100'000, 'o');
  const std::string new_bytes(100'000, 'n');
  scratch_.put("dst", old_bytes);
  std::atomic<bool> over = false;
  std::atomic<int> missing = 0;
  std::atomic<int> half = 0;
  std::atomic<int> seen = 0;
  std::thread reader([&] {
    std::string bytes(200'000, '\0');
    while (!over) {
      const int fd = open((scratch_ / "dst").c_str(), O_RDONLY | O_CLOEXEC);
      if (fd < 0) {
        ++missing;
        continue;
      }
      const ssize_t count = read(fd, bytes.data(), bytes.size());
      const std::string_view found(bytes.data(), count < 0 ? 0 : static_cast<std::size_t>(count));
      if (found != old_bytes && found != new_bytes) ++half;
      ++seen;
      close(fd);
    }
  });
  for (int round = 0; round < 100 || seen < 100; ++round) {
    scratch_.put("new", new_bytes);
    EXPECT_TRUE(replace("new"));
    if (round % 2 == 1) {
      EXPECT_TRUE(undo());
    }
  }
  over = true;
  reader.join();
  EXPECT_EQ(missing, 0);
  EXPECT_EQ(half, 0);
}

}  // namespace
}  // namespace update
