// An update that a machine cannot end without a guess: it blocks, says so, and a person ends it.

#include <gtest/gtest.h>
#include <signal.h>

#include "tests/scenario/host.hpp"
#include "tests/scenario/trace.hpp"

namespace update::scenario {
namespace {

constexpr const char* kForeign = "somebody's own work\n";

// Whether the foreign bytes are kept as a generation.
bool foreign_bytes_are_kept(const Host& host) {
  if (!present(host.path("state/generations"))) {
    return false;
  }
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(host.path("state/generations"))) {
    if (entry.is_regular_file() && read_file(entry.path()) == kForeign) {
      return true;
    }
  }
  return false;
}

class NeedsOperator : public testing::Test {
 protected:
  void SetUp() override {
    host.install("1.0.0");
    host.doctor(
        "test \"$installed\" = 2.0.0 || exit 0\n"
        "echo \"somebody's own work\" >$bin/beta\nexit 1\n");
    answer = host.json({"apply", host.release("2.0.0")}, 4);
    host.doctor("exit 0\n");
  }

  void expect_settled(const std::string& version) {
    EXPECT_EQ(host.installed(), version);
    EXPECT_TRUE(host.leftovers().empty()) << testing::PrintToString(host.leftovers());
    EXPECT_EQ(host.run({"status"}).code, 0);
    EXPECT_EQ(host.run({"history", "verify"}).code, 0);
    host.install("3.0.0");
  }

