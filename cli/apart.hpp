#pragma once

#include "cli/command.hpp"
#include "engine/transaction/environment.hpp"

namespace update::cli {

/// Would a restart of the update's own units, or the end of a login session, end this process too
/// (F6)? Nothing of the update is read for it.
bool ends_with_others(const Context& context, const Environment& env);

/// Then the same command is run in a transient unit of its own, before the lock is taken: its exit
/// code.
Result<int> run_apart(Context& context, const Environment& env);

}  // namespace update::cli
