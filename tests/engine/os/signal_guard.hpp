#pragma once

#include <array>
#include <csignal>
#include <cstddef>
#include <ctime>

namespace update::os {

/// SignalStop undoes nothing; this puts back mask and dispositions, so that tests share a process.
class SignalGuard {
 public:
  SignalGuard() {
    pthread_sigmask(SIG_SETMASK, nullptr, &mask_);
    for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], nullptr, &before_[i]);
  }
  ~SignalGuard() {
    sigset_t all;
    sigfillset(&all);
    const timespec at_once{};
    while (sigtimedwait(&all, nullptr, &at_once) > 0) {
    }
    for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &before_[i], nullptr);
    pthread_sigmask(SIG_SETMASK, &mask_, nullptr);
  }
  SignalGuard(const SignalGuard&) = delete;
  SignalGuard& operator=(const SignalGuard&) = delete;

 private:
  static constexpr std::array kSignals = {SIGHUP, SIGINT, SIGPIPE, SIGTERM, SIGCHLD};
  sigset_t mask_;
  std::array<struct sigaction, kSignals.size()> before_;
};

}  // namespace update::os
