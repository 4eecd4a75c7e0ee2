#pragma once

#include "cli/command.hpp"

namespace update::cli {

/// Reads the command line, runs the command, says what became of it, and gives the exit code.
int run(Invocation& invocation);

}  // namespace update::cli
