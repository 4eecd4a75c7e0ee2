#pragma once

#include <cstddef>
#include <vector>

#include "engine/base/result.hpp"
#include "engine/transaction/disk.hpp"
#include "engine/transaction/session.hpp"

// What a crash left beside the destinations and in the state folder, found by its exact name and
// nothing else.
namespace update {

/// One name of ours that no unfinished transaction claims.
struct Orphan {
  os::Folder* folder = nullptr;
  std::string file_name;
  OwnName own;
  AbsolutePath destination;
};

/// Names of ours beside configured destinations; nothing may be unfinished. One listing a folder,
/// in the order of their transactions; nothing is read or hashed.
Result<std::vector<Orphan>> find_orphans(const TargetFolders& folders, const Configuration& config);

/// Removes them. The backup of a committed transaction is put away first, as its retirement was cut
/// short; a backup that nothing explains goes only if the destination is that very inode, else it
/// is kept and reported. `session` is null where there never was a journal. Returns how many names
/// went.
Result<std::size_t> collect_orphans(const Environment& env, Session* session,
                                    const std::vector<Orphan>& orphans);

/// Temporary names in the state folder, from journals and generations in the making.
Result<std::size_t> collect_temporaries(os::Folder& state);

}  // namespace update
