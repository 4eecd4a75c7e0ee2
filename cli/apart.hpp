#pragma once

#include <optional>

#include "cli/command.hpp"
#include "engine/transaction/environment.hpp"

namespace update::cli {

/// Where a restart of the update's own units, or the end of a login session, would end this process
/// too (F6), the same command is run in a transient unit of its own, before the lock is taken: its
/// exit code. nullopt: this process can stay where it is.
Result<std::optional<int>> run_apart(Context& context, const Environment& env);

}  // namespace update::cli
