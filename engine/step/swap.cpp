// The swap itself: one rename a file, in the plan's order. If the machine stops between two of
// them, some destinations are new and the others old; each is whole, each old one has its backup
// and each new one that is missing is still staged, so recovery may go either way.
#include "engine/base/text.hpp"
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
  return Error(code, file.destination.text() + " was changed by somebody else: old " +
                         describe_digest(file.old_state) + ", new " +
                         describe_digest(file.new_state) + ", " +
                         describe_found(context.folder_of(file), file.destination.name()));
}

/// Where each destination stands; an error for the first that nobody of us made.
Result<std::vector<Holds>> look_at_all(Context& context) {
  std::vector<Holds> all;
  bool any_new = false;
  const PlannedFile* stranger = nullptr;
  for (const PlannedFile& file : context.plan.files) {
    Holds holds = Holds::new_bytes;
    if (!file.unchanged) {
      UPDATE_TRY_ASSIGN(holds, observe(context.folder_of(file), file));
      any_new = any_new || holds == Holds::new_bytes;
    }
    if (holds == Holds::foreign && stranger == nullptr) stranger = &file;
    all.push_back(holds);
  }
  if (stranger == nullptr) return all;
  return fail(foreign(context, *stranger, any_new ? ErrorCode::needs_operator : ErrorCode::failed));
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

Status swap(Context& context) {
  UPDATE_TRY_ASSIGN(const std::vector<Holds> holds, look_at_all(context));
  for (std::size_t index = 0; index < holds.size(); ++index) {
    if (holds[index] == Holds::new_bytes) continue;
    const PlannedFile& file = context.plan.files[index];
    if (Status done = put_in_place(context, file); !done) {
      return fail(std::move(done).error().with(doing("replacing ", file)));
    }
  }
  return context.folders.sync();
}

Status undo_swap(Context& context) {
  UPDATE_TRY_ASSIGN(const std::vector<Observation> seen,
                    observe_all(context.folders, context.plan));
  for (std::size_t index = 0; index < seen.size(); ++index) {
    const PlannedFile& file = context.plan.files[index];
    if (file.unchanged) continue;
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
    if (file.unchanged || seen[index].destination == Holds::old_bytes) continue;
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
