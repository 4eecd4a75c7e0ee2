// The old bytes get a second name before anything is renamed over the first. If the machine stops
// in here, the destinations are untouched and the extra names are removed by recover.
#include <cerrno>

#include "engine/image/file/clone_file.hpp"
#include "engine/step/metadata.hpp"
#include "engine/step/step.hpp"

namespace update::step {
namespace {

Error changed_by_somebody(const PlannedFile& file) {
  return Error(ErrorCode::failed, file.destination.text() +
                                      " was changed by somebody else while the update was prepared")
      .hint("run the command again");
}

Status copy_backup(os::Folder& folder, const PlannedFile& file, const std::string& name) {
  UPDATE_TRY_ASSIGN(const auto source, folder.open_file(file.destination.name()));
  UPDATE_TRY_ASSIGN(const auto target, folder.create_file(name, 0600));
  UPDATE_TRY(target->reserve(file.old_state->size));
  UPDATE_TRY(copy_contents(*source, *target));
  UPDATE_TRY(set_metadata(*target, without_privileges(*file.old_state)));
  return target->sync();
}

bool has_no_hard_links(const Error& error) {
  const int number = error.system_errno();
  return number == EPERM || number == EMLINK || number == EOPNOTSUPP;
}

Status back_up(Context& context, const PlannedFile& file) {
  os::Folder& folder = context.folder_of(file);
  UPDATE_TRY_ASSIGN(const Holds holds, observe(folder, file));
  if (holds != Holds::old_bytes) return fail(changed_by_somebody(file));
  if (!file.old_state) return {};
  const std::string name = context.plan.backup_name_of(file);
  if (!file.old_state->privileged()) {
    Status linked = folder.link(file.destination.name(), folder, name);
    if (linked) {
      // Between the look and the link somebody may have put another file there.
      UPDATE_TRY_ASSIGN(const bool right, holds_bytes(folder, name, *file.old_state));
      return right ? Status() : fail(changed_by_somebody(file));
    }
    if (!has_no_hard_links(linked.error())) return linked;
  }
  return copy_backup(folder, file, name);
}

}  // namespace

Status backup(Context& context) {
  for (const PlannedFile& file : context.plan.files) {
    if (file.unchanged) continue;
    if (Status done = back_up(context, file); !done) {
      return fail(std::move(done).error().with("backing up " + file.destination.text()));
    }
  }
  return context.folders.sync();
}

Result<bool> is_backed_up(const Context& context) {
  for (const PlannedFile& file : context.plan.files) {
    if (file.unchanged || !file.old_state) continue;
    UPDATE_TRY_ASSIGN(
        const bool there,
        holds_bytes(context.folder_of(file), context.plan.backup_name_of(file), *file.old_state));
    if (!there) return false;
  }
  return true;
}

Status remove_own_names(const Context& context) {
  for (const PlannedFile& file : context.plan.files) {
    for (const std::string& name :
         {context.plan.staged_name_of(file), context.plan.backup_name_of(file)}) {
      UPDATE_TRY_ASSIGN(const bool removed, context.folder_of(file).unlink(name));
      static_cast<void>(removed);
    }
  }
  return {};
}

void tidy_own_names(const Context& context) {
  if (Status removed = remove_own_names(context); !removed) {
    context.env().observer.warning("what was staged is still there: " + removed.error().message());
  }
}

}  // namespace update::step
