// Somebody else changes a destination while an update goes on.
#include <gtest/gtest.h>

#include "engine/transaction/transaction.hpp"
#include "tests/fixture/world.hpp"

namespace update {
namespace {

TEST(Stranger, BeforeTheFirstRenameMeansNothingIsChanged) {
  World world;
  world.preinstall("1.0.0");
  world.fake.processes.on("/usr/bin/doctor", [&](const os::Command&) -> Result<os::ProcessResult> {
    // The baseline runs after the plan was made and before anything is staged.
    world.fake.files.put_file(world.destination("beta"), "somebody's own", 0755);
    return os::ProcessResult{};
  });
  const UpdateReport report = world.apply("1.1.0");
  ASSERT_FALSE(report.status);
  EXPECT_EQ(report.status.error().code(), ErrorCode::failed);
  EXPECT_EQ(world.fake.files.read(world.destination("alpha")), "alpha 1.0.0");
  EXPECT_EQ(world.fake.files.read(world.destination("beta")), "somebody's own");
  EXPECT_TRUE(world.leftovers().empty());
}

TEST(Stranger, AfterTheSwapNeedsAPerson) {
  World world;
  world.preinstall("1.0.0");
  world.fake.processes.on("/usr/bin/restart", [&](const os::Command&) -> Result<os::ProcessResult> {
    world.fake.files.put_file(world.destination("beta"), "stranger", 0755);
    os::ProcessResult failed;
    failed.status = 1;
    return failed;
  });
  const UpdateReport report = world.apply("1.1.0");
  ASSERT_FALSE(report.status);
  EXPECT_EQ(report.status.error().code(), ErrorCode::needs_operator);
  EXPECT_EQ(world.fake.files.read(world.destination("beta")), "stranger");
  EXPECT_EQ(world.fake.files.read(world.destination("alpha")), "alpha 1.1.0");
}

TEST(Stranger, BetweenTwoRenamesIsNotWrittenOver) {
  World world;
  world.preinstall("1.0.0");
  world.make_release("1.1.0");
  world.fake.files.after_call(world.staged_rename("1.1.0", 1), [&] {
    world.fake.files.put_file(world.destination("gamma"), "somebody's own", 0755);
  });
  const UpdateReport report = world.apply("1.1.0");
  ASSERT_FALSE(report.status);
  EXPECT_EQ(report.status.error().code(), ErrorCode::needs_operator);
  EXPECT_EQ(world.fake.files.read(world.destination("gamma")), "somebody's own");
  EXPECT_NE(report.status.error().message().find(sha256_of("somebody's own").hex()),
            std::string::npos)
      << "what was found is named";
}

TEST(Stranger, AfterTheIntentAndBeforeTheFirstRenameMeansNothingIsChanged) {
  World world;
  world.preinstall("1.0.0");
  world.make_release("1.1.0");
  // The call before the first rename is the one that makes the intent durable.
  world.fake.files.after_call(world.staged_rename("1.1.0", 1) - 1, [&] {
    world.fake.files.put_file(world.destination("gamma"), "somebody's own", 0755);
  });
  const UpdateReport report = world.apply("1.1.0");
  ASSERT_FALSE(report.status);
  EXPECT_EQ(report.status.error().code(), ErrorCode::failed);
  EXPECT_EQ(world.fake.files.read(world.destination("alpha")), "alpha 1.0.0");
  EXPECT_EQ(world.fake.files.read(world.destination("gamma")), "somebody's own");
  EXPECT_EQ(world.newest()->phase, Phase::rolled_back);
}

}  // namespace
}  // namespace update
