#pragma once

#include <functional>

#include "engine/base/result.hpp"
#include "engine/os/process.hpp"
#include "engine/os/stop_linux.hpp"

namespace update::os {

/// Runs a command that has this process's standard input, output and error, in a process group of
/// its own, and waits for its end: its exit status. At SIGINT `interrupted` is called, once, and
/// the wait goes on. At SIGTERM the command is left to itself: `unfinished`. A command that a
/// signal ends, or that can't be started, is `failed`.
Result<int> run_attached(const Command& command, SignalStop* stop,
                         const std::function<void()>& interrupted);

}  // namespace update::os
