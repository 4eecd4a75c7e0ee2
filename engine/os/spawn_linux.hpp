#pragma once

#include <sys/types.h>

#include "engine/base/result.hpp"
#include "engine/os/process.hpp"

namespace update::os {

/// Starts the program of `command` as ProcessRunner::run() promises it, with `output_fd` as its
/// standard output and error; returns its process id, which is its group's too. What execve(2) says
/// (ENOENT, EACCES, ETXTBSY, ENOEXEC) is the error here, not an exit status of 127.
Result<pid_t> spawn(const Command& command, int output_fd);

/// The same with this process's standard input, output, error and folder.
Result<pid_t> spawn_attached(const Command& command);

}  // namespace update::os
