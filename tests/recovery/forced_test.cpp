#include <gtest/gtest.h>

#include "engine/transaction/generations.hpp"
#include "engine/transaction/journal_file.hpp"
#include "engine/transaction/report.hpp"
#include "tests/fixture/world.hpp"

namespace update {
namespace {

/// An update that somebody else's change made undecidable: alpha and gamma new, beta a stranger's.
class NeedsOperator : public testing::Test {
 protected:
  NeedsOperator() {
    world.preinstall("1.0.0");
    apply_disturbed("1.1.0");
  }

  void apply_disturbed(const std::string& release) {
    world.fake.processes.on(
        "/usr/bin/restart", [this](const os::Command&) -> Result<os::ProcessResult> {
          world.fake.files.put_file(world.destination("beta"), "stranger", 0755);
          os::ProcessResult failed;
          failed.status = 1;
          return failed;
        });
    const UpdateReport report = world.apply(release);
    EXPECT_FALSE(report.status);
    world.restart_passes(true);
  }

  Result<RecoverReport> force(Force what) {
    RecoverRequest request;
    request.force = what;
    request.reason = "the operator says so";
    return world.recover(request);
  }

  bool generation_kept(const std::string& bytes) const {
    return world.fake.files.exists(std::string(World::kState) + "/generations/" +
                                   sha256_of(bytes).hex());
  }

  World world;
};

TEST_F(NeedsOperator, ChangesNothingWithoutADecision) {
  const auto before = world.fake.files.snapshot(World::kFolder);
  const auto report = world.recover();
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), ErrorCode::needs_operator);
  EXPECT_EQ(world.fake.files.snapshot(World::kFolder), before);
}

TEST_F(NeedsOperator, BlocksEveryOtherUpdate) {
  const UpdateReport applied = world.apply("1.2.0");
  ASSERT_FALSE(applied.status);
  EXPECT_EQ(applied.status.error().code(), ErrorCode::needs_operator);
  EXPECT_NE(applied.status.error().hint().find("--force-rollback"), std::string::npos);
  const UpdateReport rolled = world.roll_back();
  ASSERT_FALSE(rolled.status);
  EXPECT_EQ(rolled.status.error().code(), ErrorCode::needs_operator);
}

TEST_F(NeedsOperator, ForceRollbackWritesTheOldAndKeepsTheStranger) {
  const auto report = force(Force::rollback);
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(world.version(), "1.0.0");
  EXPECT_TRUE(generation_kept("stranger"));
  EXPECT_EQ(world.newest()->phase, Phase::rolled_back);
  EXPECT_TRUE(world.leftovers().empty());
}

TEST_F(NeedsOperator, ForceCommitNeedsTheNewBytes) {
  // beta's staged file became the destination and was written over: its new bytes are gone.
  const auto before = world.fake.files.snapshot(World::kFolder);
  const auto report = force(Force::commit);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), ErrorCode::not_found);
  EXPECT_EQ(world.fake.files.snapshot(World::kFolder), before);
}

TEST_F(NeedsOperator, ForceCommitWritesTheNewEverywhere) {
  world.fake.files.put_file(world.destination("alpha"), "alpha 1.0.0", 0755);
  world.fake.files.put_file(world.destination("beta"), "beta 1.1.0", 0755);
  world.fake.files.put_file(world.destination("gamma"), "gamma 1.1.0", 0755);
  // alpha's new bytes are brought back to where the transaction looks for them.
  const auto names = world.leftovers();
  ASSERT_FALSE(names.empty());
  std::string staged = names.front();
  staged.replace(staged.rfind(".backup"), 7, ".staged");
  world.fake.files.put_file(staged, "alpha 1.1.0", 0755);
  const auto report = force(Force::commit);
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(world.version(), "1.1.0");
  EXPECT_EQ(world.newest()->phase, Phase::committed);
  EXPECT_EQ(world.newest()->verdict, "forced");
}

TEST_F(NeedsOperator, AbandonTouchesNoDestinationAndKeepsTheBackups) {
  const auto report = force(Force::abandon);
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(world.fake.files.read(world.destination("beta")), "stranger");
  EXPECT_EQ(world.fake.files.read(world.destination("alpha")), "alpha 1.1.0");
  EXPECT_TRUE(generation_kept("alpha 1.0.0"));
  EXPECT_TRUE(generation_kept("beta 1.0.0"));
  EXPECT_EQ(world.newest()->phase, Phase::abandoned);
  EXPECT_TRUE(world.leftovers().empty());
  EXPECT_TRUE(world.apply("1.2.0").status);
}

TEST_F(NeedsOperator, AnAbandonedUpdateReportsWhatWasFoundThen) {
  ASSERT_TRUE(force(Force::abandon));
  auto readable = open_journal_for_reading(world.env);
  ASSERT_TRUE(readable && *readable);
  const auto files =
      report_files(world.env, *(*readable)->state, (*readable)->journal, *world.newest());
  ASSERT_TRUE(files) << files.error().message();
  std::vector<std::string> states;
  for (const FileReport& file : *files) states.push_back(file.state);
  EXPECT_EQ(states, (std::vector<std::string>{"new", "foreign", "new"}));
}

// Which version is installed is unknown then: the last one that is known may be nowhere else.
TEST_F(NeedsOperator, AnAbandonedUpdateLeavesTheVersionBeforeItToRetention) {
  ASSERT_TRUE(force(Force::rollback));
  ASSERT_TRUE(world.apply("1.1.0").status);
  apply_disturbed("1.2.0");
  ASSERT_TRUE(force(Force::abandon));
  auto locked = lock_state(world.env, false, 0);
  ASSERT_TRUE(locked && *locked);
  auto session = Session::open(world.env, std::move(**locked), false);
  ASSERT_TRUE(session && *session);
  ASSERT_TRUE(prune_generations(**session, Prune::everything));
  EXPECT_TRUE(generation_kept("beta 1.1.0"));
}

TEST_F(NeedsOperator, IsSettledWhenSomebodyBringsTheOldFilesBack) {
  for (const std::string& name : World::names()) {
    world.fake.files.put_file(world.destination(name), World::bytes_of(name, "1.0.0"), 0755);
  }
  ASSERT_TRUE(world.recover());
  EXPECT_EQ(world.newest()->phase, Phase::rolled_back);
}

// After a lost journal nobody knows what the generations are: they may be somebody's only copy.
TEST_F(NeedsOperator, WhatWasKeptOutlivesALostJournalUntilPrune) {
  ASSERT_TRUE(force(Force::abandon));
  ASSERT_TRUE(generation_kept("beta 1.0.0"));
  const std::string journal = std::string(World::kState) + "/journal.db";
  world.kill();
  world.fake.files.overwrite(journal, std::string(8192, 'x'));
  world.fake.files.remove(journal + "-wal");
  ASSERT_TRUE(world.apply("1.2.0").status);
  ASSERT_TRUE(world.apply("1.3.0").status);
  EXPECT_TRUE(generation_kept("beta 1.0.0"));
}

TEST(Force, WithNothingToForceIsAMistake) {
  World world;
  ASSERT_TRUE(world.apply("1.0.0").status);
  RecoverRequest request;
  request.force = Force::rollback;
  request.reason = "because";
  const auto report = world.recover(request);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), ErrorCode::usage);
}

}  // namespace
}  // namespace update
