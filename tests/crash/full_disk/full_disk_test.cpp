// A disk that is really full, at the moments between which an update can be told apart from
// outside: before it begins, in the restart, in the doctor, and after its crash there.

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/crash/full_disk/disk_host.hpp"
#include "tests/crash/sampling.hpp"

namespace update::crash {
namespace {

using scenario::Ended;
using scenario::Process;

constexpr OnDisk kLayouts[] = {OnDisk::everything, OnDisk::destinations, OnDisk::state};

std::string name_of(OnDisk what) {
  switch (what) {
    case OnDisk::everything: return "everything";
    case OnDisk::destinations: return "the destinations";
    case OnDisk::state: return "the state";
  }
  return "";
}

class FullDisk : public testing::TestWithParam<std::string> {
 protected:
  static std::string kind() { return GetParam(); }
};

INSTANTIATE_TEST_SUITE_P(On, FullDisk, testing::Values("ext4", "ext4_1k", "xfs", "btrfs"),
                         [](const auto& test) { return test.param; });

TEST_P(FullDisk, ApplyIsRefusedAndNothingIsChanged) {
  NEEDS_DISK(kind());
  for (const OnDisk what : kLayouts) {
    DiskHost on(kind(), what);
    install(on.host(), "1.0.0");
    const std::string release = full_release(on.host(), "2.0.0");
    on.disk().fill();
    const auto before = on.host().snapshot("bin/");
    const Ended ended = on.host().run({"apply", release});
    // The journal may have room for one more update in blocks that it has already.
    const Outcomes expected =
        what == OnDisk::state ? Outcomes{{8, "1.0.0"}, {0, "2.0.0"}} : Outcomes{{8, "1.0.0"}};
    if (ended.code == 8) {
      EXPECT_EQ(on.host().snapshot("bin/"), before);
    }
    const Findings findings = check_after_full(on, ended, expected);
    EXPECT_TRUE(findings.empty()) << name_of(what) << "\n" << to_message(findings);
  }
}

TEST_P(FullDisk, FirstApplyOfAllIsRefusedAndNothingIsChanged) {
  NEEDS_DISK(kind());
  DiskHost on(kind(), OnDisk::everything);
  const std::string release = full_release(on.host(), "1.0.0");
  on.disk().fill();
  const auto before = on.host().snapshot("bin/");
  const Ended ended = on.host().run({"apply", release});
  EXPECT_EQ(ended.code, 8) << said(ended);
  EXPECT_TRUE(scenario::contains(ended.err, on.disk().path())) << said(ended);
  EXPECT_EQ(on.host().snapshot("bin/"), before);
  EXPECT_EQ(on.host().run({"recover"}).code, 0);
  EXPECT_EQ(on.host().run({"status"}).code, 0);
  on.disk().give_all_back();
  EXPECT_EQ(to_message(on.check_usable("1.0.0")), "");
}

TEST_P(FullDisk, RollbackWorksOrIsRefused) {
  NEEDS_DISK(kind());
  DiskHost on(kind(), OnDisk::everything);
  install(on.host(), "1.0.0");
  install(on.host(), "2.0.0");
  on.disk().fill();
  const Ended ended = on.host().run({"rollback"});
  Outcomes expected = {{0, "1.0.0"}};
  if (ended.code == 8 && type_of(kind()) != "ext4") {
    expected = {{8, "2.0.0"}};
    on.disk().give_back(enough_for(kind()));
    const Ended again = on.host().run({"rollback"});
    EXPECT_EQ(again.code, 0) << said(ended) << said(again);
    expected[8] = "1.0.0";
  }
  const Findings findings = check_after_full(on, ended, expected);
  EXPECT_TRUE(findings.empty()) << to_message(findings);
}

// statvfs(3) counts what ext4 keeps for its own metadata, 2 % of the disk, as free for root. That
// alone must not be what makes it work.
TEST(FullExt4, RollbackWorksOnADiskTooSmallToKeepMuchBack) {
  NEEDS_DISK("ext4_small");
  DiskHost on("ext4_small", OnDisk::everything);
  install(on.host(), "1.0.0");
  install(on.host(), "2.0.0");
  on.disk().fill();
  const Findings findings = check_after_full(on, on.host().run({"rollback"}), {{0, "1.0.0"}});
  EXPECT_TRUE(findings.empty()) << to_message(findings);
}

TEST(FullExt4, RollbackWorksAfterARecoveryGaveTheReserveUp) {
  NEEDS_DISK("ext4");
  DiskHost on("ext4", OnDisk::everything);
  install(on.host(), "1.0.0");
  install(on.host(), "2.0.0");
  ASSERT_EQ(unlink(on.host().path("disk/state/reserve").c_str()), 0);
  on.disk().fill();
  on.disk().give_back(std::size_t{1} << 20U);
  const Findings findings = check_after_full(on, on.host().run({"rollback"}), {{0, "1.0.0"}});
  EXPECT_TRUE(findings.empty()) << to_message(findings);
}

struct Moment {
  OnDisk what;
  std::string phase;
  std::string verdict;
};

std::vector<Moment> moments() {
  std::vector<Moment> all;
  for (const OnDisk what : kLayouts) {
    for (const std::string phase : {"restart", "doctor"}) {
      for (const std::string verdict : {"0", "1"}) all.push_back({what, phase, verdict});
    }
  }
  return all;
}

Findings fill_in_hook(const std::string& kind, const Moment& moment, Tally& tally) {
  DiskHost on(kind, moment.what);
  install(on.host(), "1.0.0");
  hold_in(on.host(), moment.phase, "2.0.0");
  Process update(on.host().command({"apply", full_release(on.host(), "2.0.0")}));
  if (!on.host().doctor_waits()) return {"the hook was not reached"};
  ++tally.reached;
  on.disk().fill();
  on.host().let_doctor_go(moment.verdict);
  const Ended ended = update.wait();
  mend_hooks(on.host());
  const bool passes = moment.verdict == "0";
  return check_after_full(
      on, ended, passes ? Outcomes{{0, "2.0.0"}, {10, ""}} : Outcomes{{3, "1.0.0"}, {10, ""}});
}

void fill_in_hooks(const std::string& kind, std::size_t stride) {
  const std::vector<Moment> all = moments();
  Tally tally{"full in a hook, " + kind, all.size()};
  for (const std::size_t point : chosen_points(all.size(), stride)) {
    const Moment& moment = all[point];
    ++tally.tried;
    const Findings findings = fill_in_hook(kind, moment, tally);
    tally.held += findings.empty() ? 1U : 0U;
    EXPECT_TRUE(findings.empty()) << name_of(moment.what) << ", " << moment.phase << " ends with "
                                  << moment.verdict << "\n"
                                  << to_message(findings);
  }
  tally.report();
}

TEST_P(FullDisk, UpdateThatMeetsItInAHookIsFinishedOrUndone) {
  NEEDS_DISK(kind());
  fill_in_hooks(kind(), 6);
}

void recover_when_full(const std::string& kind, const std::string& policy) {
  DiskHost on(kind, OnDisk::everything);
  crash_in_hook(on.host(), policy == "replay" ? "restart" : "doctor");
  on.disk().fill();
  const Ended ended = on.host().run({"recover", "--policy", policy});
  const Findings findings =
      check_after_full(on, ended, {{0, policy == "replay" ? "2.0.0" : "1.0.0"}});
  EXPECT_TRUE(findings.empty()) << policy << "\n" << to_message(findings);
}

TEST_P(FullDisk, CrashInAHookIsRecovered) {
  NEEDS_DISK(kind());
  for (const std::string policy : {"rollback", "replay"}) recover_when_full(kind(), policy);
}

// Where not even a name can be made or moved any more. It takes seconds to fill.
TEST(FullMetadata, UpdateThatMeetsItInAHookIsFinishedOrUndone) {
  NEEDS_DISK("btrfs_metadata");
  fill_in_hooks("btrfs_metadata", moments().size());
}

TEST(FullMetadata, CrashInAHookIsRecovered) {
  NEEDS_DISK("btrfs_metadata");
  recover_when_full("btrfs_metadata", "rollback");
}

TEST_P(FullDisk, WithoutAReserveRecoveryWaitsForOneMebibyte) {
  NEEDS_DISK(kind());
  DiskHost on(kind(), OnDisk::everything);
  crash_in_hook(on.host(), "doctor");
  // An earlier recovery gave the reserve up, and what it freed was taken by somebody else.
  ASSERT_EQ(unlink(on.host().path("disk/state/reserve").c_str()), 0);
  on.disk().fill();
  const Ended ended = on.host().run({"recover"});
  EXPECT_TRUE(ended.code == 0 || ended.code == 10) << said(ended);
  on.disk().give_back(enough_for(kind()));
  const Ended again = on.host().run({"recover"});
  const Findings findings = check_after_full(on, again, {{0, "1.0.0"}});
  EXPECT_TRUE(findings.empty()) << said(ended) << to_message(findings);
}

// A -shm is only memory to SQLite; a machine that was restored, say, has none.
TEST_P(FullDisk, RecoveryMakesTheIndexOfTheJournalAnew) {
  NEEDS_DISK(kind());
  DiskHost on(kind(), OnDisk::everything);
  crash_in_hook(on.host(), "doctor");
  ASSERT_EQ(unlink(on.host().path("disk/state/journal.db-shm").c_str()), 0);
  on.disk().fill();
  const Findings findings = check_after_full(on, on.host().run({"recover"}), {{0, "1.0.0"}});
  EXPECT_TRUE(findings.empty()) << to_message(findings);
}

// The reserve is for those who undo (journal.md): a new update is refused instead.
TEST(FullExt4, ApplyLeavesTheReserveAlone) {
  NEEDS_DISK("ext4");
  DiskHost on("ext4", OnDisk::everything);
  install(on.host(), "1.0.0");
  const std::string small = on.host().release("2.0.0");
  on.disk().fill();
  const Ended ended = on.host().run({"apply", small});
  EXPECT_EQ(ended.code, 8) << said(ended);
  EXPECT_EQ(on.host().installed(), "1.0.0");
  EXPECT_TRUE(scenario::present(on.host().path("disk/state/reserve"))) << said(ended);
}

class FullOfInodes : public testing::Test {
 protected:
  static constexpr unsigned kInodes = 256;
};

TEST_F(FullOfInodes, ApplyIsRefusedAndRollbackWorks) {
  NEEDS_DISK("ext4");
  DiskHost on("ext4", OnDisk::everything, kInodes);
  install(on.host(), "1.0.0");
  install(on.host(), "2.0.0");
  const std::string release = full_release(on.host(), "3.0.0");
  on.disk().fill_inodes();
  const Ended refused = on.host().run({"apply", release});
  EXPECT_EQ(refused.code, 8) << said(refused);
  EXPECT_TRUE(scenario::contains(refused.err, on.disk().path())) << said(refused);
  EXPECT_EQ(on.host().installed(), "2.0.0");
  const Findings findings = check_after_full(on, on.host().run({"rollback"}), {{0, "1.0.0"}});
  EXPECT_TRUE(findings.empty()) << to_message(findings);
}

TEST_F(FullOfInodes, UpdateThatMeetsItIsFinishedOrUndone) {
  NEEDS_DISK("ext4");
  for (const std::string verdict : {"0", "1"}) {
    DiskHost on("ext4", OnDisk::everything, kInodes);
    install(on.host(), "1.0.0");
    hold_in(on.host(), "doctor", "2.0.0");
    Process update(on.host().command({"apply", full_release(on.host(), "2.0.0")}));
    ASSERT_TRUE(on.host().doctor_waits());
    on.disk().fill_inodes();
    on.host().let_doctor_go(verdict);
    const Ended ended = update.wait();
    EXPECT_EQ(ended.code, verdict == "0" ? 0 : 3) << said(ended);
    EXPECT_EQ(on.host().installed(), verdict == "0" ? "2.0.0" : "1.0.0") << said(ended);
    EXPECT_EQ(on.host().run({"status"}).code, 0);
    mend_hooks(on.host());
    // The folder of the generations needs an inode: what was kept for it waits (journal.md,
    // "Backups").
    on.disk().give_all_back();
    const Findings findings = on.recover_and_check({"1.0.0", "2.0.0"});
    EXPECT_TRUE(findings.empty()) << verdict << "\n" << to_message(findings);
  }
}

}  // namespace
}  // namespace update::crash
