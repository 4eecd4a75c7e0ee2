#include "tests/crash/full_disk/paused_run.hpp"

#include <gtest/gtest.h>
#include <signal.h>

#include "tests/scenario/host.hpp"

namespace update::crash {

using scenario::Arguments;
using scenario::Call;
using scenario::Host;

namespace {

// strace(1): the signal comes on entry to the call, but a stop waits until the call is done.
Arguments stopping_after(const std::string& log, const Call& call) {
  return scenario::strace(log, call.name,
                          call.name + ":signal=STOP:when=" + std::to_string(call.nth));
}

}  // namespace

PausedRun::PausedRun(const Host& host, const Arguments& arguments, const Call& after)
    : log_(host.path("paused.log")),
      // LeakSanitizer cannot work beside a tracer.
      tracer_(host.command(arguments),
              {{{"ASAN_OPTIONS", "detect_leaks=0"}}, stopping_after(log_, after)}) {}

bool PausedRun::wait_until_paused() {
  const auto paused = [&] {
    return scenario::contains(scenario::read_file(log_), "stopped by SIGSTOP");
  };
  EXPECT_TRUE(scenario::eventually([&] { return paused() || !tracer_.running(); }));
  return paused() && tracer_.running();
}

scenario::Ended PausedRun::resume_and_wait() {
  const std::string tracer = std::to_string(tracer_.pid());
  const std::string traced =
      scenario::read_file("/proc/" + tracer + "/task/" + tracer + "/children");
  if (!traced.empty()) kill(static_cast<pid_t>(std::stol(traced)), SIGCONT);
  return tracer_.wait();
}

}  // namespace update::crash
