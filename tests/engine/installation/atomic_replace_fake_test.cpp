#include "engine/installation/atomic_replace.hpp"

#include "tests/fake/fake_filesystem.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>

// The order of calls, what a power cut leaves, and what a failing call leaves.
namespace update {
namespace {

using Verb = FakeCall::Verb;

AbsolutePath path(std::string_view text) {
  return AbsolutePath::parse(text).value();
}

class AtomicReplaceOrder : public testing::TestWithParam<std::string> {
 protected:
  // The destination's own folder, or another one.
  const std::string new_ = GetParam();

  FakeDisk with_old_and_new() {
    FakeFileSystem disk;
    disk.put_file("/d/dst", "old", 0755, 1, 2);
    disk.put_file(new_, "new", 0755);
    return disk.disk();
  }
  Status replace(FakeFileSystem& disk) {
    return atomic_replace(disk, path(new_), path("/d/dst"), ".previous");
  }
  static bool is_old_or_new(const FakeFileSystem& disk) {
    const auto bytes = disk.read("/d/dst");
    return bytes == "old" || bytes == "new";
  }
  static std::size_t temporary_names(const FakeFileSystem& disk) {
    const auto all = disk.list_all();
    return static_cast<std::size_t>(std::count_if(
        all.begin(), all.end(), [](const auto& name) { return name.ends_with(".tmp"); }));
  }
};

std::size_t index_of(const FakeFileSystem& disk, Verb verb, std::string_view path_or_target) {
  const auto& calls = disk.calls();
  const auto found = std::find_if(calls.begin(), calls.end(), [&](const FakeCall& call) {
    return call.verb == verb && (call.path == path_or_target || call.detail == path_or_target);
  });
  EXPECT_NE(found, calls.end()) << path_or_target;
  return static_cast<std::size_t>(found - calls.begin());
}

TEST_P(AtomicReplaceOrder, TheNewBytesAreSyncedFirstAndTheFolderAfterTheRename) {
  FakeFileSystem disk(with_old_and_new());
  ASSERT_TRUE(replace(disk));
  const std::size_t source = index_of(disk, Verb::sync_file, new_);
  const std::size_t backup = index_of(disk, Verb::rename, "-> /d/dst.previous");
  const std::size_t swap = index_of(disk, Verb::rename, "-> /d/dst");
  const std::size_t folder = index_of(disk, Verb::sync_folder, "/d");
  EXPECT_EQ(source, 0U);
  EXPECT_LT(backup, swap);
  EXPECT_LT(swap, folder);
  EXPECT_EQ(disk.count(Verb::rename), 2U);
  EXPECT_EQ(disk.calls().back().verb, Verb::sync_folder);
  EXPECT_EQ(disk.open_handles(), 0U);
}

TEST_P(AtomicReplaceOrder, AReplacementIsDurableOnReturn) {
  FakeFileSystem disk(with_old_and_new());
  ASSERT_TRUE(replace(disk));
  EXPECT_EQ(disk.pending_count(), 0U);
  disk.lose(LossPattern::keep_nothing());
  EXPECT_EQ(disk.read("/d/dst"), "new");
  EXPECT_EQ(disk.read("/d/dst.previous"), "old");
  EXPECT_FALSE(disk.exists(new_));
}

TEST_P(AtomicReplaceOrder, AnUndoIsDurableOnReturn) {
  FakeFileSystem disk(with_old_and_new());
  ASSERT_TRUE(replace(disk));
  ASSERT_TRUE(undo_atomic_replace(disk, path("/d/dst"), ".previous"));
  EXPECT_EQ(disk.calls().back().verb, Verb::sync_folder);
  disk.lose(LossPattern::keep_nothing());
  EXPECT_EQ(disk.read("/d/dst"), "old");
  EXPECT_FALSE(disk.exists("/d/dst.previous"));
}

TEST_P(AtomicReplaceOrder, APowerCutAnywhereLeavesTheOldOrTheNewBytes) {
  std::uint64_t calls = 0;
  {
    FakeFileSystem disk(with_old_and_new());
    ASSERT_TRUE(replace(disk));
    calls = disk.call_count();
  }
  for (std::uint64_t call = 1; call <= calls; ++call) {
    FakeFileSystem cut(with_old_and_new());
    cut.stop_at(call, When::after);
    EXPECT_THROW(static_cast<void>(replace(cut)), PowerCut);
    for (const LossPattern& pattern : every_pattern(cut.pending_count(), true)) {
      FakeFileSystem disk(cut.disk());
      disk.lose(pattern);
      EXPECT_TRUE(is_old_or_new(disk)) << call << " " << pattern.name();
      // A run after the cut finds its way, whatever the first one left.
      disk.put_file(new_, "newer");
      ASSERT_TRUE(replace(disk)) << call << " " << pattern.name();
      EXPECT_EQ(disk.read("/d/dst"), "newer");
    }
  }
}

TEST_P(AtomicReplaceOrder, ACallThatFailsLeavesOneOfTheTwoAndSaysSo) {
  for (const int link_error : {0, EPERM}) {
    FakeDisk before = with_old_and_new();
    before.device_of(FakeDisk::kRoot).link_error = link_error;
    FakeFileSystem good(before);
    ASSERT_TRUE(replace(good));
    for (std::uint64_t call = 1; call <= good.call_count(); ++call) {
      FakeFileSystem disk(before);
      disk.fail_at(call, EIO);
      const Status replaced = replace(disk);
      ASSERT_FALSE(replaced) << call;
      const std::string message = replaced.error().message();
      const bool is_new = disk.read("/d/dst") == "new";
      EXPECT_EQ(is_new, message.find("the new file is in place") != std::string::npos) << message;
      if (!is_new) {
        EXPECT_EQ(disk.read("/d/dst"), "old") << call;
        EXPECT_EQ(disk.read(new_), "new") << call;
      }
      EXPECT_EQ(disk.exists("/d/dst.previous"), is_new) << call;
      EXPECT_EQ(temporary_names(disk), 0U) << call;
      EXPECT_EQ(disk.open_handles(), 0U) << call;
    }
  }
}

TEST_P(AtomicReplaceOrder, ARenameThatFailsTakesTheBackupAwayAgainAndSaysWhetherThatWorked) {
  const auto is_swap = [](const FakeCall& call) {
    return call.verb == Verb::rename && call.detail == "-> /d/dst";
  };
  FakeFileSystem disk(with_old_and_new());
  disk.fail_always(EACCES, is_swap);
  const Status failed = replace(disk);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().system_errno(), EACCES);
  EXPECT_NE(failed.error().message().find("backup removed"), std::string::npos);
  EXPECT_EQ(disk.read("/d/dst"), "old");
  EXPECT_EQ(disk.read(new_), "new");
  EXPECT_FALSE(disk.exists("/d/dst.previous"));

