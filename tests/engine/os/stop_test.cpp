#include "engine/os/stop_linux.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <csignal>

#include "tests/engine/os/signal_guard.hpp"

namespace update::os {
namespace {

class Stop : public testing::Test {
 protected:
  static void send(int signal) { ::kill(::getpid(), signal); }

  SignalGuard guard_;
  SignalStop stop_;
};

TEST_F(Stop, NothingIsPendingAtFirst) {
  EXPECT_EQ(stop_.pending(), StopRequest::Signal::none);
}

TEST_F(Stop, TheFirstSignalIsRememberedWhateverFollows) {
  send(SIGTERM);
  EXPECT_EQ(stop_.pending(), StopRequest::Signal::terminate);
  send(SIGINT);
  EXPECT_EQ(stop_.pending(), StopRequest::Signal::terminate);
}

TEST_F(Stop, AnInterruptIsToldFromATermination) {
  send(SIGINT);
  EXPECT_EQ(stop_.pending(), StopRequest::Signal::interrupt);
}

TEST_F(Stop, AClosedTerminalAndAClosedPipeStopNothing) {
  send(SIGHUP);
  send(SIGPIPE);
  EXPECT_EQ(stop_.pending(), StopRequest::Signal::none);
}

TEST_F(Stop, TheDescriptorIsReadableUntilTheSignalWasSeen) {
  pollfd waiting{.fd = stop_.poll_fd(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&waiting, 1, 0), 0);
  send(SIGINT);
  EXPECT_EQ(::poll(&waiting, 1, 0), 1);
  stop_.pending();
  EXPECT_EQ(::poll(&waiting, 1, 0), 0);
  EXPECT_EQ(::fcntl(stop_.poll_fd(), F_GETFD), FD_CLOEXEC);
}

TEST_F(Stop, LetGoOfASignalEndsTheProcessAsUsual) {
  EXPECT_EXIT(
      {
        send(SIGINT);
        stop_.let_go();
      },
      testing::KilledBySignal(SIGINT), "");
}

TEST_F(Stop, HeldSignalsStopNothingAndKillNobody) {
  send(SIGINT);
  EXPECT_EQ(stop_.pending(), StopRequest::Signal::interrupt);
  stop_.hold();
  EXPECT_EQ(stop_.pending(), StopRequest::Signal::none);
  send(SIGTERM);
  EXPECT_EQ(stop_.pending(), StopRequest::Signal::none);
  EXPECT_EQ(stop_.poll_fd(), -1);
}

TEST(StopEnd, ASignalAfterTheOutcomeDoesNotChangeTheExitCode) {
  EXPECT_EXIT(
      {
        { SignalStop stop; }
        ::kill(::getpid(), SIGTERM);
        ::_exit(7);
      },
      testing::ExitedWithCode(7), "");
}

}  // namespace
}  // namespace update::os
