#pragma once

#include "engine/base/result.hpp"
#include "engine/os/filesystem.hpp"
#include "engine/transaction/plan.hpp"

namespace update::step {

/// Gives an open file exactly the owner, mode and attributes of `state`, and reads them back: a
/// file system that drops one is an error here, before the swap, and not a daemon without its
/// capability after it (F10).
Status set_metadata(os::File& file, const FileState& state);

/// `state` without set-id bits and capabilities: what a copy that must not keep a privilege alive
/// gets.
FileState without_privileges(const FileState& state);

}  // namespace update::step
