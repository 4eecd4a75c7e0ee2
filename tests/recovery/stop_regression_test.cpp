// One test for each bug that stopping the machine everywhere (tests/crash) has found, at the stop
// that showed it.

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/base/layout.hpp"
#include "tests/fixture/world.hpp"

namespace update {
namespace {

std::string in_state(std::string_view name) {
  return std::string(World::kState) + "/" + std::string(name);
}

/// Runs `command` until a call whose line begins with `line`, the `nth` of its kind, and stops the
/// machine before it.
template <class Command>
void stop_before(World& world, const std::string& line, int nth, Command command) {
  int met = 0;
  world.fake.files.before_each_call([&world, line, nth, &met](const FakeCall& call) {
    if (call.line().starts_with(line) && ++met == nth) world.fake.files.cut_power();
  });
  try {
    command();
  } catch (const PowerCut&) {
  }
  ASSERT_TRUE(world.fake.files.stopped()) << "never came to: " << line;
}

/// A power cut that keeps all but the pending operations that speak of `what`.
LossPattern losing(World& world, const std::string& what) {
  std::vector<Fate> fates;
  for (const std::string& line : world.fake.files.pending()) {
    fates.push_back(line.find(what) == std::string::npos ? Fate::kept : Fate::lost);
  }
  EXPECT_TRUE(std::count(fates.begin(), fates.end(), Fate::lost)) << "nothing pending has " << what;
  return LossPattern::chosen(fates);
}

void remove_journal(World& world) {
  for (const auto name : {kJournalName, kJournalWalName}) {
    if (world.fake.files.exists(in_state(name))) world.fake.files.remove(in_state(name));
  }
}

std::string first_sync_of_wal() {
  return "sync file " + in_state(kJournalWalName);
}

TEST(StopRegression, AnIntentWhoseNameAPowerCutTookIsMadeAgain) {
  World world;
  world.preinstall("0.9.0");
  stop_before(world, first_sync_of_wal(), 1, [&] { (void)world.apply("1.0.0"); });
  world.reboot(losing(world, "intent="));
  ASSERT_TRUE(world.recover());
  const UpdateReport next = world.apply("1.0.0");
  EXPECT_TRUE(next.status) << next.status.error().message();
}

TEST(StopRegression, AStateFolderWhoseMakerWasKilledIsSynced) {
  World world;
  world.preinstall("0.9.0");
  stop_before(world, "sync folder /var/lib/demo", 1, [&] { (void)world.apply("1.0.0"); });
  world.kill();
  ASSERT_TRUE(world.apply("1.0.0").status);
  world.reboot(LossPattern::keep_nothing());
  ASSERT_TRUE(world.recover());
  ASSERT_TRUE(world.fake.files.exists(in_state(kJournalName)));
  EXPECT_EQ(world.newest()->phase, Phase::committed);
}

TEST(StopRegression, ALostJournalBesideAnUpdateThatWasOverIsBegunAnew) {
  World world;
  world.preinstall("0.9.0");
  ASSERT_TRUE(world.apply("1.0.0").status);
  ASSERT_TRUE(world.apply("1.1.0").status);
  // The last update's backups were never put away, and the head says that it is over.
  world.reboot(losing(world, ".backup=none"));
  remove_journal(world);
  const auto recovered = world.recover();
  ASSERT_TRUE(recovered) << recovered.error().message();
  EXPECT_EQ(world.version(), "1.1.0");
  EXPECT_TRUE(world.leftovers().empty());
  for (const std::string& name : World::names()) {
    EXPECT_EQ(world.fake.files.read(world.destination(name) + ".previous"),
              World::bytes_of(name, "1.0.0"));
    const auto older = generation_name(sha256_of(World::bytes_of(name, "0.9.0")));
    EXPECT_TRUE(world.fake.files.exists(in_state(kGenerationsName) + "/" + older))
        << "nobody knows any more that it was only an old version";
  }
}

TEST(StopRegression, ARollbackThatRenamedNothingNeedsNoPersonWhenTheJournalIsLost) {
  World world;
  ASSERT_TRUE(world.apply("1.0.0").status);
  ASSERT_TRUE(world.apply("1.1.0").status);
  world.kill();
  stop_before(world, "rename ", 1, [&] { (void)world.roll_back(); });
  world.kill();
  remove_journal(world);
  const auto recovered = world.recover();
  ASSERT_TRUE(recovered) << recovered.error().message();
  EXPECT_EQ(world.version(), "1.1.0");
}

TEST(StopRegression, APersonWhoIsAskedIsToldOfEachFile) {
  World world;
  world.preinstall("0.9.0");
  ASSERT_TRUE(world.apply("1.0.0").status);
  ASSERT_TRUE(world.apply("1.1.0").status);
  // Beside the backups there is neither an intent nor a head that knows them.
  for (const std::string& name : World::names()) {
    world.fake.files.put_file(
        std::string(World::kFolder) + "/" + backup_name(name, {TransactionId{9}, 1}),
        "of nobody knows which version");
  }
  world.kill();
  remove_journal(world);
  const auto recovered = world.recover();
  ASSERT_FALSE(recovered);
  EXPECT_EQ(recovered.error().code(), ErrorCode::needs_operator);
  for (const std::string& name : World::names()) {
    EXPECT_NE(recovered.error().message().find(world.destination(name)), std::string::npos)
        << recovered.error().message();
  }
}

TEST(StopRegression, ACommitThatRecoverSpeaksOfSurvivesAPowerCut) {
  World world;
  stop_before(world, first_sync_of_wal(), 4, [&] { (void)world.apply("1.0.0"); });
  world.kill();
  ASSERT_EQ(world.newest()->phase, Phase::committed) << "committed, and not on the disk yet";
  ASSERT_TRUE(world.recover());
  world.reboot(LossPattern::keep_nothing());
  EXPECT_EQ(world.newest()->phase, Phase::committed);
}

TEST(StopRegression, TheFirstOutcomeGetsItsHeadFromRecover) {
  World world;
  stop_before(world, "write " + in_state(kHeadName), 1, [&] { (void)world.apply("1.0.0"); });
  world.kill();
  ASSERT_EQ(world.fake.files.read(in_state(kHeadName)), "");
  ASSERT_TRUE(world.recover());
  EXPECT_NE(world.fake.files.read(in_state(kHeadName)), "");
}

TEST(StopRegression, AHeadThatNeverReachedTheDiskIsMadeAgain) {
  World world;
  ASSERT_TRUE(world.apply("1.0.0").status);
  ASSERT_TRUE(world.apply("1.1.0").status);
  world.reboot(losing(world, "of " + in_state(kHeadName)));
  ASSERT_EQ(world.fake.files.read(in_state(kHeadName)), "");
  ASSERT_TRUE(world.recover());
  EXPECT_NE(world.fake.files.read(in_state(kHeadName)), "");
}

TEST(StopRegression, AHeadThatWasWrittenOverStaysForTheAuditToFind) {
  World world;
  ASSERT_TRUE(world.apply("1.0.0").status);
  world.kill();
  world.fake.files.overwrite(in_state(kHeadName), "another head");
  ASSERT_TRUE(world.recover());
  EXPECT_EQ(world.fake.files.read(in_state(kHeadName)), "another head");
}

}  // namespace
}  // namespace update
