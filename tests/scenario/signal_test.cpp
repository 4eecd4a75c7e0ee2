// Signals, closed descriptors and a terminal that goes away (transaction.md, "Signals").

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <array>

#include "tests/scenario/host.hpp"

namespace update::scenario {
namespace {

TEST(Signal, HangUpChangesNothing) {
  Host host;
  host.install("1.0.0");
  host.hold_doctor("2.0.0");
  Process update(host.command({"apply", host.release("2.0.0")}));
  ASSERT_TRUE(host.doctor_waits());
  update.send(SIGHUP);
  update.send(SIGHUP);
  host.let_doctor_go();
  EXPECT_EQ(update.wait().code, 0);
  EXPECT_EQ(host.installed(), "2.0.0");
}

TEST(Signal, ClosedTerminalChangesNothing) {
  Host host;
  host.install("1.0.0");
  host.hold_doctor("2.0.0");
  const int controller = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  ASSERT_GE(controller, 0);
  ASSERT_EQ(grantpt(controller), 0);
  ASSERT_EQ(unlockpt(controller), 0);
  Launch launch;
  launch.terminal = ptsname(controller);
  Process update(host.command({"apply", host.release("2.0.0")}), launch);
  ASSERT_TRUE(host.doctor_waits());
  close(controller);  // the kernel sends SIGHUP, and every write to the terminal fails from now on
  host.let_doctor_go();
  const Ended ended = update.wait();
  EXPECT_EQ(ended.signal, 0);
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(host.installed(), "2.0.0");
  EXPECT_EQ(host.run({"status"}).code, 0);
}

TEST(Signal, ClosedPipeOnStandardOutputDoesNotStopAnUpdate) {
  Host host;
  host.install("1.0.0");
  std::array<int, 2> pipe_ends{};
  ASSERT_EQ(pipe2(pipe_ends.data(), O_CLOEXEC), 0);
  close(pipe_ends[0]);
  Launch launch;
  launch.stdout_fd = pipe_ends[1];
  const Ended ended = host.run({"apply", host.release("2.0.0")}, launch);
  close(pipe_ends[1]);
  EXPECT_EQ(ended.signal, 0);
  EXPECT_EQ(ended.code, 0) << "the code tells the state of the host: " << ended.err;
  EXPECT_EQ(host.installed(), "2.0.0");
  EXPECT_EQ(host.run({"status"}).code, 0);
}

TEST(Signal, ClosedStandardDescriptorsDoNotSendOutputIntoTheJournal) {
  Host host;
  host.install("1.0.0");
  Launch launch;
  launch.close_standard = true;
  const Ended ended = host.run({"-v", "apply", host.release("2.0.0")}, launch);
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(host.installed(), "2.0.0");
  EXPECT_EQ(host.run({"history", "verify"}).code, 0);
  EXPECT_EQ(host.run({"verify"}).code, 0);
  EXPECT_EQ(host.json({"history"}).size(), 2U);
}

TEST(Signal, SecondInterruptDoesNotBreakTheUndo) {
  Host host;
  host.install("1.0.0");
  host.hold_doctor("2.0.0");
  Process update(host.command({"apply", host.release("2.0.0")}));
  ASSERT_TRUE(host.doctor_waits());
  for (int times = 0; times < 5; ++times) {
    update.send(SIGINT);
  }
  EXPECT_EQ(update.wait().code, 130);
  EXPECT_EQ(host.installed(), "1.0.0");
  EXPECT_EQ(host.run({"status"}).code, 0);
}

TEST(Signal, InterruptDuringTheRestartIsUndoneToo) {
  Host host;
  host.install("1.0.0");
  host.restart("test \"$installed\" = 2.0.0 && kill -TERM $PPID\nexit 0\n");
  const Ended ended = host.run({"apply", host.release("2.0.0")});
  EXPECT_EQ(ended.code, 143) << ended.err;
  EXPECT_EQ(host.installed(), "1.0.0");
  EXPECT_TRUE(host.leftovers().empty()) << testing::PrintToString(host.leftovers());
}

TEST(Signal, InterruptDuringTheBaselineChangesNothing) {
  Host host;
  host.install("1.0.0");
  host.doctor("kill -INT $PPID\nexit 0\n");
  const auto before = host.snapshot("bin");
  const Ended ended = host.run({"apply", host.release("2.0.0")});
  EXPECT_EQ(ended.code, 130) << ended.err;
  EXPECT_EQ(host.snapshot("bin"), before);
}

TEST(Signal, ThatTheCallerIgnoredStillLeavesOneVersion) {
  Host host;
  host.install("1.0.0");
  host.hold_doctor("2.0.0");
  Process update(host.command({"apply", host.release("2.0.0")}),
                 {{}, {"sh", "-c", "trap '' TERM; exec \"$@\"", "sh"}});
  ASSERT_TRUE(host.doctor_waits());
  update.send(SIGTERM);
  // Either is in order; what may not be is an end in between.
  host.let_doctor_go();
  const Ended ended = update.wait();
  EXPECT_TRUE(ended.code == 0 || ended.code == 143) << ended.code;
  EXPECT_EQ(host.installed(), ended.code == 0 ? "2.0.0" : "1.0.0");
}

}  // namespace
}  // namespace update::scenario
