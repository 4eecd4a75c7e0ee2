#pragma once

#include <optional>

#include "engine/base/result.hpp"
#include "engine/transaction/disk.hpp"
#include "engine/transaction/plan.hpp"
#include "schema/journal.hpp"

// What planning an apply and planning a rollback have in common.
namespace update {

/// The present file at a destination; its digest from the journal where the identity is what the
/// last commit recorded. `journal` may be null.
Result<std::optional<FileState>> look_at_present(Journal* journal, os::Folder& folder,
                                                 const AbsolutePath& destination);

/// `failed` if the name that the old version gets is a folder: a rename cannot replace it.
Status check_previous(os::Folder& folder, const AbsolutePath& destination,
                      const std::string& backup_suffix);

/// usage if two destinations are one file, or one is a file of our own in the state folder, by
/// whatever links they are reached. `state` may be null.
Status check_destinations(const TargetFolders& folders, os::Folder* state,
                          const std::string& backup_suffix);

/// Leaves a file out of the swap if old and new are equal in bytes, mode, owner and attributes.
void mark_unchanged(PlannedFile& file);
bool all_unchanged(const Plan& plan);

/// Which units are running and what of, whether there is something to restart and a doctor to ask,
/// and how long that may take. Comes after the files are planned.
Status plan_services(const Environment& env, Plan& plan, bool restart, bool doctor);

}  // namespace update
