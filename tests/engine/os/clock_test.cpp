#include "engine/os/clock_linux.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <ctime>

#include "tests/engine/os/signal_guard.hpp"

namespace update::os {
namespace {

TEST(Clock, WallClockCountsMicrosecondsSinceTheEpoch) {
  const std::int64_t before = std::time(nullptr);
  const std::int64_t now = LinuxClock().wall_us();
  // time(2) reads a coarse clock, which may lag by a tick.
  EXPECT_GE(now, before * 1'000'000);
  EXPECT_LE(now, (std::time(nullptr) + 2) * 1'000'000);
}

TEST(Clock, MonotonicClockCountsTheTimeOfThisBootWithItsSleep) {
  timespec boot{};
  clock_gettime(CLOCK_BOOTTIME, &boot);
  const std::int64_t before = boot.tv_sec * 1000 + boot.tv_nsec / 1'000'000;
  const std::int64_t now = LinuxClock().monotonic_ms();
  EXPECT_GE(now, before);
  EXPECT_LT(now, before + 60'000);
}

TEST(Clock, WaitLastsAtLeastAsLongAsItShould) {
  LinuxClock clock;
  timespec begin{};
  clock_gettime(CLOCK_BOOTTIME, &begin);
  EXPECT_TRUE(clock.wait_ms(20));
  timespec end{};
  clock_gettime(CLOCK_BOOTTIME, &end);
  const std::int64_t waited_ns =
      (end.tv_sec - begin.tv_sec) * 1'000'000'000 + end.tv_nsec - begin.tv_nsec;
  EXPECT_GE(waited_ns, 20'000'000);
}

TEST(Clock, NothingIsWaitedForNoTimeAtAll) {
  LinuxClock clock;
  EXPECT_TRUE(clock.wait_ms(0));
  EXPECT_TRUE(clock.wait_ms(INT64_MIN));
}

TEST(Clock, AStopThatIsPendingCutsAWaitShort) {
  const SignalGuard guard;
  SignalStop stop;
  LinuxClock clock(&stop);
  ::kill(::getpid(), SIGTERM);
  EXPECT_FALSE(clock.wait_ms(3'600'000));
  EXPECT_FALSE(clock.wait_ms(3'600'000)) << "a stop that was seen stays so";
}

// SIGTERM in 20 ms, while the test waits.
class Alarm {
 public:
  Alarm() {
    sigevent event{};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGTERM;
    timer_create(CLOCK_MONOTONIC, &event, &timer_);
    const itimerspec soon{.it_interval = {}, .it_value = {.tv_sec = 0, .tv_nsec = 20'000'000}};
    timer_settime(timer_, 0, &soon, nullptr);
  }
  ~Alarm() { timer_delete(timer_); }
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;

 private:
  timer_t timer_{};
};

TEST(Clock, AStopThatArrivesCutsAWaitShort) {
  const SignalGuard guard;
  SignalStop stop;
  LinuxClock clock(&stop);
  const Alarm alarm;
  EXPECT_FALSE(clock.wait_ms(3'600'000));
  EXPECT_EQ(stop.pending(), StopRequest::Signal::terminate);
}

TEST(Clock, WhileStopsAreHeldAWaitLastsAsLongAsItShould) {
  const SignalGuard guard;
  SignalStop stop;
  LinuxClock clock(&stop);
  stop.hold();
  const Alarm alarm;
  const std::int64_t begin = clock.monotonic_ms();
  EXPECT_TRUE(clock.wait_ms(60));
  EXPECT_GE(clock.monotonic_ms() - begin, 60);
}

}  // namespace
}  // namespace update::os
