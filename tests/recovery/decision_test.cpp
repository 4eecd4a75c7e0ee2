// transaction.md, "What recovery decides", row by row.
#include "recovery/decision.hpp"

#include <gtest/gtest.h>

namespace update {
namespace {

using Files = std::vector<Observation>;

Observation old_file(bool staged = true) {
  return {false, Holds::old_bytes, staged, staged, true};
}
Observation new_file(bool backed_up = true) {
  return {false, Holds::new_bytes, false, true, backed_up};
}
/// Somebody's own file, where the staged one still waits, and where it was renamed before.
Observation stranger_before_rename() {
  return {false, Holds::foreign, true, true, true};
}
Observation stranger_after_rename() {
  return {false, Holds::foreign, false, false, true};
}
Observation unchanged_file() {
  return {true, Holds::old_bytes, true, true, true};
}

Situation found(Phase phase, Files files) {
  Situation now;
  now.phase = phase;
  now.files = std::move(files);
  return now;
}

Action action(Situation now, RecoveryPolicy policy = RecoveryPolicy::automatic,
              bool from_command_line = false) {
  now.policy = policy;
  now.policy_from_command_line = from_command_line;
  return decide(now).action;
}

constexpr auto kAuto = RecoveryPolicy::automatic;
constexpr auto kRollback = RecoveryPolicy::rollback;
constexpr auto kReplay = RecoveryPolicy::replay;

TEST(Decision, StageAndBackupAreDiscardedUnderAnyPolicy) {
  for (const Phase phase : {Phase::stage, Phase::backup}) {
    for (const RecoveryPolicy policy : {kAuto, kRollback, kReplay}) {
      EXPECT_EQ(action(found(phase, {old_file(), old_file(false)}), policy), Action::discard);
      EXPECT_EQ(action(found(phase, {stranger_after_rename()}), policy), Action::discard);
    }
  }
}

TEST(Decision, ASwapWhoseNewFilesAreAllThereIsReplayed) {
  const Situation now = found(Phase::swap, {new_file(), old_file()});
  EXPECT_EQ(action(now, kAuto), Action::replay_swap);
  EXPECT_EQ(action(now, kRollback), Action::put_back);
  EXPECT_EQ(action(now, kReplay), Action::replay_swap);
}

TEST(Decision, ASwapThatChangedNothingAndLacksNewFilesIsRolledBack) {
  const Situation now = found(Phase::swap, {old_file(), old_file(false)});
  for (const RecoveryPolicy policy : {kAuto, kRollback, kReplay}) {
    EXPECT_EQ(action(now, policy), Action::put_back);
  }
}

TEST(Decision, AMixedSwapThatLacksNewFilesIsPutBackOrAsked) {
  const Situation now = found(Phase::swap, {new_file(), old_file(false)});
  EXPECT_EQ(action(now, kAuto), Action::put_back);
  EXPECT_EQ(action(now, kRollback), Action::put_back);
  EXPECT_EQ(action(now, kReplay), Action::ask_operator);
}

TEST(Decision, AMixedSwapWithoutItsBackupsNeedsAPerson) {
  const Situation now = found(Phase::swap, {new_file(false), old_file(false)});
  EXPECT_EQ(action(now, kAuto), Action::ask_operator);
  EXPECT_EQ(action(now, kRollback), Action::ask_operator);
}

TEST(Decision, AStrangerBeforeTheFirstRenameIsLeftAlone) {
  EXPECT_EQ(action(found(Phase::swap, {stranger_before_rename(), old_file()})), Action::discard);
}

TEST(Decision, AStrangerAfterTheFirstRenameNeedsAPerson) {
  for (const Situation& now : {found(Phase::swap, {new_file(), stranger_before_rename()}),
                               found(Phase::swap, {stranger_after_rename(), old_file()})})
    for (const RecoveryPolicy policy : {kAuto, kRollback, kReplay}) {
      EXPECT_EQ(action(now, policy), Action::ask_operator);
    }
}

TEST(Decision, ACrashAfterNewCodeHasRunIsPutBack) {
  for (const Phase phase : {Phase::restart, Phase::doctor}) {
    const Situation now = found(phase, {new_file(), new_file()});
    EXPECT_EQ(action(now, kAuto), Action::put_back);
    EXPECT_EQ(action(now, kRollback), Action::put_back);
    EXPECT_EQ(action(now, kReplay), Action::replay_restart);
  }
}

TEST(Decision, TheSecondCrashAfterNewCodeRollsBackUnderAnyPolicy) {
  Situation now = found(Phase::doctor, {new_file()});
  now.resumptions_after_new_code = 1;
  EXPECT_EQ(action(now, kReplay), Action::put_back);
}

TEST(Decision, WhatWaitsInThisBootIsJudgedByTheDoctor) {
  Situation now = found(Phase::doctor, {new_file()});
  now.waits_in_this_boot = true;
  EXPECT_EQ(action(now, kAuto), Action::verify);
  EXPECT_EQ(action(now, kRollback), Action::put_back);
  EXPECT_EQ(action(now, kReplay), Action::verify);
  now.at_boot = true;
  EXPECT_EQ(action(now, kAuto), Action::wait);
}

TEST(Decision, TheNoteOfAnotherBootIsACrash) {
  EXPECT_EQ(action(found(Phase::doctor, {new_file()})), Action::put_back);
}

TEST(Decision, ARollbackIsFinished) {
  for (const RecoveryPolicy policy : {kAuto, kRollback, kReplay}) {
    EXPECT_EQ(action(found(Phase::rollback, {new_file(), old_file()}), policy),
              Action::finish_rollback);
  }
  Situation discarding = found(Phase::rollback, {stranger_after_rename()});
  discarding.discarding = true;
  EXPECT_EQ(action(discarding), Action::finish_discard);
}

TEST(Decision, NeedsOperatorLooksAgain) {
  for (const RecoveryPolicy policy : {kAuto, kRollback, kReplay}) {
    EXPECT_EQ(action(found(Phase::needs_operator, {old_file(), old_file()}), policy),
              Action::conclude_old);
    Situation all_new = found(Phase::needs_operator, {new_file(), new_file()});
    EXPECT_EQ(action(all_new, policy), Action::ask_operator);
    all_new.found_well = true;
    EXPECT_EQ(action(all_new, policy), Action::conclude_new);
    EXPECT_EQ(action(found(Phase::needs_operator, {old_file(), new_file()}), policy),
              Action::ask_operator);
    EXPECT_EQ(action(found(Phase::needs_operator, {stranger_after_rename()}), policy),
              Action::ask_operator);
  }
}

Situation rollback_command(Phase phase, Files files) {
  Situation now = found(phase, std::move(files));
  now.kind = TransactionKind::rollback;
  return now;
}

TEST(Decision, ACrashedRollbackCommandGoesForward) {
  const Situation swapping = rollback_command(Phase::swap, {new_file(), old_file()});
  EXPECT_EQ(action(swapping, kAuto), Action::replay_swap);
  // A configured policy does not turn it back, one given on the command line does.
  EXPECT_EQ(action(swapping, kRollback), Action::replay_swap);
  EXPECT_EQ(action(swapping, kRollback, true), Action::put_back);
  const Situation restarting = rollback_command(Phase::restart, {new_file()});
  EXPECT_EQ(action(restarting, kAuto), Action::replay_restart);
  EXPECT_EQ(action(restarting, kRollback, true), Action::put_back);
}

TEST(Decision, TheSecondResumptionOfARollbackCommandNeedsAPerson) {
  for (const Phase phase : {Phase::swap, Phase::restart, Phase::doctor}) {
    Situation now = rollback_command(phase, {new_file()});
    now.resumptions = 1;
    EXPECT_EQ(action(now), Action::ask_operator);
  }
}

TEST(Decision, TheFifthResumptionWithoutProgressNeedsAPerson) {
  Situation now = found(Phase::rollback, {new_file()});
  now.without_progress = 3;
  EXPECT_EQ(action(now), Action::finish_rollback);
  now.without_progress = 4;
  EXPECT_EQ(action(now), Action::ask_operator);
}

TEST(Decision, AfterALostJournalMixedFilesGoBackForAnApplyAndForwardForARollback) {
  Situation now = found(Phase::swap, {new_file(), old_file()});
  now.reconstructed = true;
  EXPECT_EQ(action(now), Action::put_back);
  now.kind = TransactionKind::rollback;
  EXPECT_EQ(action(now), Action::replay_swap);
  now.files = {new_file(), old_file(false)};
  EXPECT_EQ(action(now), Action::ask_operator);
  now.files = {old_file(), old_file()};
  EXPECT_EQ(action(now), Action::stay_old) << "of a rollback too: no file would move";
  now.files = {new_file(), new_file()};
  EXPECT_EQ(action(now), Action::replay_swap);
}

TEST(Decision, UnchangedFilesSayNothing) {
  EXPECT_EQ(action(found(Phase::needs_operator, {unchanged_file(), old_file()})),
            Action::conclude_old);
  Situation all_new = found(Phase::needs_operator, {unchanged_file(), new_file()});
  all_new.found_well = true;
  EXPECT_EQ(action(all_new), Action::conclude_new);
}

TEST(Decision, EveryActionHasTheNameThatStatusGivesIt) {
  EXPECT_EQ(name_of(Action::wait), "nothing");
  EXPECT_EQ(name_of(Action::discard), "discard");
  EXPECT_EQ(name_of(Action::replay_swap), "replay");
  EXPECT_EQ(name_of(Action::put_back), "rollback");
  EXPECT_EQ(name_of(Action::stay_old), "rollback");
  EXPECT_EQ(name_of(Action::verify), "verify");
  EXPECT_EQ(name_of(Action::ask_operator), "needs_operator");
}

}  // namespace
}  // namespace update
