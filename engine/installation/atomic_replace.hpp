#pragma once

#include <string>
#include <string_view>

#include "engine/base/result.hpp"
#include "engine/base/types.hpp"
#include "engine/os/filesystem.hpp"

// Replacing one file without a transaction: no lock, no journal. Not for a configured destination
// while an update is unfinished.
namespace update {

/// Keeps the present `destination` as `destination + suffix` (a hard link; a synced copy where the
/// file system has none) and puts `new_source` at `destination` by one rename: `destination` is
/// never missing. An empty suffix is refused before anything is touched; a stale backup is
/// replaced; no `destination` is a first install and leaves no backup. `new_source` must be on the
/// same file system and is synced first; the folder is synced last, so that the replacement is
/// durable on return. When the rename fails the link just made is removed, and the error says so.
Status atomic_replace(os::FileSystem& files, const AbsolutePath& new_source,
                      const AbsolutePath& destination, std::string_view suffix);

/// Puts `destination + suffix` back by one rename. Without a backup: nothing, successfully. Two
/// names of one inode: the backup is unlinked (F17). Any other error names both paths. Durable on
/// return.
Status undo_atomic_replace(os::FileSystem& files, const AbsolutePath& destination,
                           std::string_view suffix);

}  // namespace update
