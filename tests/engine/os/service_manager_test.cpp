#include "engine/os/service_manager_systemd.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <deque>

#include "tests/engine/os/error_of.hpp"

namespace update::os {
namespace {

// Answers with what it was given, one after the other, and remembers what was run.
class ScriptedRunner final : public ProcessRunner {
 public:
  Result<ProcessResult> run(const Command& command) override {
    commands.push_back(command);
    if (answers.empty()) return fail(ErrorCode::failed, "nothing more was expected to run");
    auto answer = std::move(answers.front());
    answers.pop_front();
    return answer;
  }

  std::deque<Result<ProcessResult>> answers;
  std::vector<Command> commands;
};

ProcessResult exited(int status, const std::string& output = "") {
  return {.end = ProcessEnd::exited,
          .status = status,
          .output = output,
          .output_bytes = output.size(),
          .duration_ms = 0};
}

ProcessResult ended(ProcessEnd end) {
  ProcessResult result;
  result.end = end;
  result.status = 9;
  return result;
}

constexpr const char* kRunning =
    "MainPID=812\nNRestarts=2\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\n";

class Systemd : public testing::Test {
 protected:
  Result<UnitState> state_of(const std::string& answer, const std::string& unit = "a.service") {
    runner_.answers = {exited(0, answer)};
    return services_.state(unit);
  }

