#include "engine/os/stop_linux.hpp"

#include <sys/signalfd.h>

#include <csignal>
#include <ctime>

namespace update::os {

namespace {

sigset_t stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

}  // namespace

SignalStop::SignalStop() {
  const sigset_t signals = stop_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGHUP, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a limit of size is an error like a full disk (EFBIG)
  // Without it (EMFILE, ENOMEM) a wait is not cut short; a stop is still seen between two steps.
  signals_ = UniqueFd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
}

StopRequest::Signal SignalStop::pending() {
  const sigset_t signals = stop_signals();
  const timespec at_once{};
  for (int number = 0; (number = ::sigtimedwait(&signals, nullptr, &at_once)) > 0;) {
    if (seen_ == Signal::none) seen_ = number == SIGINT ? Signal::interrupt : Signal::terminate;
  }
  return held_ ? Signal::none : seen_;
}

void SignalStop::let_go() {
  std::signal(SIGHUP, SIG_DFL);
  const sigset_t signals = stop_signals();
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

}  // namespace update::os
