#include "engine/os/transient_unit_linux.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

namespace update::os {
namespace {

Command shell(const std::string& script) {
  return {{"/bin/sh", "-c", script}, {{"PATH", "/usr/bin:/bin"}}, 0, 0};
}

/// Signals are the whole process's: each test does its work in a child, whose exit status is
/// returned.
int in_child(const std::function<int()>& work) {
  const pid_t pid = fork();
  if (pid == 0) _exit(work());
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

constexpr int kWrong = 99;

TEST(RunAttached, GivesTheExitStatus) {
  EXPECT_EQ(run_attached(shell("exit 7"), nullptr, [] {}).value(), 7);
  EXPECT_EQ(run_attached(shell("exit 0"), nullptr, [] {}).value(), 0);
}

TEST(RunAttached, AProgramThatIsKilledOrMissingHasNone) {
  EXPECT_FALSE(run_attached(shell("kill -9 $$"), nullptr, [] {}));
  EXPECT_FALSE(run_attached({{"/does/not/exist"}, {}, 0, 0}, nullptr, [] {}));
}

TEST(RunAttached, HasTheCallersStandardInput) {
  EXPECT_EQ(
      in_child([] {
        std::array<int, 2> ends{};
        if (pipe(ends.data()) != 0) return kWrong;
        if (write(ends[1], "5\n", 2) != 2) return kWrong;
        dup2(ends[0], STDIN_FILENO);
        return run_attached(shell("read status; exit $status"), nullptr, [] {}).value_or(kWrong);
      }),
      5);
}

TEST(RunAttached, IsToldOfSigintOnceAndGoesOnWaiting) {
  EXPECT_EQ(in_child([] {
              SignalStop stop;
              int told = 0;
              kill(getpid(), SIGINT);
              const auto code = run_attached(shell("sleep 0.2; exit 3"), &stop, [&] { ++told; });
              return code.value_or(kWrong) + 10 * told;
            }),
            13);
}

TEST(RunAttached, LeavesWhatItWaitsForAtSigterm) {
  EXPECT_EQ(in_child([] {
              SignalStop stop;
              kill(getpid(), SIGTERM);
              const auto code = run_attached(shell("exec sleep 1000"), &stop, [] {});
              return code ? kWrong : exit_code(code.error().code());
            }),
            10);
}

}  // namespace
}  // namespace update::os
