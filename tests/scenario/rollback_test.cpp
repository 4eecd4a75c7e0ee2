// Going back: to what ran before, to any kept generation, and what retention and prune leave of
// them.

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/scenario/host.hpp"

namespace update::scenario {
namespace {
namespace fs = std::filesystem;

void install_all(const Host& host, const std::vector<std::string>& versions) {
  for (const std::string& version : versions) {
    host.install(version);
  }
}

std::string id_that_committed(const Host& host, const std::string& version) {
  for (const Json& transaction : host.json({"history"})) {
    if (transaction["to_version"] == version && transaction["outcome"] == "committed") {
      return id_of(transaction);
    }
  }
  ADD_FAILURE() << "no update to " << version;
  return "";
}

TEST(Rollback, GoesBackToWhatRanBefore) {
  Host host;
  install_all(host, {"1.0.0", "2.0.0"});
  Json answer = host.json({"rollback"});
  EXPECT_EQ(answer["kind"], "rollback");
  EXPECT_EQ(answer["from_version"], "2.0.0");
  EXPECT_EQ(answer["to_version"], "1.0.0");
  EXPECT_EQ(answer["outcome"], "committed");
  EXPECT_EQ(host.installed(), "1.0.0");
  EXPECT_EQ(host.json({"status"})["installed_version"], "1.0.0");
  EXPECT_EQ(host.run({"verify"}).code, 0);
  EXPECT_TRUE(host.leftovers().empty()) << testing::PrintToString(host.leftovers());
}

TEST(Rollback, TwiceReturns) {
  Host host;
  install_all(host, {"1.0.0", "2.0.0"});
  for (const std::string expected : {"1.0.0", "2.0.0", "1.0.0", "2.0.0"}) {
    ASSERT_EQ(host.run({"rollback"}).code, 0);
    EXPECT_EQ(host.installed(), expected);
  }
}

TEST(Rollback, OfTheFirstUpdateFindsWhatWasThere) {
  Host host;
  host.install("1.0.0");
  Json answer = host.json({"rollback"});
  EXPECT_TRUE(answer["to_version"].is_null()) << answer.dump();
  EXPECT_EQ(host.installed(), "0.9.0");
}

TEST(Rollback, ToAnIdGoesToTheStateRightAfterIt) {
  Host host;
  install_all(host, {"1.0.0", "2.0.0", "3.0.0", "4.0.0"});
  ASSERT_EQ(host.run({"rollback", "--to", id_that_committed(host, "2.0.0")}).code, 0);
  EXPECT_EQ(host.installed(), "2.0.0");
  ASSERT_EQ(host.run({"rollback"}).code, 0);
  EXPECT_EQ(host.installed(), "4.0.0");
}

TEST(Rollback, ToZeroGoesToWhatTheFirstUpdateFound) {
  Host host;
  install_all(host, {"1.0.0", "2.0.0"});
  ASSERT_EQ(host.run({"rollback", "--to", "0"}).code, 0);
  EXPECT_EQ(host.installed(), "0.9.0");
}

TEST(Rollback, ToAnUpdateThatWasUndoneIsRefused) {
  Host host;
  host.install("1.0.0");
  host.doctor("test \"$installed\" != 2.0.0\n");
  Json undone = host.json({"apply", host.release("2.0.0")}, 3);
  EXPECT_EQ(host.run({"rollback", "--to", id_of(undone)}).code, 9);
  EXPECT_EQ(host.installed(), "1.0.0");
}

TEST(Rollback, WithoutAnyUpdateIsRefused) {
  Host host;
  EXPECT_EQ(host.run({"rollback"}).code, 9);
  EXPECT_EQ(host.run({"rollback", "--to", "0"}).code, 9);
  EXPECT_EQ(host.installed(), "0.9.0");
}

TEST(Rollback, PassesOverBytesThatAreNotTheRecordedOnes) {
  Host host;
  install_all(host, {"1.0.0", "2.0.0"});
  // Written as a new file: .previous may share its inode with nothing that must live.
  fs::remove(host.bin("beta.previous"));
  write_file(host.bin("beta.previous"), "not what was installed", 0755);
  const auto before = host.snapshot("bin");
  const Ended ended = host.run({"rollback"});
  EXPECT_EQ(ended.code, 9) << ended.err;
  EXPECT_EQ(host.snapshot("bin"), before) << "all bytes are checked before any change";
}

TEST(Rollback, DryRunChangesNothing) {
  Host host;
  install_all(host, {"1.0.0", "2.0.0"});
  const auto before = host.snapshot("bin");
  EXPECT_EQ(host.run({"rollback", "--dry-run"}).code, 0);
  EXPECT_EQ(host.snapshot("bin"), before);
  EXPECT_EQ(host.json({"history"}).size(), 2U);
}

TEST(Rollback, WhoseDoctorFailsReturnsToAVersionThatHadPassed) {
  Host host;
  install_all(host, {"1.0.0", "2.0.0"});
  host.doctor("test \"$installed\" != 1.0.0\n");
  EXPECT_EQ(host.run({"rollback"}).code, 3);
  EXPECT_EQ(host.installed(), "2.0.0");
}

TEST(Rollback, WhoseDoctorFailsAsksAPersonWhereTheOtherVersionNeverPassed) {
  Host host;
  host.install("1.0.0");
  ASSERT_EQ(host.run({"apply", "--no-doctor", host.release("2.0.0")}).code, 0);
  host.doctor("test \"$installed\" != 1.0.0\n");
  EXPECT_EQ(host.run({"rollback"}).code, 4);
}

TEST(Rollback, TakesNoRestartAndNoDoctor) {
  Host host;
  install_all(host, {"1.0.0", "2.0.0"});
  const std::size_t restarts = host.hook_log("restart").size();
  const std::size_t doctors = host.hook_log("doctor").size();
  ASSERT_EQ(host.run({"rollback", "--no-restart", "--no-doctor"}).code, 0);
  EXPECT_EQ(host.installed(), "1.0.0");
  EXPECT_EQ(host.hook_log("restart").size(), restarts);
  EXPECT_LE(host.hook_log("doctor").size(), doctors + 1) << "a baseline at most";
}

TEST(Rollback, PassesOverAnUpdateThatRepaired) {
  Host host;
  install_all(host, {"1.0.0", "2.0.0"});
  write_file(host.bin("beta"), "spoiled", 0755);
  host.install("2.0.0");
  ASSERT_EQ(host.run({"rollback"}).code, 0);
  EXPECT_EQ(host.installed(), "1.0.0");
}

TEST(Rollback, AfterARolledBackUpdateFindsPreviousAsItWas) {
  Host host;
  install_all(host, {"1.0.0", "2.0.0"});
  const auto before = host.snapshot("bin");
  host.doctor("test \"$installed\" != 3.0.0\n");
  ASSERT_EQ(host.run({"apply", host.release("3.0.0")}).code, 3);
  EXPECT_EQ(host.snapshot("bin"), before);
  ASSERT_EQ(host.run({"rollback"}).code, 0);
  EXPECT_EQ(host.installed(), "1.0.0");
}

TEST(Previous, HoldsWhatRanBefore) {
  Host host;
  install_all(host, {"1.0.0", "2.0.0"});
  EXPECT_EQ(read_file(host.bin("alpha.previous")), program("alpha", "1.0.0"));
  ASSERT_EQ(host.run({"rollback"}).code, 0);
  EXPECT_EQ(read_file(host.bin("alpha.previous")), program("alpha", "2.0.0"));
}

TEST(Previous, TakesTheConfiguredSuffix) {
  Host host;
  host.configure([](Settings& s) { s.backup_suffix = ".old"; });
  host.install("1.0.0");
  EXPECT_EQ(read_file(host.bin("alpha.old")), program("alpha", "0.9.0"));
}

std::size_t generation_files(const Host& host) {
  std::size_t count = 0;
  for (const auto& entry : fs::recursive_directory_iterator(host.path("state/generations"))) {
    count += entry.is_regular_file() ? 1U : 0U;
  }
  return count;
}

TEST(Retention, KeepsAsManyOldVersionsAsConfigured) {
  Host host;
  host.configure([](Settings& s) { s.generations = 2; });
  install_all(host, {"1.0.0", "2.0.0", "3.0.0", "4.0.0", "5.0.0"});
  EXPECT_EQ(host.run({"rollback", "--to", "0"}).code, 9);
  EXPECT_EQ(host.run({"rollback", "--to", id_that_committed(host, "1.0.0")}).code, 9);
  EXPECT_EQ(host.installed(), "5.0.0");
  ASSERT_EQ(host.run({"rollback", "--to", id_that_committed(host, "3.0.0")}).code, 0);
  EXPECT_EQ(host.installed(), "3.0.0");
}

TEST(Retention, IsShownByHistory) {
  Host host;
  host.configure([](Settings& s) { s.generations = 1; });
  install_all(host, {"1.0.0", "2.0.0", "3.0.0"});
  Json history = host.json({"history", "list"});
  ASSERT_EQ(history.size(), 3U);
  EXPECT_EQ(history[1]["kept"], true) << "2.0.0 can be gone back to";
  EXPECT_EQ(history[2]["kept"], false) << "1.0.0 is gone";
}

TEST(Prune, DropsOldGenerations) {
  Host host;
  install_all(host, {"1.0.0", "2.0.0", "3.0.0", "4.0.0"});
  const std::size_t before = generation_files(host);
  ASSERT_GT(before, 0U);
  host.configure([](Settings& s) { s.generations = 1; });
  EXPECT_EQ(host.run({"prune"}).code, 0);
  EXPECT_LT(generation_files(host), before);
  EXPECT_EQ(host.run({"rollback", "--to", "0"}).code, 9);
  ASSERT_EQ(host.run({"rollback"}).code, 0) << "the newest one is kept";
  EXPECT_EQ(host.installed(), "3.0.0");
}

TEST(Prune, OnAFreshHostHasNothingToDo) {
  Host host;
  EXPECT_EQ(host.run({"prune"}).code, 0);
  EXPECT_EQ(host.installed(), "0.9.0");
}

}  // namespace
}  // namespace update::scenario
