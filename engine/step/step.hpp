#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/result.hpp"
#include "engine/transaction/disk.hpp"
#include "engine/transaction/events.hpp"
#include "engine/transaction/plan.hpp"
#include "engine/transaction/session.hpp"

// The steps of an update, in the order of its life. Each has a file of its own here, with what it
// does, how it is undone, and how the disk alone shows that it is done. None of them records a
// phase: transaction.cpp does that between them.
namespace update::step {

struct Context {
  Session& session;
  Plan& plan;
  const TargetFolders& folders;
  bool begun = false;                       ///< the transaction has its first event
  bool new_code_may_run = false;            ///< as recovery found it, whatever the phase says
  std::vector<os::NamedProcess> kept = {};  ///< what has to live through the restart (F13)
  std::optional<std::uint32_t> timer = {};  ///< of the newest arming (expiry_unit_name)

  const Environment& env() const { return session.env(); }
  os::Folder& folder_of(const PlannedFile& file) const { return folders.of(file.destination); }
};

/// Where the new bytes of one planned file are read from.
struct Source {
  os::Folder* folder = nullptr;
  std::string name;
  std::optional<os::FileIdentity> identity = {};  ///< of the file whose bytes were checked already
  bool may_link = false;  ///< bytes, mode, owner and attributes are the planned ones: a second name
                          ///< will do
};

/// SIGINT or SIGTERM has arrived: interrupted or terminated.
Status check_stop(const Environment& env);

// stage: the new bytes, whole and checked, under names of the transaction's own beside their
// destinations.
/// `sources` has one entry a planned file. Fills in the digests of old files that were not known
/// and the identities of the staged ones, and marks files that turn out equal as unchanged.
/// Contents are durable on return, names are not.
Status stage(Context& context, const std::vector<std::optional<Source>>& sources);
Result<bool> is_staged(const Context& context);

// backup: a second name for the old bytes, beside each destination.
/// `failed` if somebody changed a destination since the plan was made. All names, staged and
/// backup, are durable on return.
Status backup(Context& context);
Result<bool> is_backed_up(const Context& context);

// swap: one rename a file.
/// Goes on where an earlier run stopped. `failed`: a destination was changed by somebody else
/// before the first rename; needs_operator: after it. Durable on return.
Status swap(Context& context);
/// What stands at a destination that is neither the old nor the new file: path, both digests, what
/// was found.
std::string describe_stranger(const TargetFolders& folders, const PlannedFile& file);
/// All destinations that are not new, one after the other.
std::string describe_strangers(const Context& context);
/// One file's part of it, either way; the folder is not synced.
Status put_in_place(Context& context, const PlannedFile& file);
Status put_back(Context& context, const PlannedFile& file);
/// Puts the old bytes back, wherever they are not. needs_operator, with nothing changed, if a
/// destination is foreign or a backup is gone. Durable on return.
Status undo_swap(Context& context);
Result<bool> is_swapped(const Context& context);

// restart: the configured command, or the units that were running.
/// undone: a restart failed. unfinished: what restarts was killed, and nobody knows. Notes first
/// what has to live through it (context.kept).
Status restart(Context& context, Phase phase);
/// After a boot, which is a restart only of what it starts by itself: starts the units that were
/// running before the update and are down, not those that failed. Errors as above.
Status start_what_is_down(Context& context, Phase phase);
/// Starts what the old version was running, each unit of it; needs_operator if one does not start;
/// unfinished as above. After a boot that found the old files already, or a person, only what does
/// not run the old version.
Status undo_restart(Context& context, Phase phase, bool came_up_with_boot);

// The dead-man's switch: a timer of systemd's that runs `recover --expired` for an update that is
// not over in its time (plan.deadline_ms), whatever became of the process that had to end it.
/// Before the first restart; takes the timer of the update's earlier life back. Nothing where there
/// is no systemd. undone: it could not be armed.
Status arm_expiry(Context& context, Phase phase);
/// Once the outcome is recorded. A timer that is left over finds nothing to do.
void disarm_expiry(const Context& context);

// doctor: the verdict. Asked only where the configuration has one (plan.doctor).
/// undone: a unit that ran before the update does not run steadily, or not from the new file; that
/// a doctor's failure is excused changes nothing in that. undone: the release is not well;
/// interrupted and terminated as everywhere. passed; skipped where its failure is excused by the
/// configuration, since then nothing was judged.
Result<Verdict> doctor(Context& context);
/// The same without a doctor: the units are watched for as long as the soak lasts.
Status watch_units(Context& context);
/// One run before anything is changed, for the record.
Result<BaselineResult> baseline(const Environment& env, const Plan& plan);

// commit: the update is the installed version.
/// Looks once more that the destinations hold the very files that were judged, and that the state
/// folder is where it was, then records it.
/// Durable on return.
Status commit(Context& context, Phase from, Verdict verdict);

// rollback: from any unfinished phase back to what was.
enum class Services : std::uint8_t {
  untouched,   ///< no new code has run: nothing was restarted, nothing need be
  restarted,   ///< they run the new version and have to be restarted
  not_up_yet,  ///< recover --boot: files only, the rest waits for a recover after the services
  came_up_with_boot,  ///< that recover: the boot was the restart
};
/// Records the intent, puts the files back, restarts what ran, records the outcome. On success the
/// old version is installed and running, or waits for the services. unfinished: stopped midway,
/// `recover` goes on; needs_operator.
Status rollback(Context& context, Phase from, const Error& reason, Services services);
/// The same for an update that changed no destination: only its own names go.
Status discard(Context& context, Phase from, const Error& reason);
/// Goes on in the phase rollback, where a crash or recover --boot left it.
Status finish_rollback(Context& context, Services services);
Status finish_discard(Context& context);

/// Undoes staging and backup: removes the transaction's own names. Allowed only once nothing needs
/// them.
Status remove_own_names(const Context& context);
/// The same where it belongs to no outcome: a failure is a warning, and recover collects what is
/// left.
void tidy_own_names(const Context& context);

}  // namespace update::step
