// Each step by itself: what it does, how it is undone, and how the disk alone shows that it is
// done.
#include <gtest/gtest.h>

#include <cerrno>

#include "engine/step/step.hpp"
#include "engine/transaction/hash_queue.hpp"
#include "engine/transaction/planner.hpp"
#include "tests/fixture/world.hpp"

namespace update {
namespace {

/// A transaction that was planned and begun, with version 1.0.0 in place and 1.1.0 to come.
class Steps : public testing::Test {
 protected:
  Steps() {
    world.preinstall("1.0.0");
    const std::string folder = world.make_release("1.1.0");
    release.emplace(std::move(
        *open_release(std::move(*world.fake.files.open_folder(folder)), TrustPolicy{false, {}})));
    session.emplace(
        std::move(**Session::open(world.env, std::move(**lock_state(world.env, true, 0)), true)));
    folders.emplace(
        std::move(*TargetFolders::open(world.env.root, destinations_of(world.env.config))));
    planned.emplace(std::move(*plan_apply(world.env, &session->journal(), &session->state(),
                                          *folders, *release, {}, {TransactionId{1}, 0xa})));
    context.emplace(step::Context{*session, planned->plan, *folders});
  }

  std::string beside(const std::string& name) { return std::string(World::kFolder) + "/" + name; }
  bool exists(const std::string& name) { return world.fake.files.exists(beside(name)); }

  World world;
  std::optional<Release> release;
  std::optional<Session> session;
  std::optional<TargetFolders> folders;
  std::optional<PlannedUpdate> planned;
  std::optional<step::Context> context;
};

TEST_F(Steps, StagePutsWholeFilesBesideTheDestinations) {
  EXPECT_FALSE(*step::is_staged(*context));
  ASSERT_TRUE(step::stage(*context, planned->sources));
  EXPECT_TRUE(*step::is_staged(*context));
  EXPECT_EQ(world.fake.files.read(beside(".alpha.1-0000000a.staged")), "alpha 1.1.0");
  EXPECT_EQ(world.version(), "1.0.0");
  ASSERT_TRUE(step::remove_own_names(*context));
  EXPECT_FALSE(*step::is_staged(*context));
  EXPECT_TRUE(world.leftovers().empty());
}

TEST_F(Steps, ASecondStageOverTheFirstIsRefusedNotMixed) {
  ASSERT_TRUE(step::stage(*context, planned->sources));
  EXPECT_FALSE(step::stage(*context, planned->sources));
}

TEST_F(Steps, StageRefusesASourceThatChangesWhileItIsRead) {
  // The last call of staging alpha's bytes is followed by somebody's write to the release.
  std::uint64_t call = world.fake.files.call_count();
  world.fake.files.after_call(
      call + 4, [&] { world.fake.files.overwrite("/releases/1.1.0/alpha", "alpha 6.6.6"); });
  const Status staged = step::stage(*context, planned->sources);
  ASSERT_FALSE(staged);
  EXPECT_EQ(staged.error().code(), ErrorCode::not_trusted);
}

TEST_F(Steps, BackupIsASecondNameOfTheOldInode) {
  ASSERT_TRUE(step::stage(*context, planned->sources));
  EXPECT_FALSE(*step::is_backed_up(*context));
  ASSERT_TRUE(step::backup(*context));
  EXPECT_TRUE(*step::is_backed_up(*context));
  const auto backup = world.fake.files.info(beside(".beta.1-0000000a.backup"));
  EXPECT_TRUE(
      backup->identity.same_inode(world.fake.files.info(world.destination("beta"))->identity));
  EXPECT_FALSE(exists("beta.previous"));
  ASSERT_TRUE(step::remove_own_names(*context));
  EXPECT_FALSE(*step::is_backed_up(*context));
  EXPECT_EQ(world.version(), "1.0.0");
}

TEST_F(Steps, BackupIsACopyWhereThereAreNoHardLinks) {
  world.fake.files.device(World::kFolder).link_error = EPERM;
  ASSERT_TRUE(step::stage(*context, planned->sources));
  ASSERT_TRUE(step::backup(*context));
  EXPECT_EQ(world.fake.files.read(beside(".beta.1-0000000a.backup")), "beta 1.0.0");
  // Synced before anything relies on it.
  world.reboot(LossPattern::keep_nothing());
  EXPECT_EQ(world.fake.files.read(beside(".beta.1-0000000a.backup")), "beta 1.0.0");
}

TEST_F(Steps, SwapIsOneRenameAFileAndCanBeRepeatedAndUndone) {
  ASSERT_TRUE(step::stage(*context, planned->sources));
  ASSERT_TRUE(step::backup(*context));
  const std::size_t before = world.fake.files.count(FakeCall::Verb::rename);
  ASSERT_TRUE(step::swap(*context));
  EXPECT_EQ(world.fake.files.count(FakeCall::Verb::rename) - before, 3U);
  EXPECT_TRUE(*step::is_swapped(*context));
  EXPECT_EQ(world.version(), "1.1.0");
  ASSERT_TRUE(step::swap(*context)) << "repeating it does nothing";
  ASSERT_TRUE(step::undo_swap(*context));
  EXPECT_EQ(world.version(), "1.0.0");
  EXPECT_FALSE(*step::is_swapped(*context));
  ASSERT_TRUE(step::undo_swap(*context)) << "undoing it twice does nothing";
}

// F17: a rename between two names of one inode does nothing and would leave both.
TEST_F(Steps, F17_UndoOfAnUntouchedDestinationLeavesIt) {
  ASSERT_TRUE(step::stage(*context, planned->sources));
  ASSERT_TRUE(step::backup(*context));
  const std::size_t before = world.fake.files.count(FakeCall::Verb::rename);
  ASSERT_TRUE(step::undo_swap(*context));
  EXPECT_EQ(world.fake.files.count(FakeCall::Verb::rename), before);
  ASSERT_TRUE(step::remove_own_names(*context));
  EXPECT_EQ(world.version(), "1.0.0");
  EXPECT_TRUE(world.leftovers().empty());
}

TEST(HashQueue, HashesWhatIsWrittenWhileItIsWritten) {
  FakeFileSystem files;
  files.make_folder("/f");
  auto folder = std::move(*files.open_folder("/f"));
  auto file = std::move(*folder->create_file("x", 0600));
  for (const auto threads : {HashQueue::Threads::none, HashQueue::Threads::some}) {
    HashQueue queue(threads);
    ASSERT_TRUE(file->truncate(0));
    HashQueue::Job& job = queue.add_growing(*file);
    std::string all;
    for (int part = 0; part < 50; ++part) {
      const std::string bytes(1000, static_cast<char>('a' + part % 26));
      ASSERT_TRUE(file->write_at(std::as_bytes(std::span(bytes)), all.size()));
      all += bytes;
      queue.advance(job, all.size());
    }
    queue.complete(job);
    EXPECT_EQ(*queue.digest(job), sha256_of(all));
  }
}

TEST(HashQueue, EndsWithoutItsDigestsBeingAskedFor) {
  FakeFileSystem files;
  files.put_file("/f/x", "bytes");
  auto folder = std::move(*files.open_folder("/f"));
  auto file = std::move(*folder->open_file("x"));
  HashQueue queue(HashQueue::Threads::some);
  (void)queue.add_growing(*file);
}

}  // namespace
}  // namespace update
