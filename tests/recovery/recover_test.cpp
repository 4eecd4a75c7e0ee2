#include "recovery/recover.hpp"

#include <gtest/gtest.h>

#include <csignal>

#include "engine/base/layout.hpp"
#include "engine/transaction/intent.hpp"
#include "tests/fixture/world.hpp"

namespace update {
namespace {

/// A host whose update was stopped in the given phase.
void stop_in(World& world, Phase phase) {
  world.preinstall("1.0.0");
  world.make_release("1.1.0");
  const auto cut = [&](const os::Command&) -> Result<os::ProcessResult> {
    world.fake.files.cut_power();
  };
  if (phase == Phase::restart) world.fake.processes.on("/usr/bin/restart", cut);
  if (phase == Phase::doctor) {
    int runs = 0;
    world.fake.processes.on(
        "/usr/bin/doctor", [&world, runs](const os::Command&) mutable -> Result<os::ProcessResult> {
          if (++runs == 1) return os::ProcessResult{};  // the baseline
          world.fake.files.cut_power();
        });
  }
  if (phase == Phase::swap) {
    world.fake.files.stop_at(world.staged_rename("1.1.0", 2), When::before);
  }
  try {
    (void)world.apply("1.1.0");
    FAIL() << "it was not stopped";
  } catch (const PowerCut&) {
  }
  world.reboot(LossPattern::keep_all());
  world.doctor_passes(true);
  world.restart_passes(true);
}

RecoverRequest with_policy(RecoveryPolicy policy) {
  RecoverRequest request;
  request.policy = policy;
  return request;
}

RecoverRequest at_boot() {
  RecoverRequest request;
  request.boot = true;
  return request;
}

TEST(Recover, ReplaysAStoppedSwapAndCommits) {
  World world;
  stop_in(world, Phase::swap);
  EXPECT_EQ(world.version(), "mixed");
  ASSERT_TRUE(world.recover());
  EXPECT_EQ(world.version(), "1.1.0");
  EXPECT_EQ(world.newest()->verdict, "passed");
  EXPECT_EQ(world.newest()->resumptions, 1);
}

TEST(Recover, PutsAStoppedSwapBackUnderThePolicyRollback) {
  World world;
  stop_in(world, Phase::swap);
  ASSERT_TRUE(world.recover(with_policy(RecoveryPolicy::rollback)));
  EXPECT_EQ(world.version(), "1.0.0");
  EXPECT_EQ(world.newest()->phase, Phase::rolled_back);
}

TEST(Recover, PutsBackWhatMayHaveCrashedTheHost) {
  for (const Phase phase : {Phase::restart, Phase::doctor}) {
    World world;
    stop_in(world, phase);
    const auto report = world.recover();
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_EQ(world.version(), "1.0.0");
    EXPECT_EQ(world.newest()->phase, Phase::rolled_back);
    EXPECT_EQ(world.fake.processes.lines().back(), "/usr/bin/restart");
  }
}

TEST(Recover, GoesOnWhereTheRestartCommandWasKilledWhilePuttingBack) {
  World world;
  stop_in(world, Phase::restart);
  world.fake.processes.on("/usr/bin/restart", [](const os::Command&) -> Result<os::ProcessResult> {
    os::ProcessResult killed;
    killed.end = os::ProcessEnd::signalled;
    killed.status = SIGTERM;
    return killed;
  });
  const auto stopped = world.recover();
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code(), ErrorCode::unfinished) << stopped.error().message();
  world.restart_passes(true);
  ASSERT_TRUE(world.recover());
  EXPECT_EQ(world.newest()->phase, Phase::rolled_back);
}

TEST(Recover, GoesOnOnceUnderThePolicyReplay) {
  World world;
  stop_in(world, Phase::doctor);
  const auto report = world.recover(with_policy(RecoveryPolicy::replay));
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(world.version(), "1.1.0");
  EXPECT_EQ(world.newest()->phase, Phase::committed);
}

TEST(Recover, AtBootDealsWithFilesAndLeavesTheDoctorForLater) {
  World world;
  stop_in(world, Phase::swap);
  const std::size_t commands = world.fake.processes.commands().size();
  ASSERT_TRUE(world.recover(at_boot()));
  EXPECT_EQ(world.version(), "1.1.0");
  EXPECT_EQ(world.newest()->phase, Phase::doctor);
  EXPECT_EQ(world.fake.processes.commands().size(), commands) << "no service is up yet";
  ASSERT_TRUE(world.recover(at_boot())) << "running twice is tolerated";
  EXPECT_EQ(world.newest()->phase, Phase::doctor);
  ASSERT_TRUE(world.recover());
  EXPECT_EQ(world.newest()->phase, Phase::committed);
  EXPECT_EQ(world.fake.processes.lines().back(), "/usr/bin/doctor");
}

TEST(Recover, AtBootPutsSuspectFilesBackAndLeavesTheServicesForLater) {
  World world;
  stop_in(world, Phase::restart);
  ASSERT_TRUE(world.recover(at_boot()));
  EXPECT_EQ(world.version(), "1.0.0");
  EXPECT_EQ(world.newest()->phase, Phase::rollback);
  ASSERT_TRUE(world.recover());
  EXPECT_EQ(world.newest()->phase, Phase::rolled_back);
}

TEST(Recover, WhatAnotherBootLeftWaitingIsACrash) {
  World world;
  stop_in(world, Phase::swap);
  ASSERT_TRUE(world.recover(at_boot()));
  world.reboot(LossPattern::keep_nothing());
  ASSERT_TRUE(world.recover());
  EXPECT_EQ(world.version(), "1.0.0");
}

TEST(Recover, WithNothingToDoChangesAndSyncsNothing) {
  World world;
  ASSERT_TRUE(world.apply("1.0.0").status);
  world.kill();
  const auto report = world.recover();
  ASSERT_TRUE(report);
  EXPECT_FALSE(report->recovered);
  EXPECT_TRUE(world.fake.files.lines().empty()) << world.fake.files.lines().front();
}

/// The same disk as the image of a host, in the hands of another machine.
void move_to_rescue_system(World& world) {
  world.fake.files.symlink("/image", "/");
  world.env.root.folder = "/image";
}

/// A host whose unit runs what is updated, and which loses its power in the swap, or when it has
/// asked for the restart.
void stop_with_unit_in(World& world, Phase phase) {
  world.env.config.restart.command.clear();
  world.env.config.restart.units = {"demo.service"};
  world.fake.services.add("demo.service").activity = "active";
  world.fake.services.on_restart(
      [&world](const std::string&) -> Status { world.fake.files.cut_power(); });
  stop_in(world, phase);
  world.fake.services.on_restart([](const std::string&) { return Status(); });
}

TEST(Recover, OfAnImageTouchesNoUnitOfTheMachineThatRunsIt) {
  for (const Phase phase : {Phase::swap, Phase::restart}) {
    SCOPED_TRACE(name_of(phase));
    World world;
    stop_with_unit_in(world, phase);
    const std::size_t restarts = world.fake.services.restarts().size();
    move_to_rescue_system(world);
    const auto report = world.recover();
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_EQ(world.version(), phase == Phase::swap ? "1.1.0" : "1.0.0");
    EXPECT_EQ(world.fake.services.restarts().size(), restarts);
  }
}

TEST(Recover, OfAnImageAsksNoDoctorThatItsConfigurationDoesNotName) {
  for (const bool given : {false, true}) {
    World world;
    stop_with_unit_in(world, Phase::swap);
    world.env.config.doctor.given = given;
    const std::size_t commands = world.fake.processes.commands().size();
    move_to_rescue_system(world);
    ASSERT_TRUE(world.recover());
    EXPECT_EQ(world.newest()->verdict, given ? "passed" : "skipped");
    EXPECT_EQ(world.fake.processes.commands().size() > commands, given);
  }
}

TEST(Recover, WithoutTheCommandsThatTheUpdateWasPlannedWithRunsNone) {
  for (const Phase phase : {Phase::swap, Phase::restart, Phase::doctor}) {
    SCOPED_TRACE(name_of(phase));
    World world;
    stop_in(world, phase);
    world.env.config.restart.command.clear();
    world.env.config.restart.units.clear();
    world.env.config.doctor.command.clear();
    const std::size_t commands = world.fake.processes.commands().size();
    const auto report = world.recover(with_policy(RecoveryPolicy::replay));
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_EQ(world.version(), "1.1.0");
    EXPECT_EQ(world.newest()->verdict, "skipped");
    EXPECT_EQ(world.fake.processes.commands().size(), commands);
  }
}

TEST(Recover, StartsTheUnitsOfThePlanThoughTheConfigurationHasNoneAnyMore) {
  World world;
  stop_with_unit_in(world, Phase::restart);
  world.env.config.restart.units.clear();
  ASSERT_TRUE(world.recover());
  EXPECT_EQ(world.version(), "1.0.0");
  EXPECT_EQ(world.fake.services.restarts(),
            (std::vector<std::string>{"demo.service", "demo.service"}));
}

TEST(Recover, WithoutAStateFolderCreatesNothing) {
  World world;
  ASSERT_TRUE(world.recover());
  EXPECT_FALSE(world.fake.files.exists("/var/lib/demo"));
}

TEST(Recover, ThatNeverGetsAnyFurtherAsksAPerson) {
  World world;
  stop_in(world, Phase::restart);
  int tries = 0;
  for (; tries < 10; ++tries) {
    world.fake.processes.on(
        "/usr/bin/restart",
        [&](const os::Command&) -> Result<os::ProcessResult> { world.fake.files.cut_power(); });
    try {
      const auto report = world.recover();
      ASSERT_FALSE(report);
      EXPECT_EQ(report.error().code(), ErrorCode::needs_operator);
      break;
    } catch (const PowerCut&) {
      world.reboot(LossPattern::keep_nothing());
    }
  }
  EXPECT_LE(tries, 6);
  EXPECT_EQ(world.newest()->phase, Phase::needs_operator);
}

TEST(Recover, CollectsItsOwnNamesAndNoOthers) {
  World world;
  ASSERT_TRUE(world.apply("1.0.0").status);
  const TransactionTag other{TransactionId{99}, 0x1234};
  const std::string folder = World::kFolder;
  const std::string ours = folder + "/" + staged_name("alpha", other);
  const std::string twin = folder + "/" + staged_name("delta", other);
  const std::string alike = folder + "/.alpha.99-12345.staged";
  for (const std::string& path : {ours, twin, alike}) world.fake.files.put_file(path, "x");
  ASSERT_TRUE(world.recover());
  EXPECT_FALSE(world.fake.files.exists(ours));
  EXPECT_TRUE(world.fake.files.exists(twin)) << "another product's";
  EXPECT_TRUE(world.fake.files.exists(alike));
}

TEST(Recover, KeepsABackupThatNothingExplains) {
  World world;
  ASSERT_TRUE(world.apply("1.0.0").status);
  const std::string stray =
      std::string(World::kFolder) + "/" + backup_name("alpha", {TransactionId{99}, 1});
  world.fake.files.put_file(stray, "the only copy");
  ASSERT_TRUE(world.recover());
  EXPECT_TRUE(world.fake.files.exists(stray));
  EXPECT_FALSE(world.observer.warnings.empty());
}

/// Written whole, but no program of today knows what it means.
void write_strange_intent(World& world) {
  const auto state = world.fake.files.open_folder(World::kState);
  ASSERT_TRUE(write_intent(**state, "{\"id\":9,\"id\":9}"));
}

TEST(Recover, NeedsNoIntentOnceTheJournalHasIt) {
  for (const Phase phase : {Phase::swap, Phase::doctor}) {
    World world;
    stop_in(world, phase);
    write_strange_intent(world);
    const auto report = world.recover();
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_NE(world.version(), "mixed");
    EXPECT_TRUE(is_final(world.newest()->phase));
  }
}

TEST(Recover, PassesOverAnIntentThatItDoesNotUnderstand) {
  World world;
  ASSERT_TRUE(world.apply("1.0.0").status);
  write_strange_intent(world);
  world.kill();
  world.observer.warnings.clear();
  const auto report = world.recover();
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(world.observer.warnings.size(), 1U);
  EXPECT_EQ(world.fake.files.read(std::string(World::kState) + "/" + std::string(kIntentName)), "");
  EXPECT_TRUE(world.apply("1.1.0").status);
}

TEST(Apply, RecoversAnUnfinishedUpdateFirstAndUndoesAnotherVersion) {
  World world;
  stop_in(world, Phase::swap);
  const UpdateReport report = world.apply("1.2.0");
  ASSERT_TRUE(report.status) << report.status.error().message();
  ASSERT_TRUE(report.recovered);
  EXPECT_EQ(world.transaction(1)->phase, Phase::rolled_back);
  EXPECT_EQ(world.version(), "1.2.0");
}

TEST(Apply, FinishesAnUnfinishedUpdateToTheSameVersion) {
  World world;
  stop_in(world, Phase::swap);
  const UpdateReport report = world.apply("1.1.0");
  ASSERT_TRUE(report.status);
  EXPECT_TRUE(report.recovered);
  EXPECT_FALSE(report.transaction) << "already installed by then";
  EXPECT_EQ(world.transaction(1)->phase, Phase::committed);
}

}  // namespace
}  // namespace update
