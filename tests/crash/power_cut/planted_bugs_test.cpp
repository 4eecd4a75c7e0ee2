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

/// A bug, and where it is found; nullopt: nobody misses that sync, for the reason given.
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

void expect_missed_by_nobody(Nursery& nursery, const PlantedBug& bug, const std::string& reason) {
  for (const Where where : {kPosix, kOrdered, kWithoutJournal, kWithoutIntent}) {
    const auto found = nursery.find(bug, where);
    EXPECT_FALSE(found) << bug.name << ": " << reason << ", yet " << *found;
  }
  std::cout << bug.name << ": missed by nobody; " << reason << "\n";
}

/// Each sync call of the recording, with the first of the places where its absence is found.
void forget_each_sync(const Update& update, const std::vector<Expectation>& expectations) {
  NEEDS_TOOL("strace");
  Nursery nursery(update);
  const std::vector<SyncCall> syncs = sync_calls(nursery.recording());
  ASSERT_EQ(syncs.size(), expectations.size())
      << "another sync call, or one less: say what it is for";
  for (std::size_t index = 0; index < syncs.size(); ++index) {
    const Expectation& expected = expectations[index];
    ASSERT_EQ(syncs[index].name, expected.name);
    const PlantedBug bug = without(nursery.recording(), syncs[index]);
    if (expected.where) {
      expect_found(nursery, bug, *expected.where);
    } else {
      expect_missed_by_nobody(nursery, bug, expected.reason);
    }
  }
}

TEST(PlantedBug, EachForgottenSyncOfAnApplyIsFound) {
  forget_each_sync(an_apply(),
                   {{"fsync bin/.alpha.staged (1)", kOrdered},
                    {"fsync bin/.beta.staged (1)", kPosix},
                    {"fsync bin/.gamma.staged (1)", kPosix},
                    {"fsync bin (1)", kPosix},  // the names of staged files and backups
                    {"fsync state/intent (1)", kWithoutJournal},
                    {"fdatasync state/journal.db-wal (1)", kWithoutIntent},  // (a)
                    {"fdatasync state (1)", std::nullopt,
                     "SQLite's own, for the name of a log that was made before this run"},
                    {"fsync bin (2)", kPosix},                       // the swap
                    {"fdatasync state/journal.db-wal (2)", kPosix},  // (b)
                    {"fdatasync state/journal.db-wal (3)", kPosix},  // (c)
                    {"fsync state (1)", kPosix},  // the folder of the generations
                    {"fsync state/generations (1)", kPosix}});
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
