#include "engine/transaction/retire.hpp"

#include <algorithm>
#include <vector>

#include "engine/base/layout.hpp"
#include "engine/transaction/generations.hpp"
#include "engine/transaction/known_files.hpp"

namespace update {
namespace {

/// What became of one file's backup.
enum class Kept : std::uint8_t { nothing, wanted, stored };

/// The present `.previous` gets its name among the generations, where its bytes are a known
/// version.
Result<Kept> keep_previous(Session& session, const Plan& plan, const PlannedFile& file,
                           os::Folder& folder) {
  const std::string backup = plan.backup_name_of(file);
  const std::string previous = previous_name(file.destination.name(), plan.backup_suffix);
  UPDATE_TRY_ASSIGN(const auto waiting, folder.lookup(backup));
  // Without the backup this file was retired before; what `.previous` holds now is this update's
  // own.
  if (!waiting && file.old_state) return Kept::nothing;
  UPDATE_TRY_ASSIGN(const auto digest, known_digest(session.journal(), file.destination.text(),
                                                    kAfterAll, folder, previous));
  if (!digest) return Kept::nothing;
  UPDATE_TRY_ASSIGN(const bool stored, store_generation(session, folder, previous, *digest));
  return stored ? Kept::stored : Kept::wanted;
}

Status make_previous(const Plan& plan, const PlannedFile& file, os::Folder& folder) {
  const std::string previous = previous_name(file.destination.name(), plan.backup_suffix);
  const std::string backup = plan.backup_name_of(file);
  if (!file.old_state) return folder.unlink(previous).map([](bool) {});
  UPDATE_TRY_ASSIGN(const auto waiting, folder.lookup(backup));
  if (!waiting) return {};
  UPDATE_TRY(folder.rename(backup, previous));
  // Two names of one inode: rename did nothing (F17), and the backup's name has to go by itself.
  return folder.unlink(backup).map([](bool) {});
}

/// A later update has made its own `.previous` meanwhile: this backup is one version older, and
/// becomes a generation.
Result<Kept> keep_late_backup(Session& session, const Plan& plan, const PlannedFile& file,
                              os::Folder& folder) {
  const std::string backup = plan.backup_name_of(file);
  UPDATE_TRY_ASSIGN(const auto digest, known_digest(session.journal(), file.destination.text(),
                                                    kAfterAll, folder, backup));
  if (!digest) return Kept::nothing;
  UPDATE_TRY_ASSIGN(const bool stored, store_generation(session, folder, backup, *digest));
  return stored ? Kept::stored : Kept::wanted;
}

Status sync_if_needed(Session& session, const std::vector<Kept>& kept, Retirement retirement) {
  // An earlier try may have stored a name and died before it was synced.
  const bool needed = std::any_of(kept.begin(), kept.end(), [&](Kept one) {
    return one == Kept::stored || (one == Kept::wanted && retirement != Retirement::first);
  });
  return needed ? sync_generations(session.state()) : Status();
}

Status retire_all(Session& session, const Plan& plan, const TargetFolders& folders,
                  Retirement retirement) {
  std::vector<Kept> kept;
  for (const PlannedFile& file : plan.files) {
    os::Folder& folder = folders.of(file.destination);
    Kept one = Kept::nothing;
    if (!file.unchanged && retirement == Retirement::overtaken) {
      UPDATE_TRY_ASSIGN(one, keep_late_backup(session, plan, file, folder));
    } else if (!file.unchanged) {
      UPDATE_TRY_ASSIGN(one, keep_previous(session, plan, file, folder));
    }
    kept.push_back(one);
  }
  // If the machine stops here, the generations may lack a name, and the bytes still have the one
  // that they had.
  UPDATE_TRY(sync_if_needed(session, kept, retirement));
  for (std::size_t index = 0; index < plan.files.size(); ++index) {
    const PlannedFile& file = plan.files[index];
    os::Folder& folder = folders.of(file.destination);
    UPDATE_TRY(folder.unlink(plan.staged_name_of(file)).map([](bool) {}));
    if (file.unchanged) continue;
    if (retirement != Retirement::overtaken) {
      UPDATE_TRY(make_previous(plan, file, folder));
    } else if (kept[index] != Kept::nothing) {
      UPDATE_TRY(folder.unlink(plan.backup_name_of(file)).map([](bool) {}));
    }
  }
  return prune_generations(session, Prune::old_versions).map([](const Pruned&) {});
}

}  // namespace

void retire(Session& session, const Plan& plan, const TargetFolders& folders,
            Retirement retirement) {
  if (Status done = retire_all(session, plan, folders, retirement); !done) {
    session.env().observer.warning("the old files were not put away: " + done.error().message());
  }
}

}  // namespace update
