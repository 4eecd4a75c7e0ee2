#include "engine/image/file/output_file.hpp"

#include <cerrno>

#include "tests/fake/fake_filesystem.hpp"
#include "tests/fake/fake_test.hpp"

namespace update::image {
namespace {

using Verb = FakeCall::Verb;

constexpr const char* kTarget = "/d/disk.ext4";

/// A whole run, as a command would make it.
Status write_target(os::FileSystem& files, std::string_view bytes, std::uint32_t random = 7) {
  UPDATE_TRY_ASSIGN(OutputFile output, OutputFile::create(files, kTarget, 0640, random));
  UPDATE_TRY(write_text(output.file(), bytes));
  return output.commit();
}

class OutputFileOnFakeDisk : public FakeFileSystemTest {
 protected:
  std::vector<std::string> names() { return d->list().value(); }
  std::string bytes() { return fs.read(kTarget).value_or("missing"); }
};

TEST_F(OutputFileOnFakeDisk, MakesAFileOfTheGivenModeAndSyncsBeforeAndAfterTheRename) {
  ASSERT_TRUE(write_target(fs, "new"));
  EXPECT_EQ(bytes(), "new");
  EXPECT_EQ(fs.info(kTarget)->mode, 0640U);
  EXPECT_EQ(names(), std::vector<std::string>{"disk.ext4"});
  std::vector<Verb> order;
  for (const FakeCall& call : fs.calls()) {
    if (call.verb == Verb::sync_file || call.verb == Verb::rename ||
        call.verb == Verb::sync_folder) {
      order.push_back(call.verb);
    }
  }
  EXPECT_EQ(order, (std::vector<Verb>{Verb::sync_file, Verb::rename, Verb::sync_folder}));
  EXPECT_EQ(fs.pending_count(), 0U);
}

TEST_F(OutputFileOnFakeDisk, KeepsModeAndOwnerOfWhatItReplaces) {
  fs.put_file(kTarget, "old", 04604, 12, 34);
  ASSERT_TRUE(write_target(fs, "new"));
  EXPECT_EQ(bytes(), "new");
  EXPECT_EQ(fs.info(kTarget)->mode, 0604U);
  EXPECT_EQ(fs.info(kTarget)->uid, 12U);
  EXPECT_EQ(fs.info(kTarget)->gid, 34U);
}

TEST_F(OutputFileOnFakeDisk, ACallerWhoMayGiveNothingAwayOwnsIt) {
  fs.put_file(kTarget, "old", 0604, 12, 34);
  fs.fail_always(EPERM, [](const FakeCall& call) { return call.verb == Verb::set_owner; });
  ASSERT_TRUE(write_target(fs, "new"));
  EXPECT_EQ(fs.info(kTarget)->mode, 0604U);
  EXPECT_EQ(fs.info(kTarget)->uid, 0U);
}

// Owner rw, user 1234 rw, the group nothing, mask rw, others nothing.
std::string acl() {
  return {
      "\2\0\0\0"
      "\1\0\6\0\xFF\xFF\xFF\xFF\2\0\6\0\xD2\4\0\0\4\0\0\0\xFF\xFF\xFF\xFF"
      "\x10\0\6\0\xFF\xFF\xFF\xFF\x20\0\0\0\xFF\xFF\xFF\xFF",
      44};
}

TEST_F(OutputFileOnFakeDisk, KeepsTheAclTheLabelAndTheUsersAttributesOfWhatItReplaces) {
  fs.put_file(kTarget, "old", 0660);
  fs.set_attribute(kTarget, "system.posix_acl_access", acl());
  fs.set_attribute(kTarget, "security.selinux", "label");
  fs.set_attribute(kTarget, "security.ima", "of the old bytes");
  fs.set_attribute(kTarget, "user.note", "note");
  ASSERT_TRUE(write_target(fs, "new"));
  EXPECT_EQ(fs.info(kTarget)->mode, 0660U);
  EXPECT_EQ(d->attributes_of("disk.ext4").value(),
            (os::Attributes{{"security.selinux", "label"},
                            {"system.posix_acl_access", acl()},
                            {"user.note", "note"}}));
}

TEST_F(OutputFileOnFakeDisk, WithoutItsAclTheGroupGetsNoMoreThanItHad) {
  fs.put_file(kTarget, "old", 0660);
  fs.set_attribute(kTarget, "system.posix_acl_access", acl());
  fs.fail_always(EOPNOTSUPP, [](const FakeCall& call) { return call.verb == Verb::set_attribute; });
  ASSERT_TRUE(write_target(fs, "new"));
  EXPECT_EQ(fs.info(kTarget)->mode, 0600U);
}

TEST_F(OutputFileOnFakeDisk, ACallerWhoMayGiveNothingAwayKeepsTheGroup) {
  fs.put_file(kTarget, "old", 0660, 12, 34);
  int asked = 0;
  fs.fail_always(
      EPERM, [&](const FakeCall& call) { return call.verb == Verb::set_owner && asked++ == 0; });
  ASSERT_TRUE(write_target(fs, "new"));
  EXPECT_EQ(fs.info(kTarget)->uid, 0U);
  EXPECT_EQ(fs.info(kTarget)->gid, 34U);
}

TEST_F(OutputFileOnFakeDisk, WithoutACommitNothingIsLeft) {
  fs.put_file(kTarget, "old");
  {
    auto output = OutputFile::create(fs, kTarget, 0644, 7);
    ASSERT_TRUE(output);
    OutputFile moved = std::move(*output);
    ASSERT_TRUE(write_text(moved.file(), "new"));
    EXPECT_EQ(names().size(), 2U);
  }
  EXPECT_EQ(bytes(), "old");
  EXPECT_EQ(names(), std::vector<std::string>{"disk.ext4"});
}

TEST_F(OutputFileOnFakeDisk, LeavesWhatIsNoRegularFileAlone) {
  fs.put_file("/d/other", "other");
  fs.symlink(kTarget, "other");
  const auto through_link = OutputFile::create(fs, kTarget, 0644, 7);
  ASSERT_FALSE(through_link);
  EXPECT_NE(through_link.error().message().find(kTarget), std::string::npos);
  fs.remove(kTarget);
  fs.make_folder(kTarget);
  EXPECT_FALSE(OutputFile::create(fs, kTarget, 0644, 7));
  EXPECT_EQ(fs.read("/d/other"), "other");
  EXPECT_EQ(fs.call_count(), 0U);
}

TEST_F(OutputFileOnFakeDisk, ALongNameIsAnErrorOfTheCaller) {
  const auto output = OutputFile::create(fs, "/d/" + std::string(250, 'x'), 0644, 7);
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().code(), ErrorCode::usage);
}

TEST_F(OutputFileOnFakeDisk, RemovesWhatKilledRunsLeftAndNothingElse) {
  fs.put_file("/d/.disk.ext4.0-00000001.tmp", "left");
  fs.put_file("/d/.other.ext4.0-00000001.tmp", "another target's");
  fs.put_file("/d/.disk.ext4.0-1.tmp", "not of our making");
  fs.make_folder("/d/.disk.ext4.0-00000002.tmp");
  ASSERT_TRUE(write_target(fs, "new"));
  EXPECT_EQ(names(), (std::vector<std::string>{".disk.ext4.0-00000002.tmp", ".disk.ext4.0-1.tmp",
                                               ".other.ext4.0-00000001.tmp", "disk.ext4"}));
}

TEST_F(OutputFileOnFakeDisk, LeavesTheTemporaryOfARunThatGoesOn) {
  auto running = OutputFile::create(fs, kTarget, 0644, 1);
  ASSERT_TRUE(running);
  ASSERT_TRUE(write_target(fs, "second", 2));
  ASSERT_TRUE(write_text(running->file(), "first"));
  ASSERT_TRUE(running->commit());
  EXPECT_EQ(bytes(), "first");
}

TEST_F(OutputFileOnFakeDisk, ATemporaryThatAnotherRunRemovedOrTookIsNotWritten) {
  const std::string first = "/d/.disk.ext4.0-00000007.tmp";
  for (const bool locked : {false, true}) {
    FakeFileSystem disk(fs.disk());
    std::unique_ptr<os::File> other;
    // Another run, between the making of the name and its lock.
    disk.after_call(1, [&] {
      if (locked) {
        other = disk.open_folder("/d").value()->open_file(".disk.ext4.0-00000007.tmp").value();
        EXPECT_TRUE(other->try_lock().value());
      } else {
        disk.remove(first);
      }
    });
    ASSERT_TRUE(write_target(disk, "new"));
    EXPECT_EQ(disk.read(kTarget), "new");
    EXPECT_EQ(disk.exists(first), locked) << "it is the other run's";
  }
}

TEST_F(OutputFileOnFakeDisk, AnErrorAtAnyCallLeavesTheOldFileAndNoOther) {
  fs.put_file(kTarget, "old");
  FakeFileSystem counted(fs.disk());
  ASSERT_TRUE(write_target(counted, "new"));
  const std::uint64_t calls = counted.call_count();
  for (std::uint64_t call = 1; call <= calls; ++call) {
    SCOPED_TRACE(counted.lines()[call - 1]);
    FakeFileSystem failing(fs.disk());
    failing.fail_at(call, EIO);
    const Status written = write_target(failing, "new");
    ASSERT_FALSE(written);
    EXPECT_NE(written.error().message().find("disk.ext4"), std::string::npos);
    EXPECT_EQ(failing.read(kTarget), call == calls ? "new" : "old");
    EXPECT_EQ(failing.list_all().size(), 2U) << "the folder and the target";
  }
}

TEST_F(OutputFileOnFakeDisk, AStopAtAnyCallLeavesTheOldOrTheNewFile) {
  fs.put_file(kTarget, "old");
  FakeFileSystem counted(fs.disk());
  ASSERT_TRUE(write_target(counted, "new"));
  for (std::uint64_t call = 1; call <= counted.call_count(); ++call) {
    for (const bool power_cut : {false, true}) {
      SCOPED_TRACE(counted.lines()[call - 1]);
      FakeFileSystem stopping(fs.disk());
      stopping.stop_at(call, When::after);
      EXPECT_THROW(static_cast<void>(write_target(stopping, "new")), PowerCut);
      const bool renamed = counted.calls()[call - 1].verb == Verb::rename;
      const bool durable = counted.calls()[call - 1].verb == Verb::sync_folder;
      if (power_cut) {
        stopping.lose(LossPattern::keep_nothing());
      } else {
        stopping.kill();
      }
      EXPECT_EQ(stopping.read(kTarget), durable || (renamed && !power_cut) ? "new" : "old");
      ASSERT_TRUE(write_target(stopping, "next", 8));
      EXPECT_EQ(stopping.list_all(), (std::vector<std::string>{"/d", kTarget}));
    }
  }
}

}  // namespace
}  // namespace update::image
