// Bugs that were found in the program, each by the name of what went wrong.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "tests/scenario/host.hpp"
#include "tests/scenario/trace.hpp"

namespace update::scenario {
namespace {
namespace fs = std::filesystem;

TEST(Regression, ADestinationThatIsAnothersBackupThroughALinkIsRefused) {
  Host host;
  fs::create_directory_symlink(host.path("bin"), host.path("alias"));
  const std::string beta = host.settings().files[1].name;
  host.configure([&](Settings& s) {
    s.files[1].destination = host.path(
        "alias/" + fs::path(s.files[0].destination).filename().string() + s.backup_suffix);
  });
  const auto before = host.snapshot("bin");
  EXPECT_EQ(host.run({"apply", host.release("1.0.0")}).code, 2);
  EXPECT_EQ(host.snapshot("bin"), before) << beta;
}

TEST(Regression, OneReadErrorDoesNotSetASoundJournalAside) {
  NEEDS_TOOL("strace");
  // Each read of a rollback fails once; whatever it answers, the history must still be there.
  for (int nth = 20; nth <= 200; nth += 20) {
    Host host;
    host.install("1.0.0");
    host.install("2.0.0");
    Launch launch;
    launch.prefix =
        strace(host.path("trace.log"), "pread64", "pread64:error=EIO:when=" + std::to_string(nth));
    host.run({"rollback"}, launch);
    for (const auto& entry : fs::directory_iterator(host.path("state"))) {
      EXPECT_FALSE(contains(entry.path().filename().string(), "broken")) << "read " << nth;
    }
    host.run({"recover"});
    EXPECT_GE(host.json({"history"}).size(), 2U) << "read " << nth;
  }
}

TEST(Regression, RollbackReturnsToWhatTheUpdateReplacedNotToWhatWasOnceInstalled) {
  Host host;
  host.install("1.0.0");
  const std::string hotfix = "#!/bin/sh\necho somebody mended this by hand\n";
  write_file(host.bin("beta"), hotfix, 0755);
  host.install("2.0.0");
  EXPECT_EQ(host.run({"rollback"}).code, 0);
  EXPECT_EQ(read_file(host.bin("beta")), hotfix);
}

TEST(Regression, AFolderThatIsExchangedUnderAnUpdateNeedsAPerson) {
  for (const std::string verdict : {"0", "1"}) {
    Host host;
    host.install("1.0.0");
    host.doctor("if [ \"$installed\" = 2.0.0 ]; then mv '" + host.path("bin") + "' '" +
                host.path("bin2") + "'; cp -a '" + host.path("bin2") + "' '" + host.path("bin") +
                "'; exit " + verdict + "; fi");
    EXPECT_EQ(host.run({"apply", host.release("2.0.0")}).code, 4) << "the doctor says " << verdict;
  }
}

TEST(Regression, WhatCannotBePrintedIsNotExitZero) {
  Host host;
  host.install("1.0.0");
  const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  ASSERT_GE(full, 0);
  Launch launch;
  launch.stdout_fd = full;
  EXPECT_EQ(host.run({"status"}, launch).code, 1);
  // An update is what it is, whoever can read of it.
  EXPECT_EQ(host.run({"apply", host.release("2.0.0")}, launch).code, 0);
  close(full);
}

TEST(Regression, ALimitOfFileSizeIsAnErrorAndNoDeath) {
  Host host;
  host.install("1.0.0");
  Launch launch;
  launch.prefix = {"/bin/sh", "-c", "ulimit -f 0; exec \"$@\"", "sh"};
  const Ended ended = host.run({"apply", host.release("2.0.0")}, launch);
  EXPECT_EQ(ended.signal, 0);
  EXPECT_NE(ended.code, 0);
  EXPECT_EQ(host.installed(), "1.0.0");
}

TEST(Regression, AFolderByTheNameOfTheOldVersionIsNamedBeforeAnythingBegins) {
  Host host;
  host.install("1.0.0");
  fs::remove(host.bin("beta.previous"));
  fs::create_directory(host.bin("beta.previous"));
  const Ended ended = host.run({"apply", host.release("2.0.0")});
  EXPECT_EQ(ended.code, 1);
  EXPECT_TRUE(contains(ended.err, "beta.previous")) << ended.err;
  EXPECT_EQ(host.installed(), "1.0.0");
}

TEST(Regression, AStateFolderThatIsNotMountedIsNotNoUpdates) {
  Host host;
  host.install("1.0.0");
  fs::rename(host.path("state"), host.path("elsewhere"));
  fs::create_directory_symlink(host.path("not-mounted"), host.path("state"));
  for (const Arguments& command :
       {Arguments{"status"}, Arguments{"history"}, Arguments{"recover"}}) {
    EXPECT_EQ(host.run(command).code, 1) << command.front();
  }
}

TEST(Regression, AnUnfinishedUpdateOfAFileThatIsNotConfiguredAnyMoreIsStillTold) {
  NEEDS_TOOL("strace");
  Host host;
  crash_in_swap(host, 1);
  host.configure([](Settings& s) { s.files.pop_back(); });
  Json status = host.json({"status"}, 4);
  EXPECT_EQ(status["unfinished"]["phase"], "swap");
  EXPECT_EQ(host.run({"recover"}).code, 4);
}

TEST(Regression, ARecoveryThatCannotShowItsResultStillSaysThatTheHostIsWell) {
  NEEDS_TOOL("strace");
  const Scenario recovery = {[](Host& host) { crash_in_swap(host, 1); },
                             [](const Host&) {
                               return Arguments{"--output", "json", "recover"};
                             }};
  // At the end the state folder is looked at once more, to tell what became of the update.
  Fault last{"newfstatat", "EIO", ""};
  for (const Call& call : record_all(recovery).calls) {
    if (call.name == last.name && call.target() == "head") last.when = std::to_string(call.nth);
  }
  ASSERT_FALSE(last.when.empty());
  Host host;
  recovery.prepare(host);
  const Faulted faulted = run_with_faults(host, recovery, {last});
  EXPECT_EQ(faulted.ended.code, 0) << faulted.ended.out << faulted.ended.err;
  EXPECT_EQ(host.installed(), "2.0.0");
  Json told = faulted.ended.json();
  EXPECT_EQ(told["recovered"]["phase"], "committed") << told.dump();
  EXPECT_TRUE(contains(faulted.ended.err, "cannot be read again")) << faulted.ended.err;
}

TEST(Regression, AFirstInstallThatWasStoppedAtItsEndHasAHistoryThatVerifies) {
  NEEDS_TOOL("strace");
  const Scenario first = {[](Host& host) {
                            for (const InstalledFile& file : host.settings().files) {
                              fs::remove(file.destination);
                            }
                          },
                          [](const Host& host) {
                            return Arguments{"apply", host.release("2.0.0")};
                          }};
  std::vector<Call> written;
  for (const Call& call : record(first)) {
    if (call.name == "pwrite64") written.push_back(call);
  }
  Host host;
  crash(host, first, written.back());  // the head, after the outcome
  ASSERT_EQ(host.run({"recover"}).code, 0);
  const Ended verified = host.run({"history", "verify"});
  EXPECT_EQ(verified.code, 0) << verified.out << verified.err;
}

}  // namespace
}  // namespace update::scenario
