#include <gtest/gtest.h>

#include "engine/base/layout.hpp"
#include "tests/fixture/world.hpp"

namespace update {
namespace {

std::string state_file(std::string_view name) {
  return std::string(World::kState) + "/" + std::string(name);
}

/// A swap that stopped after its first rename.
FakeDisk mixed_disk() {
  World prepared;
  prepared.preinstall("0.9.0");
  EXPECT_TRUE(prepared.apply("1.0.0").status);
  prepared.make_release("1.1.0");
  World world(prepared.fake.files.disk());
  world.fake.files.stop_at(world.staged_rename("1.1.0", 2), When::before);
  EXPECT_THROW(world.apply("1.1.0"), PowerCut);
  world.kill();
  return world.fake.files.disk();
}

class LostJournal : public testing::Test {
 protected:
  LostJournal() : world(mixed_disk()) {}

  void lose_journal() {
    for (const auto name : {kJournalName, kJournalWalName, kJournalShmName}) {
      if (world.fake.files.exists(state_file(name))) world.fake.files.remove(state_file(name));
    }
  }
  bool set_aside() const {
    for (const std::string& path : world.fake.files.list_all()) {
      if (path.find("journal.db.broken-") != std::string::npos) return true;
    }
    return false;
  }

  World world;
};

TEST_F(LostJournal, MixedFilesGoBackByTheIntent) {
  ASSERT_EQ(world.version(), "mixed");
  lose_journal();
  const auto report = world.recover();
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(world.version(), "1.0.0");
  EXPECT_EQ(world.newest()->phase, Phase::rolled_back);
  EXPECT_EQ(world.newest()->id.value, 2) << "made again under its id";
  EXPECT_TRUE(world.leftovers().empty());
}

TEST_F(LostJournal, OfGarbageIsSetAsideAndNeverDeleted) {
  world.fake.files.overwrite(state_file(kJournalName), std::string(8192, 'x'));
  ASSERT_TRUE(world.recover());
  EXPECT_EQ(world.version(), "1.0.0");
  EXPECT_TRUE(set_aside());
}

TEST_F(LostJournal, ThatWasCutOffIsSetAside) {
  const std::string whole = *world.fake.files.read(state_file(kJournalName));
  world.fake.files.remove(state_file(kJournalWalName));
  world.fake.files.overwrite(state_file(kJournalName), whole.substr(0, 4096));
  ASSERT_TRUE(world.recover());
  EXPECT_EQ(world.version(), "1.0.0");
  EXPECT_TRUE(set_aside());
}

TEST_F(LostJournal, WithoutAnIntentKeepsTheOnlyCopiesAndAsks) {
  lose_journal();
  world.fake.files.overwrite(state_file(kIntentName), "");
  const auto report = world.recover();
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), ErrorCode::needs_operator);
  EXPECT_FALSE(world.leftovers().empty());
  RecoverRequest force;
  force.force = Force::rollback;
  force.reason = "tested";
  const auto forced = world.recover(force);
  ASSERT_TRUE(forced) << forced.error().message();
  EXPECT_EQ(world.version(), "1.0.0");
}

TEST_F(LostJournal, WithATornIntentIsTreatedAsWithoutOne) {
  lose_journal();
  std::string intent = *world.fake.files.read(state_file(kIntentName));
  intent[intent.size() / 2] ^= 1;
  world.fake.files.overwrite(state_file(kIntentName), intent);
  const auto report = world.recover();
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), ErrorCode::needs_operator);
}

TEST_F(LostJournal, GoesOnFromTheHeadsNumber) {
  ASSERT_TRUE(world.recover());  // to one version, with the journal
  const UpdateReport before = world.apply("1.2.0");
  ASSERT_TRUE(before.status);
  const auto id = world.newest()->id;
  lose_journal();
  ASSERT_TRUE(world.recover());
  const UpdateReport after = world.apply("1.3.0");
  ASSERT_TRUE(after.status) << after.status.error().message();
  EXPECT_GT(after.transaction->value, id.value);
  EXPECT_EQ(world.version(), "1.3.0");
}

TEST_F(LostJournal, AnIntentOfAFinishedUpdateIsStale) {
  const std::string intent = *world.fake.files.read(state_file(kIntentName));
  ASSERT_TRUE(world.recover());
  ASSERT_EQ(world.version(), "1.1.0");
  world.fake.files.overwrite(state_file(kIntentName), intent);
  ASSERT_TRUE(world.recover());
  EXPECT_EQ(world.version(), "1.1.0");
  lose_journal();
  world.fake.files.overwrite(state_file(kIntentName), intent);
  const auto report = world.recover();
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(world.version(), "1.1.0") << "its id is not above the head's";
}

}  // namespace
}  // namespace update
