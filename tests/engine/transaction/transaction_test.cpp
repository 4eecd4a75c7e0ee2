#include "engine/transaction/transaction.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>

#include "engine/base/layout.hpp"
#include "tests/fixture/world.hpp"

namespace update {
namespace {

std::size_t index_of(const std::vector<std::string>& lines, const std::string& part,
                     std::size_t from = 0) {
  for (std::size_t index = from; index < lines.size(); ++index) {
    if (lines[index].find(part) != std::string::npos) return index;
  }
  return lines.size();
}

TEST(Apply, InstallsWhatWasNotThereBefore) {
  World world;
  const UpdateReport report = world.apply("1.0.0");
  ASSERT_TRUE(report.status) << report.status.error().message();
  EXPECT_EQ(world.version(), "1.0.0");
  EXPECT_EQ(world.newest()->phase, Phase::committed);
  EXPECT_EQ(world.newest()->verdict, "passed");
  EXPECT_TRUE(world.leftovers().empty());
  EXPECT_FALSE(world.fake.files.exists(world.destination("alpha.previous")));
}

TEST(Apply, KeepsTheOldFilesAsPrevious) {
  World world;
  world.preinstall("1.0.0");
  ASSERT_TRUE(world.apply("1.1.0").status);
  EXPECT_EQ(world.version(), "1.1.0");
  EXPECT_EQ(world.fake.files.read(world.destination("alpha.previous")), "alpha 1.0.0");
  EXPECT_TRUE(world.leftovers().empty());
}

// Want of a page (SIGBUS, host.hpp) or of memory may stop the process anywhere: with "nothing was
// changed" while the journal knows of no intent, and never from the first rename on.
TEST(Apply, ASuddenEndSaysWhetherFilesMayHaveBeenReplaced) {
  World world;
  world.preinstall("1.0.0");
  using Meaning = std::pair<std::optional<ErrorCode>, std::optional<ErrorCode>>;
  std::vector<Meaning> at_backup;
  std::vector<Meaning> at_swap;
  const auto meaning = [&] {
    return Meaning(world.fake.host.lost_page_means(), world.fake.host.lost_memory_means());
  };
  world.fake.files.before_each_call([&](const FakeCall& call) {
    const bool swaps =
        call.verb == FakeCall::Verb::rename && call.line().ends_with(world.destination("alpha"));
    if (call.line().find(".backup") != std::string::npos && at_swap.empty()) {
      at_backup.push_back(meaning());
    }
    if (swaps) at_swap.push_back(meaning());
  });
  ASSERT_TRUE(world.apply("1.1.0").status);
  ASSERT_FALSE(at_backup.empty());
  ASSERT_FALSE(at_swap.empty());
  for (const Meaning& now : at_backup) {
    EXPECT_EQ(now, Meaning(ErrorCode::no_space, ErrorCode::no_space));
  }
  for (const Meaning& now : at_swap) {
    EXPECT_EQ(now, Meaning(ErrorCode::unfinished, ErrorCode::unfinished));
  }
}

TEST(Apply, PutsTheOldFilesBackWhenTheDoctorSaysNo) {
  World world;
  world.preinstall("1.0.0");
  const auto inode = world.fake.files.info(world.destination("alpha"))->identity;
  ASSERT_TRUE(world.apply("1.1.0").status);
  world.doctor_passes(false);
  const UpdateReport report = world.apply("1.2.0");
  ASSERT_FALSE(report.status);
  EXPECT_EQ(report.status.error().code(), ErrorCode::undone);
  EXPECT_EQ(world.version(), "1.1.0");
  EXPECT_EQ(world.newest()->phase, Phase::rolled_back);
  EXPECT_TRUE(world.leftovers().empty());
  // `.previous` is what it was: the very inode.
  EXPECT_TRUE(
      world.fake.files.info(world.destination("alpha.previous"))->identity.same_inode(inode));
}

TEST(Apply, RestartsTheOldVersionAfterTheNewOneFailedToStart) {
  World world;
  world.preinstall("1.0.0");
  int restarts = 0;
  world.fake.processes.on("/usr/bin/restart", [&](const os::Command&) -> Result<os::ProcessResult> {
    os::ProcessResult result;
    result.status = ++restarts == 1 ? 1 : 0;
    return result;
  });
  const UpdateReport report = world.apply("1.1.0");
  ASSERT_FALSE(report.status);
  EXPECT_EQ(report.status.error().code(), ErrorCode::undone);
  EXPECT_EQ(restarts, 2);
  EXPECT_EQ(world.version(), "1.0.0");
}

TEST(Apply, NeedsAPersonWhenTheOldVersionDoesNotStartEither) {
  World world;
  world.preinstall("1.0.0");
  world.restart_passes(false);
  const UpdateReport report = world.apply("1.1.0");
  ASSERT_FALSE(report.status);
  EXPECT_EQ(report.status.error().code(), ErrorCode::needs_operator);
  EXPECT_EQ(world.version(), "1.0.0");
  EXPECT_EQ(world.newest()->phase, Phase::needs_operator);
  // All files are old, but what ran them does not run: that alone settles nothing.
  const UpdateReport next = world.apply("1.2.0");
  ASSERT_FALSE(next.status);
  EXPECT_EQ(next.status.error().code(), ErrorCode::needs_operator);
  world.restart_passes(true);
  EXPECT_TRUE(world.apply("1.2.0").status);
  EXPECT_EQ(world.transaction(1)->phase, Phase::rolled_back);
}

TEST(Apply, SyncsBeforeItPromisesAndBeforeItRenames) {
  World world;
  world.preinstall("1.0.0");
  ASSERT_TRUE(world.apply("1.1.0").status);
  world.kill();
  ASSERT_TRUE(world.apply("1.2.0").status);
  const auto lines = world.fake.files.lines();
  const std::size_t rename = index_of(lines, "rename /usr/local/bin/.alpha.2-");
  ASSERT_LT(rename, lines.size());
  const std::size_t staged = index_of(lines, "sync file /usr/local/bin/.gamma.2-");
  const std::size_t link = index_of(lines, "link /usr/local/bin/gamma");
  const std::size_t folder = index_of(lines, "sync folder /usr/local/bin", link);
  const std::size_t intent = index_of(lines, "sync file /var/lib/demo/update/intent");
  const std::size_t promise =
      index_of(lines, "sync file /var/lib/demo/update/journal.db-wal", intent);
  EXPECT_LT(staged, link);
  EXPECT_LT(link, folder);
  EXPECT_LT(folder, intent);
  EXPECT_LT(intent, promise);
  EXPECT_LT(promise, rename);
  const std::size_t last = index_of(lines, "rename /usr/local/bin/.gamma.2-");
  const std::size_t names = index_of(lines, "sync folder /usr/local/bin", last);
  const std::size_t started =
      index_of(lines, "sync file /var/lib/demo/update/journal.db-wal", last);
  EXPECT_LT(names, started);
}

std::size_t syncs(World& world) {
  return world.fake.files.count(FakeCall::Verb::sync_file) +
         world.fake.files.count(FakeCall::Verb::sync_folder);
}

// transaction.md, "Cost": files + 2 x folders + 5, one more where a generation is stored.
TEST(Apply, CostsTenSyncs) {
  World world;
  world.preinstall("1.0.0");
  ASSERT_TRUE(world.apply("1.1.0").status);
  world.kill();
  ASSERT_TRUE(world.apply("1.2.0").status);  // makes the folder of generations: 10 + 1 + 1
  EXPECT_EQ(syncs(world), 12U);
  world.kill();
  ASSERT_TRUE(world.apply("1.3.0").status);
  EXPECT_EQ(syncs(world), 11U);
  world.kill();
  world.fake.files.remove(world.destination("alpha.previous"));
  world.fake.files.remove(world.destination("beta.previous"));
  world.fake.files.remove(world.destination("gamma.previous"));
  ASSERT_TRUE(world.apply("1.4.0").status);
  EXPECT_EQ(syncs(world), 10U);
}

TEST(Apply, AFirstRunCostsTwoMoreAndOneForEachFolderItMakes) {
  World world;
  world.preinstall("1.0.0");
  ASSERT_TRUE(world.apply("1.1.0").status);
  // /var/lib is there; demo and update are made.
  EXPECT_EQ(syncs(world), 10U + 2U + 2U);
}

TEST(Apply, SaysAlreadyInstalledAndChangesNothing) {
  World world;
  ASSERT_TRUE(world.apply("1.0.0").status);
  const auto before = world.fake.files.snapshot(World::kFolder);
  const UpdateReport report = world.apply("1.0.0");
  ASSERT_TRUE(report.status);
  EXPECT_FALSE(report.transaction);
  EXPECT_EQ(world.fake.files.snapshot(World::kFolder), before);
}

TEST(Apply, RepairsTheSameVersionWithOtherBytes) {
  World world;
  ASSERT_TRUE(world.apply("1.0.0").status);
  world.fake.files.put_file(world.destination("beta"), "tampered", 0755);
  const UpdateReport report = world.apply("1.0.0");
  ASSERT_TRUE(report.status) << report.status.error().message();
  ASSERT_TRUE(report.transaction);
  EXPECT_EQ(world.version(), "1.0.0");
}

TEST(Apply, RefusesADowngradeUnlessAsked) {
  World world;
  ASSERT_TRUE(world.apply("1.1.0").status);
  const UpdateReport refused = world.apply("1.0.0");
  ASSERT_FALSE(refused.status);
  EXPECT_EQ(refused.status.error().code(), ErrorCode::refused);
  EXPECT_FALSE(refused.transaction);
  ApplyOptions allowed;
  allowed.allow_downgrade = true;
  EXPECT_TRUE(world.apply("1.0.0", allowed).status);
  EXPECT_EQ(world.version(), "1.0.0");
}

TEST(Apply, ADigestThatIsNotAsPromisedChangesNothing) {
  World world;
  world.preinstall("1.0.0");
  world.make_release("1.1.0", {{"beta", "beta 6.6.6"}});
  const UpdateReport report = world.apply("1.1.0");
  ASSERT_FALSE(report.status);
  EXPECT_EQ(report.status.error().code(), ErrorCode::not_trusted);
  EXPECT_EQ(world.version(), "1.0.0");
  EXPECT_EQ(world.newest()->phase, Phase::rolled_back);
  EXPECT_TRUE(world.leftovers().empty());
}

TEST(Apply, ACommitThatAnIoErrorStoppedIsNoFullDisk) {
  for (const int error : {EIO, ENOSPC}) {
    World world;
    ASSERT_TRUE(world.apply("1.0.0").status);
    world.kill();
    world.make_release("1.1.0");
    world.fake.files.fail_always(error, [failed = false](const FakeCall& call) mutable {
      const bool fails =
          !failed && call.verb == FakeCall::Verb::write && call.path.ends_with(kJournalWalName);
      failed = failed || fails;
      return fails;
    });
    const UpdateReport report = world.apply("1.1.0");
    ASSERT_FALSE(report.status);
    EXPECT_EQ(report.status.error().code(), error == EIO ? ErrorCode::failed : ErrorCode::no_space);
    EXPECT_EQ(world.version(), "1.0.0");
  }
}

TEST(Apply, LeavesEqualFilesOutOfTheSwap) {
  World world;
  ASSERT_TRUE(world.apply("1.0.0").status);
  const auto inode = world.fake.files.info(world.destination("beta"))->identity;
  const std::string folder = world.make_release("1.1.0");
  Manifest manifest = *parse_manifest(*world.fake.files.read(folder + "/release.json"));
  manifest.files[1].sha256 = sha256_of("beta 1.0.0");
  world.fake.files.put_file(folder + "/beta", "beta 1.0.0", 0755);
  world.fake.files.put_file(folder + "/release.json", format_manifest(manifest));
  ASSERT_TRUE(world.apply("1.1.0").status);
  EXPECT_TRUE(world.fake.files.info(world.destination("beta"))->identity.same_inode(inode));
  EXPECT_EQ(world.fake.files.read(world.destination("alpha")), "alpha 1.1.0");
  EXPECT_FALSE(world.fake.files.exists(world.destination("beta.previous")));
}

TEST(Apply, CarriesModeOwnerAndAttributes) {
  World world;
  world.preinstall("1.0.0");
  world.fake.files.put_file(world.destination("alpha"), "alpha 1.0.0", 0750, 7, 8);
  world.fake.files.set_attribute(world.destination("alpha"), "user.note", "kept");
  world.fake.files.set_attribute(world.destination("alpha"), "security.capability", "caps");
  ASSERT_TRUE(world.apply("1.1.0").status);
  const auto info = world.fake.files.info(world.destination("alpha"));
  EXPECT_EQ(info->mode, 0750U);
  EXPECT_EQ(info->uid, 7U);
  EXPECT_EQ(info->gid, 8U);
  auto place = world.fake.files.place(world.destination("alpha"));
  auto file = place->folder->open_file("alpha");
  EXPECT_EQ((*(*file)->attributes())["user.note"], "kept");
  EXPECT_EQ((*(*file)->attributes())["security.capability"], "caps");
  // The backup of a privileged file is a copy without the privilege (CVE-2010-2059).
  auto previous = place->folder->open_file("alpha.previous");
  EXPECT_FALSE((*(*previous)->attributes()).contains("security.capability"));
}

/// As getxattr(2) gives it: version 2, then tag, permissions and id of each entry.
std::string acl_of(const std::vector<std::pair<char, char>>& entries) {
  std::string acl("\2\0\0\0", 4);
  for (const auto& [tag, permissions] : entries) {
    acl += {tag, '\0', permissions, '\0', '\0', '\0', '\0', '\0'};
  }
  return acl;
}

// chmod(2) changes the ACL too: the file system would not keep the one of before.
TEST(Apply, AConfiguredModeIsAlsoTheAcls) {
  constexpr const char* kAcl = "system.posix_acl_access";
  World world;
  world.preinstall("1.0.0");
  world.env.config.files[0].mode = 0750;
  world.env.config.files[1].mode = 0640;
  world.fake.files.set_attribute(world.destination("alpha"), kAcl,
                                 acl_of({{1, 7}, {2, 5}, {4, 5}, {0x10, 7}, {0x20, 5}}));
  world.fake.files.set_attribute(world.destination("beta"), kAcl,
                                 acl_of({{1, 7}, {4, 5}, {0x20, 5}}));
  ASSERT_TRUE(world.apply("1.1.0").status);
  const auto folder = world.fake.files.open_folder(World::kFolder);
  const auto acl = [&](const char* name) {
    return (*(*(*folder)->open_file(name))->attributes())[kAcl];
  };
  EXPECT_EQ(acl("alpha"), acl_of({{1, 7}, {2, 5}, {4, 5}, {0x10, 5}, {0x20, 0}}));
  EXPECT_EQ(acl("beta"), acl_of({{1, 6}, {4, 4}, {0x20, 0}}));
}

TEST(Apply, RollbackGivesSetIdBitsBack) {
  World world;
  world.preinstall("1.0.0");
  world.fake.files.put_file(world.destination("alpha"), "alpha 1.0.0", 04755);
  world.doctor_passes(false);
  const UpdateReport report = world.apply("1.1.0");
  ASSERT_FALSE(report.status);
  EXPECT_EQ(report.status.error().code(), ErrorCode::undone);
  EXPECT_EQ(world.version(), "1.0.0");
  EXPECT_EQ(world.fake.files.info(world.destination("alpha"))->mode, 04755U);
}

TEST(Apply, IsUndoneBySigintAndSaysSo) {
  World world;
  world.preinstall("1.0.0");
  world.fake.processes.on("/usr/bin/restart", [&](const os::Command&) -> Result<os::ProcessResult> {
    world.fake.stop.send(os::StopRequest::Signal::interrupt);
    return os::ProcessResult{};
  });
  world.fake.processes.on("/usr/bin/doctor", [&](const os::Command&) -> Result<os::ProcessResult> {
    os::ProcessResult result;
    if (world.fake.stop.pending() != os::StopRequest::Signal::none) {
      result.end = os::ProcessEnd::stopped;
    }
    return result;
  });
  const UpdateReport report = world.apply("1.1.0");
  ASSERT_FALSE(report.status);
  EXPECT_EQ(report.status.error().code(), ErrorCode::interrupted);
  EXPECT_EQ(world.version(), "1.0.0");
  EXPECT_EQ(world.newest()->phase, Phase::rolled_back);
}

TEST(Apply, AnExcusedDoctorPassesNoVerdict) {
  World world;
  world.env.config.doctor.baseline = Baseline::excuse;
  world.doctor_passes(false);
  ASSERT_TRUE(world.apply("1.0.0").status);
  EXPECT_EQ(world.newest()->verdict, "skipped");
}

// The configuration's check goes by the path; the update replaced the journal and said 0.
TEST(Apply, RefusesADestinationThatALinkLeadsAmongItsOwnFiles) {
  World world;
  ASSERT_TRUE(world.apply("1.0.0").status);
  ASSERT_TRUE(world.apply("1.1.0").status);
  ASSERT_TRUE(world.apply("1.2.0").status);
  const std::string state = World::kState;
  for (const std::string& inside : {std::string(), std::string("/generations")}) {
    const std::string link = "/usr/local/own" + std::to_string(inside.size());
    world.fake.files.symlink(link, state + inside);
    world.env.config.files[0].destination = AbsolutePath::parse(link + "/journal.db").value();
    const UpdateReport report = world.apply("1.3.0");
    ASSERT_FALSE(report.status);
    EXPECT_EQ(report.status.error().code(), ErrorCode::usage);
    EXPECT_TRUE(world.fake.files.read(state + "/journal.db")->starts_with("SQLite format 3"));
    EXPECT_FALSE(world.fake.files.exists(state + "/generations/journal.db"));
  }
}

}  // namespace
}  // namespace update
