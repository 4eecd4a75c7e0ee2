#pragma once

#include <string>

#include "engine/base/result.hpp"
#include "engine/base/types.hpp"
#include "engine/os/filesystem.hpp"
#include "engine/os/system.hpp"

namespace update {

/// Copies `source` to `target`, which must not exist: shared blocks (FICLONE) where the file system
/// can, else the data between the holes. The target gets the source's permission bits whatever the
/// umask (of one with an access list, the group's own), and its name when it is complete and
/// synced; the name is durable on return. On any failure, and however the run ends, there is no
/// target. One that exists is left alone (EEXIST). failed: a source that does not say how long it
/// is (/proc). interrupted, terminated.
Status clone_file(const os::System& system, const std::string& source, const std::string& target);

/// The bytes alone, into an empty open file, the same way; holes stay holes. Syncs nothing. `stop`
/// as RangeCopier has it.
Status copy_contents(os::File& source, os::File& target, os::StopRequest* stop = nullptr);

}  // namespace update
