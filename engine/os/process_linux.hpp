#pragma once

#include "engine/os/process.hpp"
#include "engine/os/stop_linux.hpp"

namespace update::os {

/// For one thread at a time, and while no other thread creates a file: the umask is the process's.
class LinuxProcessRunner final : public ProcessRunner {
 public:
  /// `stop` ends what runs; once it is pending nothing is started any more, until hold(). Takes the
  /// default for SIGCHLD: ignored, as it may have been inherited, no exit status would be told.
  explicit LinuxProcessRunner(SignalStop* stop = nullptr);

  Result<ProcessResult> run(const Command& command) override;

 private:
  SignalStop* stop_;
};

}  // namespace update::os
