// Can the enumeration find anything? Bugs are planted in the recording, and each has to be found by
// name in at least one model; a sync that nobody misses is named here, with the reason.

#include <gtest/gtest.h>

#include <iostream>
#include <map>
#include <optional>
#include <unordered_set>
#include <utility>

#include "tests/crash/power_cut/planted_bugs.hpp"
#include "tests/crash/power_cut/trial.hpp"
#include "tests/crash/sampling.hpp"

namespace update::crash {
namespace {

/// Where a bug is looked for.
struct Where {
  Model model = Model::posix;
  AlsoLost also_lost = AlsoLost::nothing;
};

constexpr Where kPosix{};
constexpr Where kOrdered{Model::ordered};
constexpr Where kWithoutJournal{Model::posix, AlsoLost::journal};
constexpr Where kWithoutIntent{Model::posix, AlsoLost::intent};

/// Plants bugs in the recording of one update.
class Nursery {
 public:
  explicit Nursery(Update update) : update_(std::move(update)), recorded_(update_) {}

  const Recording& recording() const { return recorded_.recording(); }

  /// What is wrong in the first of the states that the bug makes possible, of those that are known
  /// to hold without it; nullopt: nothing, in all of them.
  std::optional<std::string> find(const PlantedBug& bug, Where where) {
    const Enumeration enumeration{where.model, false, true, where.also_lost};
    auto& sound = sound_[{where.model, where.also_lost}];
    if (sound.empty()) sound = prints(distinct_states(recording(), enumeration));
    Trial trial(recorded_, bug.recording, update_);
    for (const CutState& state : distinct_states(bug.recording, enumeration, sound)) {
      ++tried_;
      const Findings findings = trial.findings(state, where.also_lost);
      if (findings.empty()) continue;
      return describe(bug.recording, state) + to_message(findings);
    }
    return std::nullopt;
  }

  std::size_t tried() const { return tried_; }

