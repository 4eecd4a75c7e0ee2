#include "engine/os/host_linux.hpp"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <new>
#include <set>

namespace update::os {
namespace {

std::string first_line_of(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

TEST(Host, BootIdIsTheKernels) {
  LinuxHost host;
  EXPECT_EQ(host.boot_id(), first_line_of("/proc/sys/kernel/random/boot_id"));
  EXPECT_EQ(host.boot_id().size(), 36U);
  EXPECT_EQ(host.boot_id(), LinuxHost().boot_id());
}

TEST(Host, RandomNumbersDiffer) {
  LinuxHost host;
  std::set<std::uint32_t> seen;
  for (int i = 0; i < 100; ++i) seen.insert(host.random_u32());
  EXPECT_GT(seen.size(), 95U);
}

TEST(Host, ALostPageEndsTheProcessWithWhatItMeansNow) {
  const auto lose_a_page = [] {
    LinuxHost host;
    host.end_on_lost_page(Error(ErrorCode::no_space, "nothing yet").hint("try again"));
    host.end_on_lost_page(Error(ErrorCode::unfinished, "stopped").hint("recover"));
    std::raise(SIGBUS);
  };
  EXPECT_EXIT(lose_a_page(), ::testing::ExitedWithCode(exit_code(ErrorCode::unfinished)),
              "banger-update: stopped\nhint: recover\n$");
}

TEST(Host, LostMemoryEndsTheProcessWithWhatItMeansNow) {
  const auto lose_memory = [] {
    LinuxHost host;
    host.end_on_lost_memory(Error(ErrorCode::failed, "nothing yet"));
    host.end_on_lost_memory(Error(ErrorCode::unfinished, "stopped").hint("recover"));
    std::get_new_handler()();
  };
  EXPECT_EXIT(lose_memory(), ::testing::ExitedWithCode(exit_code(ErrorCode::unfinished)),
              "banger-update: stopped\nhint: recover\n$");
}

TEST(Host, KnowsItsNumbers) {
  LinuxHost host;
  EXPECT_EQ(host.uid(), ::geteuid());
  EXPECT_EQ(host.gid(), ::getegid());
  EXPECT_EQ(host.pid(), ::getpid());
}

TEST(Host, NobodyLoggedInIsNoUser) {
  const std::string uid = first_line_of("/proc/self/loginuid");
  const auto login = LinuxHost().login_uid();
  if (uid.empty() || uid == "4294967295") {
    EXPECT_EQ(login, std::nullopt);
  } else {
    EXPECT_EQ(std::to_string(login.value()), uid);
  }
}

// A child that waits, and is killed and reaped after the test.
class WaitingChild {
 public:
  explicit WaitingChild(const char* name) {
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_NAME, name);
      ::raise(SIGSTOP);
      for (;;) ::pause();
    }
    ::waitpid(pid_, nullptr, WUNTRACED);  // now it bears its name
  }
  ~WaitingChild() {
    ::kill(pid_, SIGKILL);
    if (!reaped_) ::waitpid(pid_, nullptr, 0);
  }
  WaitingChild(const WaitingChild&) = delete;
  WaitingChild& operator=(const WaitingChild&) = delete;

  pid_t pid() const { return pid_; }
  void kill_without_reaping() const {
    ::kill(pid_, SIGKILL);
    siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT);
  }
  void reap() {
    ::waitpid(pid_, nullptr, 0);
    reaped_ = true;
  }

 private:
  pid_t pid_ = -1;
  bool reaped_ = false;
};

TEST(Host, AProcessKeepsItsStartTimeAndItsChildStartsNoEarlier) {
  LinuxHost host;
  const auto own = host.process_start(::getpid());
  ASSERT_TRUE(own);
  EXPECT_GT(*own, 0U);
  const WaitingChild child("child");
  EXPECT_GE(host.process_start(child.pid()).value(), *own);
  EXPECT_EQ(host.process_start(::getpid()), own);
}

TEST(Host, ANameOfAProcessCannotForgeItsStartTime) {
  LinuxHost host;
  const WaitingChild plain("plain");
  const WaitingChild hostile(") R 1 1 1 (x) R");
  const auto start = host.process_start(hostile.pid());
  ASSERT_TRUE(start);
  // Both were started within one test: a few ticks of 10 ms apart.
  EXPECT_GE(*start, host.process_start(plain.pid()).value());
  EXPECT_LT(*start, host.process_start(plain.pid()).value() + 6000);
}

TEST(Host, WhatHasEndedIsGoneEvenIfNobodyReapedIt) {
  LinuxHost host;
  WaitingChild child("child");
  ASSERT_TRUE(host.process_start(child.pid()));
  child.kill_without_reaping();
  EXPECT_EQ(host.process_start(child.pid()), std::nullopt);
  child.reap();
  EXPECT_EQ(host.process_start(child.pid()), std::nullopt);
  EXPECT_EQ(host.process_start(0), std::nullopt);
  EXPECT_EQ(host.process_start(-1), std::nullopt);
}

}  // namespace
}  // namespace update::os
