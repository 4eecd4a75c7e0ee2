// What the search of update.pml found in the program, each as the shortest story that shows it.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/fixture/world.hpp"

namespace update::crash {
namespace {

/// Runs `command` until its n-th changing call and kills it there; false: it ended before.
template <class Command>
bool kill_before_call(World& world, std::uint64_t call, Command command) {
  world.fake.files.stop_at(world.fake.files.call_count() + call, When::before);
  bool stopped = true;
  try {
    command();
    stopped = world.fake.files.stopped();
  } catch (const PowerCut&) {
  }
  if (stopped) world.kill();
  return stopped;
}

/// The number of the first changing call of `command`, run on a copy, whose line contains all of
/// `words`; 0: none.
template <class Command>
std::uint64_t call_with(const FakeDisk& disk, const std::vector<std::string>& words,
                        Command command) {
  World copy(disk);
  command(copy);
  const std::vector<std::string> lines = copy.fake.files.lines();
  const auto found = std::find_if(lines.begin(), lines.end(), [&](const std::string& line) {
    return std::all_of(words.begin(), words.end(), [&](const std::string& word) {
      return line.find(word) != std::string::npos;
    });
  });
  return found == lines.end() ? 0 : static_cast<std::uint64_t>(found - lines.begin()) + 1;
}

std::size_t restarts(const World& world) {
  const auto lines = world.fake.processes.lines();
  return static_cast<std::size_t>(std::count(lines.begin(), lines.end(), "/usr/bin/restart"));
}

// The power went in the middle of a swap, and the services came up before any recovery had run
// (recover --boot was killed, or is not there): some of them run new code. Nothing of that is in
// the journal, but the boot is.
TEST(FoundByModel, AnUndoInAnotherBootRestartsWhatTheBootStarted) {
  World world;
  ASSERT_TRUE(world.apply("1.0.0").status);
  world.make_release("1.1.0");
  const auto apply = [](World& host) { (void)host.apply("1.1.0"); };
  const std::uint64_t second_rename =
      call_with(world.fake.files.disk(), {"rename", ".staged", "/beta"}, apply);
  ASSERT_GT(second_rename, 0U);
  ASSERT_TRUE(kill_before_call(world, second_rename, [&] { apply(world); }));
  world.reboot(LossPattern::keep_all());
  ASSERT_EQ(world.version(), "mixed");
  const std::size_t before = restarts(world);
  RecoverRequest request;
  request.policy = RecoveryPolicy::rollback;
  ASSERT_TRUE(world.recover(request));
  EXPECT_EQ(world.version(), "1.0.0");
  EXPECT_EQ(restarts(world), before + 1)
      << "rolled_back: the host runs what it ran before, and it still runs what the boot found";
}

// Four recoveries in a row were killed before they did anything, and the fifth asked for a person,
// who wants the new version. Its files had been staged, but their writer had died before the sync.
TEST(FoundByModel, AForcedCommitOfWhatWasNeverSyncedSurvivesAPowerCut) {
  World world;
  ASSERT_TRUE(world.apply("1.0.0").status);
  world.make_release("1.1.0");
  const auto apply = [](World& host) { (void)host.apply("1.1.0"); };
  const std::uint64_t first_sync = call_with(world.fake.files.disk(), {"sync ", ".staged"}, apply);
  ASSERT_GT(first_sync, 0U);
  ASSERT_TRUE(kill_before_call(world, first_sync, [&] { apply(world); }));
  const auto recover = [](World& host) { (void)host.recover(); };
  for (std::int64_t resumed = 1; resumed <= 4; ++resumed) {
    // The note is recorded by then, and the discard begins with the next write of the journal.
    for (std::uint64_t call = 1; world.newest()->resumptions < resumed; ++call) {
      ASSERT_LT(call, 50U);
      World attempt(world.fake.files.disk());
      if (!kill_before_call(attempt, call, [&] { recover(attempt); })) FAIL() << "not counted";
      if (attempt.newest()->resumptions < resumed) continue;
      ASSERT_TRUE(kill_before_call(world, call, [&] { recover(world); }));
    }
    ASSERT_EQ(world.newest()->phase, Phase::stage);
  }
  ASSERT_FALSE(world.recover());
  ASSERT_EQ(world.newest()->phase, Phase::needs_operator);
  RecoverRequest request;
  request.force = Force::commit;
  request.reason = "the new version is wanted";
  const auto forced = world.recover(request);
  ASSERT_TRUE(forced) << forced.error().message();
  world.reboot(LossPattern::keep_nothing());
  EXPECT_EQ(world.newest()->phase, Phase::committed);
  EXPECT_EQ(world.version(), "1.1.0");
}

}  // namespace
}  // namespace update::crash
