// The swap itself: one rename a file, in the plan's order. If the machine stops between two of
// them, some destinations are new and the others old; each is whole, each old one has its backup
// and each new one that is missing is still staged, so recovery may go either way.
#include <algorithm>

#include "engine/step/metadata.hpp"
#include "engine/step/step.hpp"

namespace update::step {
namespace {

std::string describe_digest(const std::optional<FileState>& state) {
  return state && state->sha256 ? state->sha256->hex() : "no file";
}

/// What stands at a destination that is neither the old nor the new file, for the operator.
std::string describe_found(os::Folder& folder, const std::string& name) {
  const auto found = folder.lookup(name);
  if (!found) return found.error().message();
  if (!*found) return "nothing is there";
  if ((*found)->type != os::FileType::regular) return "something that is no regular file";
  const auto digest = hash_named(folder, name);
  return digest ? "found " + digest->hex() : digest.error().message();
}

Error foreign(Context& context, const PlannedFile& file, ErrorCode code) {
  return Error(code, describe_stranger(context.folders, file));
}

/// An error for the first destination that nobody of us made; whether that is before the first
/// rename decides what it means.
Status refuse_strangers(Context& context, const std::vector<Observation>& seen) {
  const bool renamed = std::any_of(seen.begin(), seen.end(), was_renamed);
  for (std::size_t index = 0; index < seen.size(); ++index) {
    if (seen[index].destination != Holds::foreign) continue;
    return fail(foreign(context, context.plan.files[index],
                        renamed ? ErrorCode::needs_operator : ErrorCode::failed));
  }
  return {};
}

/// The last look, right before a rename: what is there now must be what was there when all was
/// looked at, since a rename over somebody's file leaves it nowhere (invariant 5).
Status look_again(Context& context, const PlannedFile& file, Holds expected) {
  UPDATE_TRY_ASSIGN(const Holds now, observe(context.folder_of(file), file));
  if (now == expected) return {};
  return fail(foreign(context, file, ErrorCode::needs_operator));
}

/// The privilege that the backup, a copy, was kept without.
Status restore_privileges(os::Folder& folder, const std::string& backup, const FileState& old) {
  UPDATE_TRY_ASSIGN(const auto file, folder.open_file_for_update(backup));
  UPDATE_TRY(set_metadata(*file, old));
  return file->sync();
}

std::string doing(const char* what, const PlannedFile& file) {
  return what + file.destination.text();
}

}  // namespace

Status put_in_place(Context& context, const PlannedFile& file) {
  os::Folder& folder = context.folder_of(file);
  if (!file.new_state) {
    UPDATE_TRY_ASSIGN(const bool removed, folder.unlink(file.destination.name()));
    static_cast<void>(removed);
    return {};
  }
  return folder.rename(context.plan.staged_name_of(file), file.destination.name());
}

Status put_back(Context& context, const PlannedFile& file) {
  os::Folder& folder = context.folder_of(file);
  if (!file.old_state) {
    UPDATE_TRY_ASSIGN(const bool removed, folder.unlink(file.destination.name()));
    static_cast<void>(removed);
    return {};
  }
  const std::string backup = context.plan.backup_name_of(file);
  if (file.old_state->privileged()) {
    UPDATE_TRY(restore_privileges(folder, backup, *file.old_state));
  }
  return folder.rename(backup, file.destination.name());
}

std::string describe_stranger(const TargetFolders& folders, const PlannedFile& file) {
  return file.destination.text() + " was changed by somebody else: old " +
         describe_digest(file.old_state) + ", new " + describe_digest(file.new_state) + ", " +
         describe_found(folders.of(file.destination), file.destination.name());
}

std::string describe_strangers(const Context& context) {
  std::string text;
  for (const PlannedFile& file : context.plan.files) {
    const auto holds = observe(context.folder_of(file), file);
    if (file.unchanged || (holds && *holds == Holds::new_bytes)) continue;
    if (holds && *holds == Holds::old_bytes) {
      text.append(text.empty() ? "" : "; ").append(file.destination.text()).append(" is old");
      continue;
    }
    text.append(text.empty() ? "" : "; ").append(describe_stranger(context.folders, file));
  }
  return text;
}

Status swap(Context& context) {
  UPDATE_TRY_ASSIGN(const std::vector<Observation> seen,
                    observe_all(context.folders, context.plan));
  UPDATE_TRY(refuse_strangers(context, seen));
  bool renamed = std::any_of(seen.begin(), seen.end(), was_renamed);
  for (const PlannedFile& file : context.plan.files) {
    if (file.unchanged) continue;
    UPDATE_TRY_ASSIGN(const Holds now, observe(context.folder_of(file), file));
    if (now == Holds::new_bytes) continue;
    if (now == Holds::foreign) {
      return fail(foreign(context, file, renamed ? ErrorCode::needs_operator : ErrorCode::failed));
    }
    if (Status done = put_in_place(context, file); !done) {
      return fail(std::move(done).error().with(doing("replacing ", file)));
    }
    renamed = true;
  }
  return context.folders.sync();
}

Status undo_swap(Context& context) {
  UPDATE_TRY_ASSIGN(const std::vector<Observation> seen,
                    observe_all(context.folders, context.plan));
  for (std::size_t index = 0; index < seen.size(); ++index) {
    const PlannedFile& file = context.plan.files[index];
    if (seen[index].unchanged) continue;
    if (seen[index].destination == Holds::foreign) {
      return fail(foreign(context, file, ErrorCode::needs_operator));
    }
    if (!seen[index].old_available) {
      return fail(ErrorCode::needs_operator,
                  "the backup of " + file.destination.text() + " is gone or damaged");
    }
  }
  for (std::size_t index = 0; index < seen.size(); ++index) {
    const PlannedFile& file = context.plan.files[index];
    // Old already: renaming the backup onto its own inode would do nothing and leave both names
    // (F17).
    if (seen[index].unchanged || seen[index].destination == Holds::old_bytes) continue;
    UPDATE_TRY(look_again(context, file, seen[index].destination));
    if (Status done = put_back(context, file); !done) {
      return fail(std::move(done).error().with(doing("putting back ", file)));
    }
  }
  return context.folders.sync();
}

Result<bool> is_swapped(const Context& context) {
  for (const PlannedFile& file : context.plan.files) {
    if (file.unchanged) continue;
    UPDATE_TRY_ASSIGN(const Holds holds, observe(context.folder_of(file), file));
    if (holds != Holds::new_bytes) return false;
  }
  return true;
}

}  // namespace update::step
