// Two updates never run at once, and a reader never waits for one. A doctor that waits on a pipe
// holds an update in its phase, so nothing here depends on time.

#include <gtest/gtest.h>
#include <signal.h>

#include <memory>

#include "tests/scenario/host.hpp"
#include "tests/scenario/trace.hpp"

namespace update::scenario {
namespace {

class WhileAnUpdateRuns : public testing::Test {
 protected:
  void SetUp() override {
    host.install("1.0.0");
    host.hold_doctor("2.0.0");
    update = std::make_unique<Process>(host.command({"apply", host.release("2.0.0")}));
    ASSERT_TRUE(host.doctor_waits());
  }

  void finish() {
    host.let_doctor_go();
    EXPECT_EQ(update->wait().code, 0);
    EXPECT_EQ(host.installed(), "2.0.0");
  }

  Host host;
  std::unique_ptr<Process> update;
};

TEST_F(WhileAnUpdateRuns, WhatChangesThingsIsRefusedAndNamesTheHolder) {
  for (const Arguments& command :
       {Arguments{"apply", host.release("3.0.0")}, {"recover"}, {"rollback"}, {"prune"}}) {
    const Ended ended = host.run(command);
    EXPECT_EQ(ended.code, 5) << command[0] << ended.out << ended.err;
    EXPECT_TRUE(contains(ended.err, std::to_string(update->pid()))) << ended.err;
    EXPECT_TRUE(contains(ended.err, "2")) << "its id: " << ended.err;
  }
  finish();
}

TEST_F(WhileAnUpdateRuns, WhatOnlyReadsWorks) {
  EXPECT_EQ(host.json({"status"}, 10)["unfinished"]["phase"], "doctor");
  EXPECT_EQ(host.json({"history", "list"})[0]["phase"], "doctor");
  EXPECT_EQ(host.json({"history", "show", "2"})["to_version"], "2.0.0");
  EXPECT_EQ(host.run({"history", "export"}).code, 0);
  EXPECT_EQ(host.run({"config", "show"}).code, 0);
  EXPECT_EQ(host.run({"apply", "--dry-run", host.release("3.0.0")}).signal, 0);
  finish();
}

TEST_F(WhileAnUpdateRuns, ItsDeathFreesTheLockForRecover) {
  update->send(SIGKILL);
  EXPECT_EQ(update->wait().signal, SIGKILL);
  EXPECT_EQ(host.run({"recover"}).code, 0) << "a doctor that lives on does not hold the lock";
  EXPECT_EQ(host.installed(), "1.0.0") << "new code had run";
}

TEST(Concurrency, OfManyUpdatesAtOnceEachEndsInOrder) {
  Host host;
  host.install("1.0.0");
  std::vector<std::unique_ptr<Process>> updates;
  for (int number = 2; number < 8; ++number) {
    updates.push_back(std::make_unique<Process>(host.command(
        {"apply", "--allow-downgrade", host.release(std::to_string(number) + ".0.0")})));
  }
  std::size_t committed = 1;
  for (const auto& update : updates) {
    const Ended ended = update->wait();
    EXPECT_TRUE(ended.code == 0 || ended.code == 5) << ended.code << ended.err;
    committed += ended.code == 0 ? 1U : 0U;
  }
  EXPECT_GE(committed, 2U) << "one of them at least had the lock";
  Json history = host.json({"history"});
  EXPECT_EQ(history.size(), committed);
  EXPECT_EQ(host.installed(), history[0]["to_version"]);
  EXPECT_EQ(host.run({"verify"}).code, 0);
  EXPECT_EQ(host.run({"history", "verify"}).code, 0);
  EXPECT_TRUE(host.leftovers().empty());
}

TEST(Concurrency, OfManyRecoveriesAtOnceEndsWithOneVersion) {
  Host host;
  crash_in_swap(host, 1);
  std::vector<std::unique_ptr<Process>> recoveries;
  for (int number = 0; number < 4; ++number) {
    recoveries.push_back(std::make_unique<Process>(host.command({"recover"})));
  }
  for (const auto& recovery : recoveries) {
    const Ended ended = recovery->wait();
    EXPECT_TRUE(ended.code == 0 || ended.code == 5) << ended.code << ended.err;
  }
  EXPECT_EQ(host.run({"recover"}).code, 0);
  EXPECT_EQ(host.installed(), "2.0.0");
}

TEST(Concurrency, RecoveryAtBootWaitsForTheLock) {
  Host host;
  host.install("1.0.0");
  host.hold_doctor("2.0.0");
  Process update(host.command({"apply", host.release("2.0.0")}));
  ASSERT_TRUE(host.doctor_waits());
  Process boot(host.command({"recover", "--boot"}));
  EXPECT_TRUE(boot.running());
  host.let_doctor_go();
  EXPECT_EQ(update.wait().code, 0);
  EXPECT_EQ(boot.wait().code, 0);
  EXPECT_EQ(host.installed(), "2.0.0");
}

TEST(Concurrency, ReadersSeeADestinationWholeAtEveryMoment) {
  Host host;
  host.install("1.0.0");
  Process reader({"sh", "-c",
                  "while test ! -e " + host.path("stop") + "; do cat " + host.bin("alpha") +
                      " >/dev/null || exit 9; done"});
  for (int number = 2; number < 6; ++number) {
    host.install(std::to_string(number) + ".0.0");
  }
  write_file(host.path("stop"), "");
  EXPECT_EQ(reader.wait().code, 0) << "the destination was missing for a moment";
}

}  // namespace
}  // namespace update::scenario