  FakeFileSystem worse(with_old_and_new());
  worse.fail_always(EACCES, is_swap);
  worse.fail_always(EROFS, [](const FakeCall& call) {
    return call.verb == Verb::unlink && call.path == "/d/dst.previous";
  });
  const Status both = replace(worse);
  ASSERT_FALSE(both);
  EXPECT_NE(both.error().message().find("backup not removed"), std::string::npos);
  EXPECT_EQ(worse.read("/d/dst"), "old");
}

TEST_P(AtomicReplaceOrder, WithoutHardLinksTheBackupIsASyncedCopyOfAll) {
  for (const int number : {EPERM, EMLINK, EOPNOTSUPP}) {
    FakeFileSystem disk(with_old_and_new());
    disk.device("/").link_error = number;
    disk.set_attribute("/d/dst", "security.capability", "cap");
    ASSERT_TRUE(replace(disk)) << number;
    disk.lose(LossPattern::keep_nothing());
    EXPECT_EQ(disk.read("/d/dst"), "new");
    EXPECT_EQ(disk.read("/d/dst.previous"), "old");
    EXPECT_EQ(disk.info("/d/dst.previous")->mode, 0755U);
    EXPECT_EQ(disk.info("/d/dst.previous")->uid, 1U);
    EXPECT_EQ(disk.info("/d/dst.previous")->gid, 2U);
    EXPECT_EQ(disk.snapshot().at("/d/dst.previous").attributes.at("security.capability"), "cap");
    EXPECT_EQ(temporary_names(disk), 0U);
  }
}

INSTANTIATE_TEST_SUITE_P(From, AtomicReplaceOrder, testing::Values("/d/new", "/staged/new"),
                         [](const auto& instance) {
                           return instance.param == "/d/new" ? "TheSameFolder" : "AnotherFolder";
                         });

TEST(AtomicReplaceAcross, ASourceOnAnotherFileSystemIsAnErrorAndNothingIsTouched) {
  FakeFileSystem disk;
  disk.put_file("/d/dst", "old");
  disk.mount("/mnt");
  disk.put_file("/mnt/new", "new");
  const Status replaced = atomic_replace(disk, path("/mnt/new"), path("/d/dst"), ".previous");
  ASSERT_FALSE(replaced);
  EXPECT_EQ(replaced.error().system_errno(), EXDEV);
  EXPECT_EQ(disk.call_count(), 0U);
}

TEST(AtomicReplaceAcross, AFirstInstallRemovesABackupOfAnEarlierLife) {
  FakeFileSystem disk;
  disk.put_file("/d/new", "new");
  disk.put_file("/d/dst.previous", "stale");
  ASSERT_TRUE(atomic_replace(disk, path("/d/new"), path("/d/dst"), ".previous"));
  EXPECT_FALSE(disk.exists("/d/dst.previous"));
}

TEST(UndoAtomicReplace, AnyOtherErrorNamesBothPaths) {
  FakeFileSystem disk;
  disk.put_file("/d/dst", "new");
  disk.put_file("/d/dst.previous", "old");
  disk.fail_at(1, EACCES);
  const Status undone = undo_atomic_replace(disk, path("/d/dst"), ".previous");
  ASSERT_FALSE(undone);
  EXPECT_EQ(undone.error().system_errno(), EACCES);
  EXPECT_NE(undone.error().message().find("/d/dst.previous"), std::string::npos);
  EXPECT_NE(undone.error().message().find("as /d/dst:"), std::string::npos);
}

}  // namespace
}  // namespace update