 private:
  Update update_;
  RecordedHost recorded_;
  std::map<std::pair<Model, AlsoLost>, std::unordered_set<std::uint64_t>> sound_;
  std::size_t tried_ = 0;
};

/// A sync, and where it is found that it was forgotten; nullopt: nobody misses it, for the reason
/// given.
struct Expectation {
  std::string name;
  std::optional<Where> where;
  std::string reason = {};
};

void expect_found(Nursery& nursery, const PlantedBug& bug, Where where) {
  const std::size_t before = nursery.tried();
  const auto found = nursery.find(bug, where);
  std::cout << bug.name << ": " << (found ? "found in state " : "not found in ")
            << nursery.tried() - before << "\n";
  EXPECT_TRUE(found) << bug.name;
}

void expect_not_missed(Nursery& nursery, const PlantedBug& bug, const std::string& reason) {
  const std::size_t before = nursery.tried();
  for (const Where where : {kPosix, kOrdered, kWithoutJournal, kWithoutIntent}) {
    const auto found = nursery.find(bug, where);
    EXPECT_FALSE(found) << bug.name << ": " << reason << ", yet " << *found;
  }
  std::cout << bug.name << ": not missed in " << nursery.tried() - before << " states; " << reason
            << "\n";
}

/// Forgets each sync call of the recording in turn; in a sample, every `stride`-th.
void forget_syncs(const Update& update, std::size_t stride,
                  const std::vector<Expectation>& expectations) {
  NEEDS_TOOL("strace");
  Nursery nursery(update);
  const std::vector<SyncCall> syncs = sync_calls(nursery.recording());
  ASSERT_EQ(syncs.size(), expectations.size()) << "another sync call, or one less: what is it for?";
  for (std::size_t index = 0; index < syncs.size(); ++index) {
    ASSERT_EQ(syncs[index].name, expectations[index].name);
  }
  for (const std::size_t index : chosen_points(syncs.size(), stride)) {
    const Expectation& expected = expectations[index];
    const PlantedBug bug = without(nursery.recording(), syncs[index]);
    if (expected.where) {
      expect_found(nursery, bug, *expected.where);
    } else {
      expect_not_missed(nursery, bug, expected.reason);
    }
  }
}

constexpr const char* kMadeBefore = "SQLite's own, for the name of a log that was there already";
constexpr const char* kSqlitesHeader =
    "SQLite's own, for a log's header: later syncs take it along";
constexpr const char* kSyncedBefore = "SQLite's own, of a log whose commits were synced already";

TEST(PlantedBug, EachForgottenSyncOfAnApplyIsFound) {
  forget_syncs(an_apply(), 1,
               {{"fsync bin/.alpha.staged (1)", kOrdered},
                {"fsync bin/.beta.staged (1)", kPosix},
                {"fsync bin/.gamma.staged (1)", kPosix},
                {"fsync bin (1)", kPosix},  // the names of staged files and backups
                {"fsync state/intent (1)", kWithoutJournal},
                {"fdatasync state/journal.db-wal (1)", kWithoutIntent},  // (a)
                {"fdatasync state (1)", std::nullopt, kMadeBefore},
                {"fsync bin (2)", kPosix},                       // the swap
                {"fdatasync state/journal.db-wal (2)", kPosix},  // (b)
                {"fdatasync state/journal.db-wal (3)", kPosix},  // (c)
                {"fsync state (1)", kPosix},                     // the folder of the generations
                {"fsync state/generations (1)", kPosix}});
}

TEST(PlantedBug, ForgottenSyncsOfAnApplyThatIsUndoneAreFound) {
  constexpr const char* kUndone = "recover puts the old bytes back from restart and doctor too";
  forget_syncs(an_apply_whose_doctor_fails(), 6,
               {{"fsync bin/.alpha.staged (1)", kOrdered},
                {"fsync bin/.beta.staged (1)", kPosix},
                {"fsync bin/.gamma.staged (1)", kPosix},
                {"fsync bin (1)", kPosix},
                {"fsync state/intent (1)", kWithoutJournal},
                {"fdatasync state/journal.db-wal (1)", kWithoutIntent},
                {"fdatasync state (1)", std::nullopt, kMadeBefore},
                {"fsync bin (2)", std::nullopt, "the swap is undone in any case"},
                {"fdatasync state/journal.db-wal (2)", std::nullopt, kUndone},  // (b)
                {"fdatasync state/journal.db-wal (3)", std::nullopt, kUndone},  // (c')
                {"fsync bin (3)", kPosix},
                {"fdatasync state/journal.db-wal (4)", kPosix}});  // (d')
}

TEST(PlantedBug, ForgottenSyncsOfARollbackAreFound) {
  forget_syncs(
      a_rollback(), 6,
      {{"fsync bin (1)", kPosix},
       {"fsync state/intent (1)", kWithoutJournal},
       {"fdatasync state/journal.db-wal (1)", kWithoutIntent},
       {"fdatasync state (1)", std::nullopt, kMadeBefore},
       {"fsync bin (2)", kPosix},
       {"fdatasync state/journal.db-wal (2)", std::nullopt, "recover goes forward from swap too"},
       {"fdatasync state/journal.db-wal (3)", kPosix},
       {"fsync state/generations (1)", std::nullopt, "it keeps the version that is installed"}});
}

TEST(PlantedBug, ForgottenSyncsOfAFirstInstallAreFound) {
  forget_syncs(a_first_install(), 6,
               {{"fsync . (1)", kPosix},
                {"fsync state/.journal.db.tmp (1)", kPosix},
                {"fdatasync state/journal.db-wal (1)", std::nullopt, kSqlitesHeader},
                {"fdatasync state (1)", kPosix},
                {"fsync bin/.alpha.staged (1)", kOrdered},
                {"fsync bin/.beta.staged (1)", kPosix},
                {"fsync bin/.gamma.staged (1)", kPosix},
                {"fsync bin (1)", std::nullopt, "it is undone by removing, which needs no backup"},
                {"fsync state/intent (1)", kWithoutJournal},
                {"fdatasync state/journal.db-wal (2)", kWithoutIntent},
                {"fsync bin (2)", kPosix},
                {"fdatasync state/journal.db-wal (3)", kPosix},
                {"fdatasync state/journal.db-wal (4)", kPosix}});
}

TEST(PlantedBug, ForgottenSyncsOfARecoveryAreFound) {
  forget_syncs(a_recovery_of_a_stopped_swap(), 6,
               {{"fdatasync state/journal.db-wal (1)", std::nullopt, kSyncedBefore},
                {"fdatasync state (1)", std::nullopt, kMadeBefore},
                {"fdatasync state/journal.db (1)", kPosix},
                {"fdatasync state/journal.db-wal (2)", std::nullopt, kSqlitesHeader},
                {"fdatasync state/journal.db-wal (3)", std::nullopt,
                 "the count of resumptions: one cut is not enough to miss it"},
                {"fsync bin (1)", kPosix},
                {"fdatasync state/journal.db-wal (4)", kPosix},
                {"fdatasync state/journal.db-wal (5)", kPosix},
                {"fsync state (1)", kPosix},
                {"fsync state/generations (1)", kPosix}});
}

TEST(PlantedBug, ForgottenSyncsOfARecoveryThatGoesBackAreFound) {
  forget_syncs(a_recovery_that_goes_back(), 6,
               {{"fdatasync state/journal.db-wal (1)", std::nullopt, kSyncedBefore},
                {"fdatasync state (1)", std::nullopt, kMadeBefore},
                {"fdatasync state/journal.db (1)", kPosix},
                {"fdatasync state/journal.db-wal (2)", std::nullopt, kSqlitesHeader},
                {"fdatasync state/journal.db-wal (3)", std::nullopt,
                 "the count of resumptions: one cut is not enough to miss it"},
                {"fdatasync state/journal.db-wal (4)", kPosix},  // (c')
                {"fsync bin (1)", kPosix},
                {"fdatasync state/journal.db-wal (5)", kPosix}});  // (d')
}

TEST(PlantedBug, TheBugsThatUpdatersHaveAreFound) {
  NEEDS_TOOL("strace");
  Nursery nursery(an_apply());
  const Recording& recording = nursery.recording();
  expect_found(nursery, without_log_syncs(recording), kPosix);
  expect_found(nursery, rename_before_sync(recording), kOrdered);
  expect_found(nursery, write_in_place(recording), kOrdered);
  expect_found(nursery, effect_before_intent(recording), kWithoutIntent);
}

}  // namespace
}  // namespace update::crash
