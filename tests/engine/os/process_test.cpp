#include "engine/os/process_linux.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <fstream>

#include "engine/os/clock_linux.hpp"
#include "engine/os/host_linux.hpp"
#include "tests/engine/os/error_of.hpp"
#include "tests/engine/os/signal_guard.hpp"
#include "tests/engine/os/temporary_folder.hpp"

namespace update::os {
namespace {

constexpr const char* kPath = "/usr/sbin:/usr/bin:/sbin:/bin";

Command command(std::vector<std::string> argv) {
  return {.argv = std::move(argv), .environment = {{"PATH", kPath}}, .timeout_ms = 60'000};
}

Command shell(const std::string& script) {
  return command({"/bin/sh", "-c", script});
}

// Whether a process is gone, or goes within ten seconds: who was killed needs a moment to end.
bool ends(pid_t pid) {
  LinuxHost host;
  LinuxClock clock;
  for (int i = 0; i < 1000; ++i) {
    if (!host.process_start(pid)) return true;
    clock.wait_ms(10);
  }
  return false;
}

pid_t number_in(const std::string& output) {
  pid_t number = 0;
  std::from_chars(output.data(), output.data() + output.size(), number);
  return number;
}

class Process : public testing::Test {
 protected:
  ProcessResult run(const Command& what) {
    auto result = runner_.run(what);
    EXPECT_TRUE(result) << result.error().message();
    return result.value_or(ProcessResult{});
  }
  std::string output_of(const Command& what) { return run(what).output; }

  SignalGuard guard_;
  LinuxProcessRunner runner_;
};

TEST_F(Process, ExitStatusIsTold) {
  const ProcessResult result = run(shell("exit 3"));
  EXPECT_EQ(result.end, ProcessEnd::exited);
  EXPECT_EQ(result.status, 3);
  EXPECT_FALSE(result.passed());
  EXPECT_EQ(describe(result), "exited with status 3");
  EXPECT_TRUE(run(command({"true"})).passed());
}

TEST_F(Process, ASignalIsTold) {
  const ProcessResult result = run(shell("kill -SEGV $$"));
  EXPECT_EQ(result.end, ProcessEnd::signalled);
  EXPECT_EQ(result.status, SIGSEGV);
  EXPECT_EQ(describe(result), "was ended by signal 11");
}

TEST_F(Process, TheWayItWasEndedByUsIsTold) {
  ProcessResult result;
  result.end = ProcessEnd::timed_out;
  EXPECT_EQ(describe(result), "did not end in time");
  result.end = ProcessEnd::stopped;
  EXPECT_EQ(describe(result), "was ended, since this program was told to stop");
}

TEST_F(Process, ExitStatusIsToldThoughSigchldWasInheritedIgnored) {
  std::signal(SIGCHLD, SIG_IGN);
  LinuxProcessRunner runner;
  EXPECT_EQ(runner.run(shell("exit 3")).value().status, 3);
}

TEST_F(Process, AnEndThatNobodyKnowsIsAnErrorAndNoSuccess) {
  LinuxProcessRunner runner;
  std::signal(SIGCHLD, SIG_IGN);  // from now on the kernel keeps no status
  const auto result = runner.run(shell("sleep 0.2; exit 3"));
  std::signal(SIGCHLD, SIG_DFL);
  EXPECT_FALSE(result);
}

TEST_F(Process, OutputAndErrorsAreKeptInTheirOrder) {
  const ProcessResult result = run(shell("echo one; echo two >&2; printf 'a\\000b'"));
  EXPECT_EQ(result.output, std::string("one\ntwo\na\0b", 11));
  EXPECT_EQ(result.output_bytes, 11U);
}

TEST_F(Process, ArgumentsReachTheProgramAsTheyAre) {
  EXPECT_EQ(output_of(command({"printf", "<%s>", "$HOME `id` *", "", "a b"})),
            "<$HOME `id` *><><a b>");
}

TEST_F(Process, TheEnvironmentIsExactlyWhatWasGiven) {
  ::setenv("UPDATE_OS_TEST", "inherited", 1);
  Command env = command({"/usr/bin/env"});
  env.environment = {{"A", "1"}, {"B", "x=y z"}};
  EXPECT_EQ(output_of(env), "A=1\nB=x=y z\n");
  env.environment.clear();
  EXPECT_EQ(output_of(env), "");
  ::unsetenv("UPDATE_OS_TEST");
}

TEST_F(Process, NoDescriptorIsInherited) {
  const int leaked = ::fcntl(STDERR_FILENO, F_DUPFD, 57);  // without FD_CLOEXEC
  ASSERT_GE(leaked, 57);
  // 3 is the folder that ls reads.
  EXPECT_EQ(output_of(command({"ls", "/proc/self/fd"})), "0\n1\n2\n3\n");
  ::close(leaked);
}

TEST_F(Process, WorksWithoutStandardDescriptorsOfItsOwn) {
  EXPECT_EXIT(
      {
        for (const int fd : {0, 1, 2}) ::close(fd);
        const auto result = LinuxProcessRunner().run(shell("cat; echo one; echo two >&2"));
        ::_exit(result && result->output == "one\ntwo\n" ? 7 : 1);
      },
      testing::ExitedWithCode(7), "");
}

TEST_F(Process, StandardInputIsEmptyAndTheFolderIsTheRoot) {
  EXPECT_EQ(output_of(shell("cat; pwd")), "/\n");
}

TEST_F(Process, TheUmaskIs022ThereAndUnchangedHere) {
  const mode_t before = ::umask(0077);
  EXPECT_EQ(output_of(shell("umask")), "0022\n");
  EXPECT_EQ(::umask(before), 0077U);
}

TEST_F(Process, SignalsAreAsAProgramExpectsThem) {
  const SignalStop stop;  // blocks and ignores some
  const std::string lines = output_of(command({"grep", "^Sig[BI]", "/proc/self/status"}));
  EXPECT_EQ(lines, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST_F(Process, LeadsAGroupOfItsOwn) {
  EXPECT_EQ(output_of(shell("read -r pid name state parent group rest < /proc/self/stat; "
                            "[ $group = $$ ] && echo leads")),
            "leads\n");
}

TEST_F(Process, ProgramsAreLookedUpInTheGivenPathAlone) {
  const TemporaryFolder folder;
  for (const char* const name : {"one", "two"}) {
    ASSERT_TRUE(folder.open()->create_folder(name, 0755));
    std::ofstream(folder.path(name) + "/program") << "#!/bin/sh\necho " << name << "\n";
  }
  ASSERT_EQ(::chmod(folder.path("two/program").c_str(), 0755), 0);
  Command program = command({"program"});
  EXPECT_EQ(error_of(runner_.run(program)).system_errno(), ENOENT);
  program.environment = {{"PATH", folder.path("one") + ":" + folder.path("two")}};
  EXPECT_EQ(output_of(program), "two\n") << "the first is not executable";
  program.environment = {{"PATH", folder.path("one")}};
  EXPECT_EQ(error_of(runner_.run(program)).system_errno(), EACCES);
  program.environment = {};
  EXPECT_EQ(error_of(runner_.run(program)).system_errno(), ENOENT);
}

// An empty or relative part means the current folder to a shell, and that is anybody's.
TEST_F(Process, TheCurrentFolderIsNoPlaceForPrograms) {
  const TemporaryFolder folder;
  std::ofstream(folder.path("program")) << "#!/bin/sh\n";
  ASSERT_EQ(::chmod(folder.path("program").c_str(), 0755), 0);
  const std::string before = std::filesystem::current_path().string();
  Command program = command({"program"});
  ASSERT_EQ(::chdir(folder.path().c_str()), 0);
  for (const char* const path : {"", ".", ":", "::.:"}) {
    program.environment = {{"PATH", path}};
    EXPECT_EQ(error_of(runner_.run(program)).system_errno(), ENOENT) << path;
  }
  // From the root, where the program would be run, a relative part could lead to it.
  ASSERT_EQ(::chdir("/"), 0);
  program.environment = {{"PATH", folder.path().substr(1)}};
  EXPECT_EQ(error_of(runner_.run(program)).system_errno(), ENOENT);
  program.argv = {"./program"};
  program.environment = {{"PATH", folder.path()}};
  EXPECT_EQ(error_of(runner_.run(program)).system_errno(), ENOENT);
  ASSERT_EQ(::chdir(before.c_str()), 0);
}

TEST_F(Process, WhatCannotBeStartedIsAnErrorWithItsReason) {
  const TemporaryFolder folder;
  const auto reason_of = [&](const std::string& program) {
    return error_of(runner_.run(command({program}))).system_errno();
  };
  EXPECT_EQ(reason_of(folder.path("absent")), ENOENT);
  EXPECT_EQ(reason_of(folder.path()), EACCES);
  std::ofstream(folder.path("text")) << "no program";
  EXPECT_EQ(reason_of(folder.path("text")), EACCES);
  ASSERT_EQ(::chmod(folder.path("text").c_str(), 0755), 0);
  EXPECT_EQ(reason_of(folder.path("text")), ENOEXEC) << "no shell is asked";
  const int writer = ::open(folder.path("text").c_str(), O_WRONLY | O_CLOEXEC);
  EXPECT_EQ(reason_of(folder.path("text")), ETXTBSY);
  ::close(writer);
  EXPECT_NE(error_of(runner_.run(command({folder.path("absent")}))).message().find("absent"),
            std::string::npos);
}

TEST_F(Process, WhatAKernelWouldCutShortIsRefused) {
  EXPECT_EQ(error_of(runner_.run(command({}))).system_errno(), EINVAL);
  EXPECT_EQ(error_of(runner_.run(command({"echo", std::string("a\0b", 3)}))).system_errno(),
            EINVAL);
  using Variable = std::pair<std::string, std::string>;
  for (const Variable& variable :
       {Variable("", "x"), Variable("A=B", "x"), Variable(std::string("A\0", 2), "x"),
        Variable("A", std::string("x\0y", 3))}) {
    Command echo = command({"echo"});
    echo.environment.push_back(variable);
    EXPECT_EQ(error_of(runner_.run(echo)).system_errno(), EINVAL) << variable.first;
  }
}

TEST_F(Process, AtTheTimeoutTheWholeGroupIsKilled) {
  Command sleeper = shell("trap '' TERM; sleep 1000 & echo $!; wait");
  sleeper.timeout_ms = 300;
  const ProcessResult result = run(sleeper);
  EXPECT_EQ(result.end, ProcessEnd::timed_out);
  EXPECT_EQ(result.status, SIGKILL);
  EXPECT_GE(result.duration_ms, 300);
  EXPECT_TRUE(ends(number_in(result.output)));
}

TEST_F(Process, AProgramThatLeftItsGroupIsKilledAtTheTimeout) {
  Command deserter = command({"perl", "-e",
                              "$| = 1; setpgrp(0, getpgrp(getppid())) or die; "
                              "print $$; sleep 1000"});
  deserter.timeout_ms = 300;
  const ProcessResult result = run(deserter);
  EXPECT_EQ(result.end, ProcessEnd::timed_out);
  EXPECT_EQ(result.status, SIGKILL);
  EXPECT_TRUE(ends(number_in(result.output)));
}

TEST_F(Process, AProgramThatPrintsAllTheTimeStillEndsAtItsTimeout) {
  Command printer = command({"yes"});
  printer.timeout_ms = 100;
  EXPECT_EQ(run(printer).end, ProcessEnd::timed_out);
}

TEST_F(Process, WhatIsLeftInTheGroupIsKilledWhenTheProgramEnds) {
  const ProcessResult result = run(shell("sleep 1000 & echo $!"));
  EXPECT_TRUE(result.passed());
  EXPECT_TRUE(ends(number_in(result.output)));
}

// A daemon that a restart command started keeps the pipe open for as long as it lives.
TEST_F(Process, ADaemonThatHoldsTheOutputOpenIsNotWaitedForAndLives) {
  const ProcessResult result =
      run(shell("setsid sh -c 'echo $$; exec sleep 1000' & "
                "while [ \"$(cut -d' ' -f5 /proc/$!/stat)\" = $$ ]; do :; done; "
                "until grep -q sleep /proc/$!/comm; do :; done"));
  EXPECT_TRUE(result.passed());
  EXPECT_LT(result.duration_ms, 60'000);
  const pid_t daemon = number_in(result.output);
  ASSERT_GT(daemon, 0);
  EXPECT_TRUE(LinuxHost().process_start(daemon));
  ::kill(daemon, SIGKILL);
}

TEST_F(Process, ADaemonThatPrintsForEverIsNotWaitedFor) {
  const ProcessResult result =
      run(shell("setsid sh -c 'echo $$; exec yes' & "
                "while [ \"$(cut -d' ' -f5 /proc/$!/stat)\" = $$ ]; do :; done; "
                "until grep -q yes /proc/$!/comm; do :; done"));
  EXPECT_TRUE(result.passed());
  const pid_t daemon = number_in(result.output);
  ASSERT_GT(daemon, 0);
  ::kill(daemon, SIGKILL);
}

TEST_F(Process, TheWholeOutputIsThereWhenTheProgramHasEnded) {
  // As much as a pipe holds, printed at once just before the end.
  for (int i = 0; i < 50; ++i) {
    const ProcessResult result = run(command({"head", "-c", "65536", "/dev/zero"}));
    ASSERT_EQ(result.output_bytes, 65536U);
    ASSERT_EQ(result.output.size(), 65536U);
  }
}

TEST_F(Process, BeginningAndEndOfALongOutputAreKept) {
  Command seq = command({"seq", "1", "100000"});
  seq.output_limit = 100;
  const ProcessResult result = run(seq);
  EXPECT_EQ(result.output_bytes, 588'895U);
  EXPECT_TRUE(result.output.starts_with("1\n2\n3\n")) << result.output;
  EXPECT_TRUE(result.output.ends_with("\n99999\n100000\n")) << result.output;
  EXPECT_NE(result.output.find("\n[588795 bytes left out]\n"), std::string::npos) << result.output;
}

TEST_F(Process, AnOutputOfExactlyTheLimitIsWhole) {
  Command printer = command({"printf", "0123456789"});
  printer.output_limit = 10;
  EXPECT_EQ(output_of(printer), "0123456789");
  printer.output_limit = 9;
  EXPECT_EQ(output_of(printer), "0123\n[1 bytes left out]\n56789");
  printer.output_limit = 0;
  EXPECT_EQ(output_of(printer), "[10 bytes left out]\n");
}

TEST_F(Process, SmallPiecesAreJoinedAsTheyCame) {
  Command printer = shell("i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo $i; done");
  printer.output_limit = 20;
  EXPECT_EQ(output_of(printer), "1\n2\n3\n4\n5\n[1072 bytes left out]\n8\n299\n300\n");
}

TEST_F(Process, AGigabyteOfOutputCostsBoundedMemory) {
  rusage before{};
  ::getrusage(RUSAGE_SELF, &before);
  const ProcessResult result = run(command({"head", "-c", "1G", "/dev/zero"}));
  rusage after{};
  ::getrusage(RUSAGE_SELF, &after);
  EXPECT_TRUE(result.passed());
  EXPECT_EQ(result.output_bytes, 1ULL << 30);
  EXPECT_LT(result.output.size(), 64U * 1024 + 100);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 16 * 1024) << "KiB";
}

// Invariant 6: no child of ours can hold the lock.
TEST_F(Process, ADaemonThatOutlivesUsDoesNotHoldOurLock) {
  const TemporaryFolder temporary;
  const auto folder = temporary.open();
  auto lock = folder->create_file("lock", 0600).value();
  ASSERT_TRUE(lock->try_lock().value());
  const ProcessResult result =
      run(shell("setsid sh -c 'echo $$; exec sleep 1000' & "
                "while [ \"$(cut -d' ' -f5 /proc/$!/stat)\" = $$ ]; do :; done; "
                "until grep -q sleep /proc/$!/comm; do :; done"));
  const pid_t daemon = number_in(result.output);
  ASSERT_TRUE(LinuxHost().process_start(daemon));
  lock.reset();
  EXPECT_TRUE(folder->open_file("lock").value()->try_lock().value());
  ::kill(daemon, SIGKILL);
}

class StoppableProcess : public Process {
 protected:
  SignalStop stop_;
  LinuxProcessRunner stoppable_{&stop_};
};

TEST_F(StoppableProcess, AStopKillsTheWholeGroup) {
  const auto result = stoppable_.run(shell("sleep 1000 & echo $!; kill -TERM $PPID; wait"));
  ASSERT_TRUE(result);
  EXPECT_EQ(result->end, ProcessEnd::stopped);
  EXPECT_FALSE(result->passed());
  EXPECT_TRUE(ends(number_in(result->output)));
  EXPECT_EQ(stop_.pending(), StopRequest::Signal::terminate);
}

TEST_F(StoppableProcess, NothingIsStartedOnceAStopIsPending) {
  const TemporaryFolder folder;
  ::kill(::getpid(), SIGINT);
  EXPECT_EQ(stop_.pending(), StopRequest::Signal::interrupt);
  const auto result = stoppable_.run(command({"touch", folder.path("file")}));
  EXPECT_EQ(result.value().end, ProcessEnd::stopped);
  EXPECT_FALSE(std::filesystem::exists(folder.path("file")));
}

TEST_F(StoppableProcess, WhileStopsAreHeldAProgramRunsToItsEnd) {
  ::kill(::getpid(), SIGINT);
  EXPECT_EQ(stop_.pending(), StopRequest::Signal::interrupt);
  stop_.hold();
  const auto result = stoppable_.run(shell("kill -TERM $PPID; echo done"));
  EXPECT_TRUE(result.value().passed());
  EXPECT_EQ(result.value().output, "done\n");
}

}  // namespace
}  // namespace update::os
