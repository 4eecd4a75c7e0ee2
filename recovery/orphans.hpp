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

/// Names of ours beside configured destinations, but for those of `unfinished`. One listing a
/// folder; nothing is read or hashed.
Result<std::vector<Orphan>> find_orphans(const TargetFolders& folders, const Configuration& config,
                                         const std::optional<TransactionTag>& unfinished);

/// Removes them. The backup of a committed transaction is put away as `.previous` (its retirement
/// was cut short); a backup that neither the journal nor the intent explains goes only if the
/// destination is that very inode, else it is kept and reported. Returns how many names went.
Result<std::size_t> collect_orphans(Session& session, const std::vector<Orphan>& orphans);

/// Temporary names in the state folder, from journals and generations in the making.
Result<std::size_t> collect_temporaries(os::Folder& state);

}  // namespace update
