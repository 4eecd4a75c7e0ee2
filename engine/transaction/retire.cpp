#include "engine/transaction/retire.hpp"

#include "engine/base/layout.hpp"
#include "engine/transaction/generations.hpp"
#include "engine/transaction/known_files.hpp"

namespace update {
namespace {

/// True if a name was added to the generations.
Result<bool> keep_previous(Session& session, const Plan& plan, const PlannedFile& file,
                           os::Folder& folder) {
  const std::string backup = plan.backup_name_of(file);
  const std::string previous = previous_name(file.destination.name(), plan.backup_suffix);
  UPDATE_TRY_ASSIGN(const auto waiting, folder.lookup(backup));
  // Without the backup this file was retired before; what `.previous` holds now is this update's
  // own.
  if (!waiting && file.old_state) return false;
  UPDATE_TRY_ASSIGN(const auto digest, known_digest(session.journal(), file.destination.text(),
                                                    plan.tag.id, folder, previous));
  if (!digest) return false;
  return store_generation(session, folder, previous, *digest);
}

Status make_previous(const Plan& plan, const PlannedFile& file, os::Folder& folder) {
  const std::string previous = previous_name(file.destination.name(), plan.backup_suffix);
  const std::string backup = plan.backup_name_of(file);
  if (!file.old_state) {
    UPDATE_TRY_ASSIGN(const bool removed, folder.unlink(previous));
    static_cast<void>(removed);
    return {};
  }
  UPDATE_TRY_ASSIGN(const auto waiting, folder.lookup(backup));
  if (!waiting) return {};
  UPDATE_TRY(folder.rename(backup, previous));
  // Two names of one inode: rename did nothing (F17), and the backup's name has to go by itself.
  UPDATE_TRY_ASSIGN(const bool left, folder.unlink(backup));
  static_cast<void>(left);
  return {};
}

Status retire_all(Session& session, const Plan& plan, const TargetFolders& folders) {
  bool stored = false;
  for (const PlannedFile& file : plan.files) {
    if (file.unchanged) continue;
    UPDATE_TRY_ASSIGN(const bool added,
                      keep_previous(session, plan, file, folders.of(file.destination)));
    stored = stored || added;
  }
  // If the machine stops here, the generations may lack a name, and `.previous` still has those
  // bytes.
  if (stored) UPDATE_TRY(sync_generations(session.state()));
  for (const PlannedFile& file : plan.files) {
    os::Folder& folder = folders.of(file.destination);
    if (!file.unchanged) UPDATE_TRY(make_previous(plan, file, folder));
    UPDATE_TRY_ASSIGN(const bool left, folder.unlink(plan.staged_name_of(file)));
    static_cast<void>(left);
  }
  UPDATE_TRY_ASSIGN(const Pruned pruned, prune_generations(session, false));
  static_cast<void>(pruned);
  return {};
}

}  // namespace

void retire(Session& session, const Plan& plan, const TargetFolders& folders) {
  if (Status done = retire_all(session, plan, folders); !done) {
    session.env().observer.warning("the old files were not put away: " + done.error().message());
  }
}

}  // namespace update