  Host host;
  Json answer;
};

TEST_F(NeedsOperator, OverwritesNothingAndSaysWhatItFound) {
  EXPECT_EQ(answer["outcome"], "needs_operator");
  EXPECT_FALSE(answer["error"].is_null());
  EXPECT_EQ(answer["files"][1]["state"], "foreign");
  EXPECT_EQ(read_file(host.bin("beta")), kForeign);
  EXPECT_EQ(read_file(host.bin("alpha")), program("alpha", "2.0.0"));
  const Ended shown = host.run({"history", "show", "2"});
  EXPECT_TRUE(contains(shown.out, sha256_of(kForeign).substr(0, 12))) << shown.out;
}

TEST_F(NeedsOperator, BlocksUpdatesAndNamesTheThreeCommands) {
  for (const Arguments& command : {Arguments{"apply", host.release("3.0.0")},
                                   {"apply", "--dry-run", host.release("3.0.0")},
                                   {"rollback"},
                                   {"rollback", "--dry-run"},
                                   {"rollback", "--to", "0"}}) {
    const Ended ended = host.run(command);
    EXPECT_EQ(ended.code, 4) << command[0];
    for (const char* way : {"--force-rollback", "--force-commit", "--abandon"}) {
      EXPECT_TRUE(contains(ended.out + ended.err, way)) << way << ended.out << ended.err;
    }
    EXPECT_TRUE(contains(ended.out + ended.err, "beta")) << ended.out << ended.err;
  }
  Json status = host.json({"status"}, 4);
  EXPECT_EQ(status["recover_would"], "needs_operator");
  EXPECT_EQ(status["unfinished"]["phase"], "needs_operator");
  EXPECT_EQ(read_file(host.bin("beta")), kForeign);
}

TEST_F(NeedsOperator, RecoverLooksAgainAndChangesNothingWhileItIsMixed) {
  const auto before = host.snapshot("bin");
  for (const std::string policy : {"auto", "rollback", "replay"}) {
    EXPECT_EQ(host.run({"recover", "--policy", policy}).code, 4) << policy;
  }
  EXPECT_EQ(host.snapshot("bin"), before);
}

TEST_F(NeedsOperator, EndsByItselfOnceAPersonHasPutEveryOldFileBack) {
  for (const InstalledFile& file : host.settings().files) {
    std::filesystem::remove(file.destination);
    write_file(file.destination, program(file.name, "1.0.0"), 0755);
  }
  Json recovered = host.json({"recover"});
  EXPECT_EQ(recovered["recovered"]["outcome"], "rolled_back") << recovered.dump();
  expect_settled("1.0.0");
}

TEST_F(NeedsOperator, ForcedCommandsNeedAReason) {
  const auto before = host.snapshot("bin");
  for (const char* way : {"--force-rollback", "--force-commit", "--abandon"}) {
    EXPECT_EQ(host.run({"recover", way}).code, 2) << way;
    EXPECT_EQ(host.run({"recover", way, "--reason", ""}).code, 2) << way;
  }
  EXPECT_EQ(host.run({"recover", "--abandon", "--force-commit", "--reason", "both"}).code, 2);
  EXPECT_EQ(host.snapshot("bin"), before);
  EXPECT_EQ(host.run({"status"}).code, 4);
}

TEST_F(NeedsOperator, ForceRollbackWritesTheOldBytesAndKeepsTheForeignOnes) {
  Json done = host.json({"recover", "--force-rollback", "--reason", "ticket 4711"});
  EXPECT_EQ(done["recovered"]["outcome"], "rolled_back");
  EXPECT_TRUE(foreign_bytes_are_kept(host));
  EXPECT_TRUE(contains(host.run({"history", "show", "2"}).out, "ticket 4711"));
  expect_settled("1.0.0");
}

TEST_F(NeedsOperator, ForceCommitIsRefusedWhereTheNewBytesAreGone) {
  // beta was swapped, so that what was written over it was the only copy of its new bytes.
  const auto before = host.snapshot("bin");
  EXPECT_EQ(host.run({"recover", "--force-commit", "--reason", "x"}).code, 9);
  EXPECT_EQ(host.snapshot("bin"), before) << "refused before touching anything";
}

TEST(Operator, ForceCommitWritesTheNewBytesAndKeepsTheForeignOnes) {
  Host host;
  crash_in_swap(host, 1);
  std::filesystem::remove(host.bin("gamma"));
  write_file(host.bin("gamma"), kForeign, 0755);
  ASSERT_EQ(host.run({"recover"}).code, 4);
  const std::size_t doctors = host.hook_log("doctor").size();
  const std::size_t restarts = host.hook_log("restart").size();
  Json done = host.json({"recover", "--force-commit", "--reason", "ticket 4712"});
  EXPECT_EQ(done["recovered"]["outcome"], "committed");
  EXPECT_TRUE(foreign_bytes_are_kept(host));
  EXPECT_EQ(host.hook_log("doctor").size(), doctors) << "no doctor runs";
  EXPECT_EQ(host.hook_log("restart").size(), restarts + 1);
  EXPECT_EQ(host.json({"status"})["installed_version"], "2.0.0");
  EXPECT_EQ(host.installed(), "2.0.0");
  EXPECT_TRUE(host.leftovers().empty()) << testing::PrintToString(host.leftovers());
  EXPECT_TRUE(contains(host.run({"history", "show", "2"}).out, "ticket 4712"));
}

TEST_F(NeedsOperator, AbandonTouchesNoDestination) {
  Json done = host.json({"recover", "--abandon", "--reason", "by hand"});
  EXPECT_EQ(done["recovered"]["outcome"], "abandoned");
  EXPECT_EQ(read_file(host.bin("alpha")), program("alpha", "2.0.0"));
  EXPECT_EQ(read_file(host.bin("beta")), kForeign);
  EXPECT_TRUE(host.leftovers().empty()) << testing::PrintToString(host.leftovers());
  EXPECT_TRUE(host.json({"status"})["installed_version"].is_null());
  host.install("3.0.0");
}

TEST_F(NeedsOperator, ForeignBytesAreDroppedByPruneOnly) {
  ASSERT_EQ(host.run({"recover", "--force-rollback", "--reason", "x"}).code, 0);
  for (const std::string version : {"3.0.0", "4.0.0", "5.0.0", "6.0.0", "7.0.0"}) {
    host.install(version);
  }
  EXPECT_TRUE(foreign_bytes_are_kept(host));
  ASSERT_EQ(host.run({"prune"}).code, 0);
  EXPECT_FALSE(foreign_bytes_are_kept(host));
}

TEST_F(NeedsOperator, ForceIsRefusedWhereItsBytesAreGone) {
  for (const std::string& name : host.leftovers()) {
    if (contains(name, "beta") && contains(name, ".backup")) {
      std::filesystem::remove(host.bin(name));
    }
  }
  const auto before = host.snapshot("bin");
  EXPECT_EQ(host.run({"recover", "--force-rollback", "--reason", "x"}).code, 9);
  EXPECT_EQ(host.snapshot("bin"), before);
}

TEST(Operator, ForcingWithNothingUnfinishedChangesNothing) {
  Host host;
  host.install("1.0.0");
  const auto before = host.snapshot("bin");
  const Ended ended = host.run({"recover", "--force-rollback", "--reason", "x"});
  // The contract leaves the code open; nothing may come of it, and nobody may be left in doubt.
  EXPECT_EQ(ended.signal, 0);
  EXPECT_FALSE((ended.out + ended.err).empty());
  EXPECT_EQ(host.snapshot("bin"), before);
}

TEST(Operator, DestinationThatIsGoneInTheMiddleOfASwapNeedsAPerson) {
  Host host;
  crash_in_swap(host, 1);
  std::filesystem::remove(host.bin("gamma"));
  EXPECT_EQ(host.run({"recover"}).code, 4);
  EXPECT_FALSE(present(host.bin("gamma")));
  EXPECT_EQ(host.json({"status"}, 4)["recover_would"], "needs_operator");
  EXPECT_EQ(host.run({"recover", "--force-rollback", "--reason", "restore"}).code, 0);
  EXPECT_EQ(host.installed(), "1.0.0");
}

TEST(Operator, DestinationThatIsChangedInTheMiddleOfASwapNeedsAPerson) {
  for (const std::string policy : {"auto", "rollback", "replay"}) {
    Host host;
    crash_in_swap(host, 1);
    std::filesystem::remove(host.bin("gamma"));
    write_file(host.bin("gamma"), kForeign, 0755);
    EXPECT_EQ(host.run({"recover", "--policy", policy}).code, 4) << policy;
    EXPECT_EQ(read_file(host.bin("gamma")), kForeign) << policy;
  }
}

// Stops the update right after `call`, changes gamma, and lets it go on.
Ended change_gamma_after(Host& host, const Call& call) {
  second_update().prepare(host);
  const Arguments tracer = strace(host.path("calls.log"), call.name,
                                  call.name + ":signal=STOP:when=" + std::to_string(call.nth));
  Process update(host.command(second_update().command(host)),
                 {{{"ASAN_OPTIONS", "detect_leaks=0"}}, tracer});
  const std::string children = "/proc/" + std::to_string(update.pid()) + "/task/" +
                               std::to_string(update.pid()) + "/children";
  EXPECT_TRUE(eventually(
      [&] { return contains(read_file(host.path("calls.log")), "stopped by SIGSTOP"); }));
  EXPECT_EQ(read_file(host.bin("gamma")), program("gamma", "1.0.0")) << "not swapped yet";
  std::filesystem::remove(host.bin("gamma"));
  write_file(host.bin("gamma"), kForeign, 0755);
  kill(static_cast<pid_t>(std::stol("0" + read_file(children))), SIGCONT);
  return update.wait();
}

TEST(Operator, ChangeSeenBeforeTheFirstRenameDiscardsTheUpdate) {
  const std::vector<Call> backups = making(record(second_update()), ".backup");
  ASSERT_GE(backups.size(), 1U);
  Host host;
  const Ended ended = change_gamma_after(host, backups[0]);
  EXPECT_EQ(ended.code, 1) << ended.err;
  EXPECT_EQ(read_file(host.bin("alpha")), program("alpha", "1.0.0"));
  EXPECT_EQ(read_file(host.bin("gamma")), kForeign);
  EXPECT_TRUE(host.leftovers().empty()) << testing::PrintToString(host.leftovers());
}

TEST(Operator, ChangeSeenAfterTheFirstRenameNeedsAPerson) {
  const std::vector<Call> renames = swaps(record(second_update()));
  ASSERT_EQ(renames.size(), 3U);
  Host host;
  const Ended ended = change_gamma_after(host, renames[0]);
  EXPECT_EQ(ended.code, 4) << ended.err;
  EXPECT_EQ(read_file(host.bin("gamma")), kForeign);
}

}  // namespace
}  // namespace update::scenario