  ScriptedRunner runner_;
  SystemdServiceManager services_{runner_};
};

TEST_F(Systemd, AsksForAStateInOneCallWithoutAnInheritedEnvironment) {
  ASSERT_TRUE(state_of(kRunning, "bangerd.service"));
  ASSERT_EQ(runner_.commands.size(), 1U);
  const Command& command = runner_.commands[0];
  EXPECT_EQ(command.argv,
            (std::vector<std::string>{"systemctl", "show", "-p",
                                      "LoadState,ActiveState,SubState,UnitFileState,MainPID,"
                                      "NRestarts,KillMode,ControlGroup,NeedDaemonReload",
                                      "--", "bangerd.service"}));
  ASSERT_EQ(command.environment.size(), 2U);
  EXPECT_EQ(command.environment[0].first, "PATH");
  EXPECT_EQ(command.environment[0].second, "/usr/sbin:/usr/bin:/sbin:/bin")
      << "whoever may write to /usr/local would be asked instead of systemd";
  EXPECT_GT(command.timeout_ms, 0);
}

TEST_F(Systemd, AStateIsRead) {
  const UnitState state = state_of(kRunning).value();
  EXPECT_TRUE(state.found);
  EXPECT_TRUE(state.active);
  EXPECT_FALSE(state.masked);
  EXPECT_EQ(state.main_pid, 812);
  EXPECT_EQ(state.restart_count, 2);
}

TEST_F(Systemd, ActiveIsWhatRunsStartsOrReloads) {
  const auto active = [&](const std::string& word) {
    return state_of("LoadState=loaded\nActiveState=" + word + "\n").value().active;
  };
  for (const char* const word : {"active", "activating", "reloading"}) {
    EXPECT_TRUE(active(word)) << word;
  }
  for (const char* const word : {"inactive", "failed", "deactivating"}) {
    EXPECT_FALSE(active(word)) << word;
  }
}

// F8: systemd calls a crash loop "activating" between two tries.
TEST_F(Systemd, ACrashLoopIsNotActive) {
  const auto state = [&](const std::string& sub) {
    return state_of("LoadState=loaded\nActiveState=activating\nSubState=" + sub + "\n").value();
  };
  for (const char* const waiting : {"auto-restart", "auto-restart-queued"}) {
    EXPECT_FALSE(state(waiting).active) << waiting;
    EXPECT_EQ(state(waiting).activity, waiting);
  }
  EXPECT_TRUE(state("start").active) << "Type=notify, and not ready yet";
  EXPECT_EQ(state("start").activity, "activating");
}

TEST_F(Systemd, AUnitThatIsNotThereIsNoError) {
  const UnitState state = state_of(
                              "MainPID=0\nNRestarts=0\nLoadState=not-found\nActiveState=inactive\n"
                              "UnitFileState=\n")
                              .value();
  EXPECT_FALSE(state.found);
  EXPECT_FALSE(state.active);
}

TEST_F(Systemd, AUnitIsMaskedAlsoBeforeADaemonReload) {
  const auto masked = [&](const std::string& load, const std::string& file) {
    return state_of("LoadState=" + load + "\nActiveState=inactive\nUnitFileState=" + file + "\n")
        .value()
        .masked;
  };
  EXPECT_TRUE(masked("masked", "masked"));
  EXPECT_TRUE(masked("loaded", "masked"));
  EXPECT_TRUE(masked("loaded", "masked-runtime"));
  EXPECT_TRUE(masked("masked", ""));
  EXPECT_FALSE(masked("loaded", "disabled"));
}

TEST_F(Systemd, AWarningBetweenTheLinesIsPassedOver) {
  EXPECT_TRUE(state_of(std::string("ERROR: ld.so: object 'x=y' cannot be preloaded\n") + kRunning)
                  .value()
                  .active);
}

TEST_F(Systemd, AnAnswerThatIsNotUnderstoodIsAnError) {
  for (const std::string& answer :
       {std::string(""), std::string("LoadState=loaded\n"), std::string("ActiveState=active\n"),
        std::string("LoadState=loaded\nActiveState=sleeping\n"),
        std::string(kRunning) + "\n" + kRunning,
        std::string("LoadState=loaded\nActiveState=active\nMainPID=12x\n"),
        std::string("LoadState=loaded\nActiveState=active\nMainPID=-1\n"),
        std::string("LoadState=loaded\nActiveState=active\nNRestarts=99999999999999999999\n"),
        std::string("Running in chroot, ignoring command 'show'\n")}) {
    const auto state = state_of(answer);
    ASSERT_FALSE(state) << answer;
    EXPECT_NE(error_of(state).message().find("a.service"), std::string::npos);
  }
}

TEST_F(Systemd, WhatIsNoUnitNameIsNeverRun) {
  for (const std::string& unit :
       {std::string(""), std::string("--force"), std::string("-"), std::string("a/b.service"),
        std::string("a\0.service", 10), std::string("a*"), std::string("[ab].service"),
        std::string("a b"), std::string("a\n"), std::string(256, 'a')}) {
    EXPECT_EQ(error_of(services_.state(unit)).code(), ErrorCode::usage) << unit;
    EXPECT_EQ(error_of(services_.restart(unit, 1000)).code(), ErrorCode::usage) << unit;
  }
  EXPECT_TRUE(runner_.commands.empty());
  EXPECT_TRUE(state_of(kRunning, "system-a\\x2db:c_d@1.service"));
}

// F7: a start limit is cleared before each planned start.
TEST_F(Systemd, RestartClearsAStartLimitFirstAndAwaitsTheJob) {
  runner_.answers = {exited(0), exited(0)};
  ASSERT_TRUE(services_.restart("a.service", 20'000));
  ASSERT_EQ(runner_.commands.size(), 2U);
  EXPECT_EQ(runner_.commands[0].argv,
            (std::vector<std::string>{"systemctl", "reset-failed", "--", "a.service"}));
  EXPECT_EQ(
      runner_.commands[1].argv,
      (std::vector<std::string>{"systemctl", "restart", "--no-ask-password", "--", "a.service"}));
  EXPECT_EQ(runner_.commands[1].timeout_ms, 20'000);
}

TEST_F(Systemd, BothCallsOfARestartShareItsTime) {
  ProcessResult slow = exited(0);
  slow.duration_ms = 15'000;
  runner_.answers = {slow, exited(0)};
  ASSERT_TRUE(services_.restart("a.service", 20'000));
  EXPECT_LE(runner_.commands[0].timeout_ms, 20'000);
  EXPECT_EQ(runner_.commands[1].timeout_ms, 5'000);
  slow.duration_ms = 20'001;
  runner_.answers = {slow, exited(0)};
  ASSERT_TRUE(services_.restart("a.service", 20'000));
  EXPECT_EQ(runner_.commands[3].timeout_ms, 1) << "0 would be without a limit";
}

TEST_F(Systemd, AUnitThatIsNotLoadedNeedsNoReset) {
  runner_.answers = {exited(1, "Unit a.service not loaded.\n"), exited(0)};
  EXPECT_TRUE(services_.restart("a.service", 1000));
}

TEST_F(Systemd, AFailedRestartNamesTheUnitAndEscapesWhatSystemctlSays) {
  runner_.answers = {exited(0), exited(1, "Job for a.service failed.\n\x1b[31mSee status.\n")};
  const auto status = services_.restart("a.service", 1000);
  ASSERT_FALSE(status);
  const std::string message = status.error().message();
  EXPECT_NE(message.find("restarting a.service"), std::string::npos) << message;
  EXPECT_NE(message.find("Job for a.service failed. \\x"), std::string::npos) << message;
  EXPECT_EQ(message.find('\x1b'), std::string::npos);
  EXPECT_EQ(message.find('\n'), std::string::npos);
}

TEST_F(Systemd, ARestartThatDoesNotEndInTimeIsAnError) {
  runner_.answers = {exited(0), ended(ProcessEnd::timed_out)};
  EXPECT_NE(error_of(services_.restart("a.service", 1000)).message().find("did not end in time"),
            std::string::npos);
  runner_.answers = {ended(ProcessEnd::stopped), exited(0)};
  EXPECT_FALSE(services_.restart("a.service", 1000)) << "nothing is restarted after a stop";
}

// It says nothing of the unit.
TEST_F(Systemd, AToolThatSomebodyKilledLeavesTheJobOpen) {
  ProcessResult killed = ended(ProcessEnd::signalled);
  for (const int signal : {SIGTERM, SIGKILL, SIGINT, SIGHUP}) {
    killed.status = signal;
    runner_.answers = {exited(0), killed, killed, killed};
    EXPECT_EQ(error_of(services_.restart("a.service", 1000)).code(), ErrorCode::unfinished);
    EXPECT_EQ(error_of(services_.restart("a.service", 1000)).code(), ErrorCode::unfinished);
    EXPECT_EQ(error_of(services_.reload(1000)).code(), ErrorCode::unfinished);
  }
  killed.status = SIGSEGV;
  runner_.answers = {exited(0), killed};
  EXPECT_EQ(error_of(services_.restart("a.service", 1000)).code(), ErrorCode::failed);
}

TEST_F(Systemd, AHostWithoutSystemdIsToldWhatToSetInstead) {
  const auto missing = [] { return fail(Error::from_errno(ENOENT, "starting systemctl")); };
  runner_.answers = {missing(), missing()};
  for (const Error& error :
       {error_of(services_.state("a.service")), error_of(services_.restart("a.service", 1000))}) {
    EXPECT_NE(error.hint().find("[restart] command"), std::string::npos) << error.message();
    EXPECT_NE(error.message().find("a.service"), std::string::npos) << error.message();
  }
  const std::string not_booted =
      "System has not been booted with systemd as init system (PID 1). Can't operate.\n";
  runner_.answers = {exited(1, not_booted), exited(1, not_booted), exited(1, not_booted)};
  for (const Error& error :
       {error_of(services_.state("a.service")), error_of(services_.restart("a.service", 1000))}) {
    EXPECT_NE(error.hint().find("[restart] command"), std::string::npos) << error.message();
  }
}

// systemctl(1) does nothing in a chroot and exits with 0.
TEST_F(Systemd, ARestartThatWasIgnoredIsAnError) {
  runner_.answers = {exited(0), exited(0, "Running in chroot, ignoring command 'restart'\n")};
  const auto status = services_.restart("a.service", 1000);
  ASSERT_FALSE(status);
  EXPECT_NE(error_of(status).hint().find("[restart] command"), std::string::npos);
}

TEST_F(Systemd, WhatItRunsApartIsToldWordByWord) {
  runner_.answers = {exited(0)};
  const TransientUnit unit{
      "x.service", "of $HOME", {"/bin/a", "$HOME", "100%", "a b"}, {{"NAME", "a b"}}};
  ASSERT_TRUE(services_.arm(unit, 1500));
  const std::vector<std::string>& argv = runner_.commands[0].argv;
  EXPECT_EQ(argv[0], "systemd-run");
  const auto has = [&](const std::string& word) {
    return std::find(argv.begin(), argv.end(), word) != argv.end();
  };
  EXPECT_TRUE(has("--on-active=1500ms"));
  EXPECT_TRUE(has("--unit=x.service"));
  EXPECT_TRUE(has("--setenv=NAME=a b"));
  const std::vector<std::string> command(argv.end() - 5, argv.end());
  // systemd.service(5), "Command lines": a $ of its own is written twice.
  EXPECT_EQ(command, (std::vector<std::string>{"--", "/bin/a", "$$HOME", "100%", "a b"}));
}

TEST_F(Systemd, ATimerThatCannotBeArmedIsAnError) {
  runner_.answers = {exited(1, "Failed to start transient timer unit\n")};
  const auto status = services_.arm({"x.service", "", {"/bin/a"}, {}}, 1);
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message().find("x.service"), std::string::npos);
}

TEST_F(Systemd, ATimerIsTakenBackByItsOwnName) {
  runner_.answers = {exited(0), exited(5, "Unit x.timer not loaded.\n"), exited(1, "no\n")};
  EXPECT_TRUE(services_.disarm("x.service"));
  EXPECT_EQ(runner_.commands[0].argv,
            (std::vector<std::string>{"systemctl", "stop", "--", "x.timer"}));
  EXPECT_TRUE(services_.disarm("x.service")) << "it has fired, or never was";
  EXPECT_FALSE(services_.disarm("x.service"));
}

TEST_F(Systemd, TheEndOfALogIsBoundedAndItsAbsenceIsNoError) {
  runner_.answers = {exited(0), exited(0, std::string(100'000, 'x') + "end")};
  const std::string end = services_.log_end("a.service");
  EXPECT_LT(end.size(), 10'000U);
  EXPECT_TRUE(end.ends_with("end"));
  runner_.answers = {fail(Error::from_errno(ENOENT, "starting journalctl"))};
  EXPECT_EQ(services_.log_end("a.service"), "");
  EXPECT_EQ(services_.log_end("a*"), "");
}

TEST_F(Systemd, AReloadIsAskedForAndItsFailureTold) {
  runner_.answers = {exited(0), exited(1, "no\n")};
  EXPECT_TRUE(services_.reload(1000));
  EXPECT_EQ(runner_.commands[0].argv, (std::vector<std::string>{"systemctl", "daemon-reload"}));
  EXPECT_FALSE(services_.reload(1000));
}

}  // namespace
}  // namespace update::os
