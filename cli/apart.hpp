#pragma once

#include <cstdint>
#include <optional>

#include "cli/command.hpp"
#include "engine/transaction/environment.hpp"

namespace update::cli {

/// What of a command restarts units.
enum class Work : std::uint8_t {
  update,    ///< a new update
  recovery,  ///< nothing but the recovery of one that is unfinished
};

/// A restart that the command is about to ask for, or the end of a login session, may end this
/// process too (F6). Then the same command is run in a transient unit of its own, before the lock
/// is taken: its exit code, after all was said. nullopt: the command goes on here. An error: it
/// cannot move and must not stay, or the unit ended without a word of its own and this is what
/// became of the host.
Result<std::optional<int>> run_apart(Context& context, const Environment& env, Work work);

/// For the command in such a unit: the code by which whoever waits knows that it is the command's
/// own.
int code_apart(int code);

}  // namespace update::cli
