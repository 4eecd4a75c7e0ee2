#pragma once

#include "engine/os/fd.hpp"
#include "engine/os/host.hpp"

namespace update::os {

/// Blocks SIGINT and SIGTERM and ignores SIGHUP and SIGPIPE, from its construction to the end of
/// the process: main makes one before it makes a thread. It undoes nothing when destroyed, so that
/// a signal between the outcome and exit(2) cannot change the exit code (F12).
class SignalStop final : public StopRequest {
 public:
  SignalStop();

  Signal pending() override;
  void let_go() override;
  void hold() override { held_ = true; }

  /// Becomes readable when a signal arrives; whoever is woken calls pending(), which drains it. -1,
  /// which poll(2) passes over, once hold() was called.
  int poll_fd() const { return held_ ? -1 : signals_.get(); }

 private:
  UniqueFd signals_;
  Signal seen_ = Signal::none;
  bool held_ = false;
};

}  // namespace update::os
