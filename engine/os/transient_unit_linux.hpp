#pragma once

#include <functional>

#include "engine/base/result.hpp"
#include "engine/os/process.hpp"
#include "engine/os/service_manager.hpp"
#include "engine/os/stop_linux.hpp"

namespace update::os {

/// Runs a command that has this process's standard input, output and error, in a process group of
/// its own, and waits for its end; a command that a signal ends has no status. At SIGINT
/// `interrupt` is called until it returns true, and the wait goes on. At SIGTERM the command is
/// left to itself: `unfinished`. Any other error: it could not be started.
Result<UnitEnd> run_attached(const Command& command, SignalStop* stop,
                             const std::function<bool()>& interrupt);

}  // namespace update::os
