// Every state that a disk may hold after a power cut in the real program, one by one: recovered by
// the real program, and within the invariants. By default a sample that the seed chooses; the full
// mode visits all of them, and loses each pair of operations too.

#include <gtest/gtest.h>

#include "tests/crash/power_cut/trial.hpp"
#include "tests/crash/sampling.hpp"

namespace update::crash {
namespace {

/// At most that many states of an update and a model are tried in a sample.
constexpr std::size_t kSample = 60;
/// Every so many of them are looked at by all checks there are.
constexpr std::size_t kThoroughly = 10;
/// A few that went wrong explain themselves best.
constexpr std::size_t kExplained = 3;

std::string name_of(const Update& update, const Enumeration& enumeration) {
  std::string name = "power cut, ";
  name += enumeration.model == Model::posix ? "POSIX, " : "ordered, ";
  name += update.name;
  if (enumeration.also_lost == AlsoLost::journal) name += ", without the journal";
  if (enumeration.also_lost == AlsoLost::intent) name += ", without the intent";
  return name + (enumeration.by_committed_log ? "" : ", by byte");
}

void sweep(const Update& update, RecordedHost& recorded, const Enumeration& enumeration) {
  const auto states = distinct_states(recorded.recording(), enumeration);
  Trial trial(recorded, recorded.recording(), update);
  Tally tally{name_of(update, enumeration)};
  tally.recorded = states.size();
  for (const std::size_t point :
       chosen_points(states.size(), (states.size() + kSample - 1) / kSample)) {
    Findings findings = trial.findings(states[point], enumeration.also_lost);
    const bool thorough = tally.tried % kThoroughly == 0;
    if (thorough && findings.empty() && enumeration.also_lost == AlsoLost::nothing) {
      findings = trial.more_findings(states[point]);
    }
    ++tally.tried;
    ++tally.reached;
    tally.held += findings.empty() ? 1U : 0U;
    if (findings.empty()) continue;
    ADD_FAILURE() << describe(recorded.recording(), states[point]) << to_message(findings);
    if (tally.tried - tally.held == kExplained) break;
  }
  tally.report();
}

void sweep(const Update& update, Model model) {
  NEEDS_TOOL("strace");
  RecordedHost recorded(update);
  if (testing::Test::HasFailure()) return;
  sweep(update, recorded, {model, full_sweep()});
  if (full_sweep()) sweep(update, recorded, {model, false, false});
}

class PowerCut : public testing::TestWithParam<Model> {};

INSTANTIATE_TEST_SUITE_P(Models, PowerCut, testing::Values(Model::posix, Model::ordered),
                         [](const auto& model) {
                           return model.param == Model::posix ? "Posix" : "Ordered";
                         });

TEST_P(PowerCut, InAnApplyLeavesOneVersion) {
  sweep(an_apply(), GetParam());
}

TEST_P(PowerCut, InAnApplyThatIsUndoneLeavesTheOldVersion) {
  sweep(an_apply_whose_doctor_fails(), GetParam());
}

TEST_P(PowerCut, InARollbackLeavesOneVersion) {
  sweep(a_rollback(), GetParam());
}

TEST_P(PowerCut, InAFirstInstallLeavesAllOrNothing) {
  sweep(a_first_install(), GetParam());
}

TEST_P(PowerCut, InARecoveryThatGoesOnLeavesOneVersion) {
  sweep(a_recovery_of_a_stopped_swap(), GetParam());
}

TEST_P(PowerCut, InARecoveryThatGoesBackLeavesOneVersion) {
  sweep(a_recovery_that_goes_back(), GetParam());
}

TEST_P(PowerCut, InACheckpointLeavesOneVersion) {
  sweep(an_apply_that_checkpoints(), GetParam());
}

TEST_P(PowerCut, InAnApplyRightAfterTheFirstLeavesOneVersion) {
  sweep(an_apply_right_after_the_first(), GetParam());
}

TEST_P(PowerCut, InAnApplyThatLosesItsJournalTooLeavesOneVersion) {
  NEEDS_TOOL("strace");
  const Update update = an_apply();
  RecordedHost recorded(update);
  sweep(update, recorded, {GetParam(), full_sweep(), true, AlsoLost::journal});
}

TEST_P(PowerCut, InAnApplyThatLosesItsIntentTooLeavesOneVersion) {
  NEEDS_TOOL("strace");
  const Update update = an_apply();
  RecordedHost recorded(update);
  sweep(update, recorded, {GetParam(), full_sweep(), true, AlsoLost::intent});
}

}  // namespace
}  // namespace update::crash
