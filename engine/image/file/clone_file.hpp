#pragma once

#include <string>

#include "engine/base/result.hpp"
#include "engine/base/types.hpp"
#include "engine/os/filesystem.hpp"

namespace update {

/// Copies `source` to `target`, which must not exist: shared blocks (FICLONE) where the file system
/// can, else the data between the holes. The target gets the source's permission bits whatever the
/// umask, and is synced, with its folder, before the return. On any failure there is no target. A
/// target that exists is left alone (EEXIST).
Status clone_file(os::FileSystem& files, const std::string& source, const std::string& target);

/// The bytes alone, into an empty open file, the same way; holes stay holes. Syncs nothing.
Status copy_contents(os::File& source, os::File& target);

}  // namespace update
