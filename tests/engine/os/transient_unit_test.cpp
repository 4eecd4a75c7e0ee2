#include "engine/os/transient_unit_linux.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
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

bool never() {
  return false;
}

int status_of(const Result<UnitEnd>& end) {
  return end ? end->status.value_or(kWrong) : kWrong;
}

TEST(RunAttached, GivesTheExitStatus) {
  EXPECT_EQ(status_of(run_attached(shell("exit 7"), nullptr, never)), 7);
  EXPECT_EQ(status_of(run_attached(shell("exit 0"), nullptr, never)), 0);
}

// 15 and 143 would be taken for the program's own word.
TEST(RunAttached, AProgramThatIsKilledHasNoStatus) {
  const auto end = run_attached(shell("kill -TERM $$"), nullptr, never);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->status, std::nullopt);
}

TEST(RunAttached, AProgramThatIsMissingIsAnError) {
  EXPECT_FALSE(run_attached({{"/does/not/exist"}, {}, 0, 0}, nullptr, never));
}

TEST(RunAttached, HasTheCallersStandardInput) {
  EXPECT_EQ(in_child([] {
              std::array<int, 2> ends{};
              if (pipe(ends.data()) != 0) return kWrong;
              if (write(ends[1], "5\n", 2) != 2) return kWrong;
              dup2(ends[0], STDIN_FILENO);
              return status_of(run_attached(shell("read status; exit $status"), nullptr, never));
            }),
            5);
}

TEST(RunAttached, PassesSigintOnOnceAndGoesOnWaiting) {
  EXPECT_EQ(in_child([] {
              SignalStop stop;
              int told = 0;
              kill(getpid(), SIGINT);
              const auto end = run_attached(shell("sleep 0.5; exit 3"), &stop, [&] {
                ++told;
                return true;
              });
              if (!end || !end->interrupted) return kWrong;
              return status_of(end) + 10 * told;
            }),
            13);
}

// The unit is not there yet, say.
TEST(RunAttached, PassesSigintOnUntilItArrives) {
  EXPECT_EQ(in_child([] {
              SignalStop stop;
              int told = 0;
              kill(getpid(), SIGINT);
              const auto end =
                  run_attached(shell("sleep 1; exit 4"), &stop, [&] { return ++told == 3; });
              return status_of(end) + 10 * told;
            }),
            34);
}

TEST(RunAttached, WithoutADescriptorLeftItWaitsAllTheSame) {
  EXPECT_EQ(in_child([] {
              SignalStop stop;
              kill(getpid(), SIGINT);
              rlimit before{};
              getrlimit(RLIMIT_NOFILE, &before);
              const rlimit few{.rlim_cur = 64, .rlim_max = before.rlim_max};
              setrlimit(RLIMIT_NOFILE, &few);
              while (open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0) {
              }
              int told = 0;
              const auto end = run_attached(shell("sleep 0.3; exit 6"), &stop, [&] {
                ++told;
                return true;
              });
              setrlimit(RLIMIT_NOFILE, &before);  // a sanitizer opens a pipe of its own
              return status_of(end) + 10 * told;
            }),
            16);
}

TEST(RunAttached, LeavesWhatItWaitsForAtSigterm) {
  EXPECT_EQ(in_child([] {
              SignalStop stop;
              kill(getpid(), SIGTERM);
              const auto end = run_attached(shell("exec sleep 1000"), &stop, never);
              return end ? kWrong : exit_code(end.error().code());
            }),
            10);
}

}  // namespace
}  // namespace update::os
