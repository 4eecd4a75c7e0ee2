// A sweep that finds nothing proves nothing unless it finds what is missing. Here each sync of an
// update, each durable point, the write of the intent, the note of what waits and the count of
// resumptions are taken away in turn, by a file system that claims to have done them, and the
// sweeps must say so. The shipped program has no part in it.

#include <gtest/gtest.h>

#include <iostream>
#include <memory>
#include <set>

#include "engine/base/layout.hpp"
#include "tests/crash/memory/explorer.hpp"

namespace update::crash {
namespace {

bool is_sync(const FakeCall& call) {
  return call.verb == FakeCall::Verb::sync_file || call.verb == FakeCall::Verb::sync_folder;
}

/// One call of a run: the `nth` whose line reads so.
struct Place {
  std::string line;
  int nth = 1;
};

/// The calls of that kind which `run` makes, in order.
template <class Run>
std::vector<Place> places_of(World& world, bool (*kind)(const FakeCall&), Run run) {
  run(world);
  std::vector<Place> places;
  std::map<std::string, int> counts;
  for (const FakeCall& call : world.fake.files.calls()) {
    if (kind(call)) places.push_back({call.line(), ++counts[call.line()]});
  }
  return places;
}

Tamper without(const Place& place) {
  return [place](World& world) {
    const auto met = std::make_shared<int>(0);
    world.fake.files.drop_always([place, met](const FakeCall& call) {
      return call.line() == place.line && ++*met == place.nth;
    });
  };
}

Tamper without_every(const std::string& beginning) {
  return [beginning](World& world) {
    world.fake.files.drop_always(
        [beginning](const FakeCall& call) { return call.line().starts_with(beginning); });
  };
}

std::string in_state(std::string_view name) {
  return std::string(World::kState) + "/" + std::string(name);
}

Explorer::Options tampered(const Tamper& command, const Tamper& recovery) {
  Explorer::Options options;
  options.tamper_command = command;
  options.tamper_recovery = recovery;
  options.most_findings = 1;
  return options;
}

/// What a sweep says that stops the command everywhere.
std::vector<std::string> stopped_once(const Story& story, const Tamper& command) {
  Explorer explorer(story, tampered(command, {}));
  explorer.depth_one();
  return explorer.findings();
}

class Mutation : public testing::TestWithParam<const char*> {};

std::vector<Place> syncs_of(const Story& told) {
  HostState start;
  start.disk = told.start;
  const auto world = wake(start, told);
  return places_of(*world, is_sync, [&](World& running) { (void)told.command(running); });
}

/// Syncs that are SQLite's, not ours: of the header of a WAL that begins anew, and of the folder
/// with a connection's first sync.
bool is_sqlites_own(const Place& place) {
  return place.nth == 1 && (place.line == "sync file " + in_state(kJournalWalName) ||
                            place.line == "sync folder " + std::string(World::kState));
}

/// All of an update's, and of the other commands those that an update does not make as well.
std::vector<Place> own_syncs_of(const Story& told) {
  std::set<std::pair<std::string, int>> seen;
  if (told.name != "Apply") {
    for (const Place& place : syncs_of(story("Apply"))) seen.emplace(place.line, place.nth);
  }
  std::vector<Place> own;
  for (const Place& place : syncs_of(told)) {
    if (!is_sqlites_own(place) && !seen.contains({place.line, place.nth})) own.push_back(place);
  }
  return own;
}

TEST_P(Mutation, EachSyncOfTheCommandIsMissed) {
  const Story& told = story(GetParam());
  const auto places = own_syncs_of(told);
  ASSERT_FALSE(places.empty());
  for (const Place& place : places) {
    EXPECT_FALSE(stopped_once(told, without(place)).empty())
        << "nobody misses " << place.line << ", number " << place.nth;
  }
  std::cout << told.name << ": " << places.size() << " syncs taken away\n";
}

INSTANTIATE_TEST_SUITE_P(Each, Mutation, testing::Values("Apply", "UndoneApply", "FirstInstall"),
                         [](const auto& tested) { return std::string(tested.param); });

TEST(Mutation, TheWriteOfTheIntentIsMissed) {
  const auto findings =
      stopped_once(story("Apply"), without_every("write " + in_state(kIntentName)));
  EXPECT_FALSE(findings.empty());
}

/// The syncs that a recovery makes anywhere, by what they sync.
std::set<std::string> syncs_of_recovery(const Explorer& explored, const Story& told) {
  std::set<std::string> lines;
  for (const HostState& state : explored.states()) {
    const auto world = wake(state, told);
    (void)world->recover();
    for (const FakeCall& call : world->fake.files.calls()) {
      if (is_sync(call)) lines.insert(call.line());
    }
  }
  return lines;
}

TEST(Mutation, EachSyncOfARecoveryIsMissed) {
  const Story& told = story("Apply");
  Explorer clean(told, tampered({}, {}));
  clean.depth_one();
  ASSERT_TRUE(clean.findings().empty());
  for (const std::string& line : syncs_of_recovery(clean, told)) {
    Explorer explorer = clean;
    explorer.tamper_recovery(without_every(line));
    explorer.depth_two(by_recover());
    if (explorer.findings().empty()) explorer.loops_end();
    EXPECT_FALSE(explorer.findings().empty()) << "nobody misses " << line;
  }
}

/// Without the note, or with one of another boot, what waits is taken for a crash.
TEST(Mutation, TheNoteOfWhatWaitsIsMissed) {
  const Repair forgets{"recover --boot, and its note is of no use",
                       [](World& world) -> Result<RecoverReport> {
                         RecoverRequest boot;
                         boot.boot = true;
                         UPDATE_TRY(world.recover(boot));
                         world.kill();
                         world.fake.host.reboot();
                         return world.recover();
                       }};
  Explorer explorer(story("Apply"), tampered({}, {}));
  explorer.depth_one();
  ASSERT_TRUE(explorer.findings().empty());
  explorer.compare(forgets);
  EXPECT_FALSE(explorer.findings().empty());
}

TEST(Mutation, TheCountOfResumptionsIsMissed) {
  Explorer explorer(story("Apply"),
                    tampered({}, without_every("sync file " + in_state(kJournalWalName))));
  explorer.depth_one();
  explorer.loops_end();
  EXPECT_FALSE(explorer.findings().empty());
}

}  // namespace
}  // namespace update::crash
