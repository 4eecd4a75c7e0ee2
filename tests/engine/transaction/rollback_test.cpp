// Going back, and what is kept for it.
#include <gtest/gtest.h>

#include <cerrno>

#include "tests/fixture/world.hpp"

namespace update {
namespace {

TEST(Rollback, GoesBackAndASecondOneReturns) {
  World world;
  ASSERT_TRUE(world.apply("1.0.0").status);
  ASSERT_TRUE(world.apply("1.1.0").status);
  ASSERT_TRUE(world.roll_back().status);
  EXPECT_EQ(world.version(), "1.0.0");
  EXPECT_EQ(world.newest()->kind, "rollback");
  ASSERT_TRUE(world.roll_back().status);
  EXPECT_EQ(world.version(), "1.1.0");
  EXPECT_TRUE(world.leftovers().empty());
}

TEST(Rollback, ReachesAnyKeptStateAndWhatTheFirstUpdateFound) {
  World world;
  world.preinstall("0.9.0");
  ASSERT_TRUE(world.apply("1.0.0").status);
  ASSERT_TRUE(world.apply("1.1.0").status);
  ASSERT_TRUE(world.apply("1.2.0").status);
  RollbackOptions to;
  to.target = TransactionId{1};
  ASSERT_TRUE(world.roll_back(to).status);
  EXPECT_EQ(world.version(), "1.0.0");
  to.target = TransactionId{0};
  const UpdateReport first = world.roll_back(to);
  ASSERT_TRUE(first.status) << first.status.error().message();
  EXPECT_EQ(world.version(), "0.9.0");
}

TEST(Rollback, OfAFirstInstallRemovesWhatItInstalled) {
  World world;
  ASSERT_TRUE(world.apply("1.0.0").status);
  RollbackOptions to;
  to.target = TransactionId{0};
  ASSERT_TRUE(world.roll_back(to).status);
  EXPECT_EQ(world.version(), "none");
  ASSERT_TRUE(world.roll_back().status);
  EXPECT_EQ(world.version(), "1.0.0");
}

TEST(Rollback, RefusesBytesThatAreNotTheRecordedOnes) {
  World world;
  ASSERT_TRUE(world.apply("1.0.0").status);
  ASSERT_TRUE(world.apply("1.1.0").status);
  world.fake.files.put_file(world.destination("beta.previous"), "beta 1.0.x", 0755);
  const UpdateReport report = world.roll_back();
  ASSERT_FALSE(report.status);
  EXPECT_EQ(report.status.error().code(), ErrorCode::not_found);
  EXPECT_EQ(world.version(), "1.1.0");
}

// A process that is out of descriptors called them gone.
TEST(Rollback, CallsBytesThatCannotBeReadNotGone) {
  World world;
  ASSERT_TRUE(world.apply("1.0.0").status);
  ASSERT_TRUE(world.apply("1.1.0").status);
  ASSERT_TRUE(world.apply("1.2.0").status);
  const std::string kept =
      std::string(World::kState) + "/generations/" + sha256_of("beta 1.0.0").hex();
  ASSERT_TRUE(world.fake.files.exists(kept));
  world.fake.files.fail_reading(EMFILE, [&](const std::string& path) { return path == kept; });
  RollbackOptions to;
  to.target = TransactionId{1};
  const UpdateReport report = world.roll_back(to);
  ASSERT_FALSE(report.status);
  EXPECT_NE(report.status.error().code(), ErrorCode::not_found);
  EXPECT_NE(report.status.error().message().find(kept), std::string::npos)
      << report.status.error().message();
  EXPECT_EQ(world.version(), "1.2.0");
}

// Only the mode was another: the bytes were at the destination, and nowhere else.
TEST(Rollback, TakesBytesThatAreInPlaceAlready) {
  World world;
  ASSERT_TRUE(world.apply("1.0.0").status);
  world.env.config.files[0].mode = 0700;
  ASSERT_TRUE(world.apply("1.0.0").status);
  ASSERT_TRUE(world.apply("1.1.0").status);
  RollbackOptions to;
  to.target = TransactionId{2};
  ASSERT_TRUE(world.roll_back(to).status);
  ASSERT_EQ(world.fake.files.info(world.destination("alpha"))->mode, 0700U);
  to.target = TransactionId{1};
  const UpdateReport report = world.roll_back(to);
  ASSERT_TRUE(report.status) << report.status.error().message();
  EXPECT_EQ(world.version(), "1.0.0");
  EXPECT_EQ(world.fake.files.info(world.destination("alpha"))->mode, 0755U);
}

// They share a generation. One inode for both, and a chmod of one was a chmod of the other.
TEST(Rollback, NeverMakesOneFileOfTwoDestinations) {
  World world;
  for (const std::string& name : World::names()) {
    world.fake.files.put_file(world.destination(name), "the same in all", 0755);
  }
  for (const char* version : {"1.0.0", "1.1.0", "1.2.0"}) {
    ASSERT_TRUE(world.apply(version).status);
  }
  RollbackOptions to;
  to.target = TransactionId{0};
  const UpdateReport report = world.roll_back(to);
  ASSERT_TRUE(report.status) << report.status.error().message();
  const auto alpha = world.fake.files.info(world.destination("alpha"))->identity;
  const auto beta = world.fake.files.info(world.destination("beta"))->identity;
  const auto gamma = world.fake.files.info(world.destination("gamma"))->identity;
  EXPECT_EQ(world.fake.files.read(world.destination("gamma")), "the same in all");
  EXPECT_FALSE(alpha.same_inode(beta) || beta.same_inode(gamma) || gamma.same_inode(alpha));
}

TEST(Rollback, LeavesASickVersionThoughTheBaselineIsRequired) {
  World world;
  ASSERT_TRUE(world.apply("1.0.0").status);
  ASSERT_TRUE(world.apply("1.1.0").status);
  world.env.config.doctor.baseline = Baseline::require;
  world.fake.processes.on("/usr/bin/doctor", [&](const os::Command&) -> Result<os::ProcessResult> {
    os::ProcessResult result;
    result.status = world.version() == "1.1.0" ? 1 : 0;
    return result;
  });
  const UpdateReport update = world.apply("1.2.0");
  ASSERT_FALSE(update.status);
  EXPECT_EQ(update.status.error().code(), ErrorCode::refused);
  const UpdateReport back = world.roll_back();
  ASSERT_TRUE(back.status) << back.status.error().message();
  EXPECT_EQ(world.version(), "1.0.0");
}

TEST(Rollback, RefusesWhereAFileThatItHasToChangeLeftTheConfiguration) {
  World world;
  ASSERT_TRUE(world.apply("1.0.0").status);
  ASSERT_TRUE(world.apply("1.1.0").status);
  const Configuration whole = world.env.config;
  world.env.config.files.pop_back();
  RollbackOptions to;
  to.target = TransactionId{1};
  for (const RollbackOptions& options : {RollbackOptions{}, to}) {
    const UpdateReport report = world.roll_back(options);
    ASSERT_FALSE(report.status);
    EXPECT_EQ(report.status.error().code(), ErrorCode::not_found);
    EXPECT_NE(report.status.error().message().find(world.destination("gamma")), std::string::npos);
    EXPECT_EQ(world.version(), "1.1.0");
  }
  world.env.config = whole;
  ASSERT_TRUE(world.roll_back().status);
  EXPECT_EQ(world.version(), "1.0.0");
  // What holds the wanted bytes already may be gone from the configuration.
  world.env.config.files.pop_back();
  EXPECT_TRUE(world.roll_back(to).status);
}

TEST(Retention, KeepsThreeOldVersionsAndNoMore) {
  World world;
  for (const char* version : {"1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0", "1.5.0", "1.6.0"}) {
    ASSERT_TRUE(world.apply(version).status);
  }
  RollbackOptions to;
  to.target = TransactionId{3};
  const UpdateReport gone = world.roll_back(to);
  ASSERT_FALSE(gone.status);
  EXPECT_EQ(gone.status.error().code(), ErrorCode::not_found);
  to.target = TransactionId{4};
  ASSERT_TRUE(world.roll_back(to).status);
  EXPECT_EQ(world.version(), "1.3.0");
}

// A retirement that was cut short twice must not put an older version over a newer `.previous`.
TEST(Retention, ALateRetirementKeepsEveryVersion) {
  World world;
  world.preinstall("1.0.0");
  const auto no_names = [](const FakeCall& call) {
    return call.verb == FakeCall::Verb::rename && call.path.find(".backup") != std::string::npos;
  };
  world.fake.files.fail_always(EIO, no_names);
  ASSERT_TRUE(world.apply("1.1.0").status);
  ASSERT_TRUE(world.apply("1.2.0").status);
  EXPECT_FALSE(world.leftovers().empty());
  world.kill();  // whatever failed works again
  ASSERT_TRUE(world.recover());
  EXPECT_TRUE(world.leftovers().empty());
  RollbackOptions to;
  to.target = TransactionId{1};
  ASSERT_TRUE(world.roll_back(to).status);
  EXPECT_EQ(world.version(), "1.1.0");
  to.target = TransactionId{0};
  ASSERT_TRUE(world.roll_back(to).status);
  EXPECT_EQ(world.version(), "1.0.0");
}

}  // namespace
}  // namespace update
