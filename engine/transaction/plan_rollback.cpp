// A rollback is planned from the journal: what each destination held, with mode, owner and
// attributes, and where those bytes are now. All of them are read and compared before anything is
// changed.
#include <algorithm>

#include "engine/base/layout.hpp"
#include "engine/transaction/events.hpp"
#include "engine/transaction/generations.hpp"
#include "engine/transaction/known_files.hpp"
#include "engine/transaction/planner.hpp"
#include "engine/transaction/planning.hpp"

namespace update {
namespace {

/// The recorded state that a destination is to have; `known` is false where no update ever listed
/// it.
struct Wanted {
  bool known = false;
  std::optional<FileState> state;
};

Result<std::optional<PlannedFile>> recorded_file(const Environment& env, Journal& journal,
                                                 TransactionId id, const std::string& destination) {
  UPDATE_TRY_ASSIGN(const std::vector<Event> events, journal.events_of(id));
  UPDATE_TRY_ASSIGN(const TransactionStory story, story_of(events));
  UPDATE_TRY_ASSIGN(const Plan plan, past_plan_from_text(story.plan_text, env.config));
  const auto found =
      std::find_if(plan.files.begin(), plan.files.end(),
                   [&](const PlannedFile& file) { return file.destination.text() == destination; });
  if (found == plan.files.end()) return std::nullopt;
  return *found;
}

Wanted from_record(const std::optional<PlannedFile>& file, const JournalFile& listing, bool old) {
  if (!file) return {};
  std::optional<FileState> state = old ? file->old_state : file->new_state;
  // The journal's table has the digest that became known beside the staging.
  if (state) state->sha256 = old ? listing.old_sha256 : listing.new_sha256;
  if (state) state->identity.reset();
  return {true, state};
}

/// What the destination held right after update `after` (or before the first that lists it).
Result<Wanted> state_after(const Environment& env, Journal& journal, TransactionId after,
                           const std::string& destination) {
  UPDATE_TRY_ASSIGN(const auto held, held_after(journal, after, destination));
  if (!held) return Wanted{};
  UPDATE_TRY_ASSIGN(const auto file,
                    recorded_file(env, journal, held->listing.transaction, destination));
  return from_record(file, held->listing, held->is_old);
}

Error no_such(const std::string& message) {
  return Error(ErrorCode::not_found, message).hint("see: banger-update history");
}

/// The newest committed update that changed the version.
Result<TransactionRecord> newest_change(Journal& journal) {
  HistoryFilter committed;
  committed.outcome = std::string(name_of(Phase::committed));
  for (const std::size_t limit : {std::size_t{8}, std::size_t{0}}) {
    committed.limit = limit;
    UPDATE_TRY_ASSIGN(const auto newest_first, journal.list(committed));
    for (const TransactionRecord& record : newest_first) {
      if (record.from_version != record.to_version) return record;
    }
  }
  return fail(no_such("there is no committed update to go back from"));
}

struct Goal {
  std::optional<TransactionRecord> undone;  ///< plain `rollback`: what this update replaced
  TransactionId after;  ///< the state right after this update; 0: what the first one found
  std::optional<std::string> version;
};

Result<Goal> goal_of(Journal& journal, const RollbackOptions& options) {
  if (!options.target) {
    UPDATE_TRY_ASSIGN(const TransactionRecord undone, newest_change(journal));
    return Goal{undone, TransactionId{undone.id.value - 1}, undone.from_version};
  }
  if (options.target->value == 0) {
    UPDATE_TRY_ASSIGN(const TransactionRecord any, newest_change(journal));
    static_cast<void>(any);
    return Goal{std::nullopt, TransactionId{0}, std::nullopt};
  }
  UPDATE_TRY_ASSIGN(const auto record, journal.transaction(*options.target));
  if (!record || record->phase != Phase::committed) {
    return fail(no_such("there is no committed update " + std::to_string(options.target->value)));
  }
  return Goal{std::nullopt, record->id, record->to_version};
}

/// The committed updates whose work a rollback to this goal takes back.
Result<std::vector<TransactionRecord>> taken_back(Journal& journal, const Goal& goal) {
  if (goal.undone) return std::vector<TransactionRecord>{*goal.undone};
  HistoryFilter committed;
  committed.outcome = std::string(name_of(Phase::committed));
  UPDATE_TRY_ASSIGN(std::vector<TransactionRecord> records, journal.list(committed));
  std::erase_if(records, [&](const TransactionRecord& record) { return record.id <= goal.after; });
  return records;
}

/// A destination that left the configuration would stay as it is, and the host would hold two
/// versions.
Status check_all_configured(const Environment& env, Journal& journal, const Goal& goal) {
  UPDATE_TRY_ASSIGN(const auto records, taken_back(journal, goal));
  for (const TransactionRecord& record : records) {
    for (const JournalFile& file : record.files) {
      if (env.config.find_file(file.destination) != nullptr) continue;
      UPDATE_TRY_ASSIGN(const bool changed,
                        was_changed_since(journal, file.destination, goal.after));
      if (!changed) continue;
      return fail(Error(ErrorCode::not_found, "update " + std::to_string(record.id.value) +
                                                  " changed '" + file.destination +
                                                  "', which the configuration does not have")
                      .hint("add its [[file]] to the configuration again, then run rollback"));
    }
  }
  return {};
}

Result<bool> read_source(os::Folder& folder, const std::string& name, const FileState& wanted,
                         step::Source& source) {
  UPDATE_TRY_ASSIGN(const auto found, folder.lookup(name));
  if (!found || found->type != os::FileType::regular || found->identity.size != wanted.size) {
    return false;
  }
  UPDATE_TRY_ASSIGN(const auto state, look_at(folder, name));
  UPDATE_TRY_ASSIGN(const Sha256Digest digest, hash_named(folder, name));
  if (!state || digest != *wanted.sha256) return false;
  source = {&folder, name, state->identity, !wanted.privileged() && state->same_metadata(wanted)};
  return true;
}

/// What an update replaced at a destination; nothing is known of one that it did not list.
Result<Wanted> state_before(const Environment& env, Journal& journal,
                            const TransactionRecord& undone, const std::string& destination) {
  const auto listing =
      std::find_if(undone.files.begin(), undone.files.end(),
                   [&](const JournalFile& file) { return file.destination == destination; });
  if (listing == undone.files.end()) return Wanted{};
  UPDATE_TRY_ASSIGN(const auto file, recorded_file(env, journal, undone.id, destination));
  return from_record(file, *listing, true);
}

Result<Wanted> wanted_state(const Environment& env, Journal& journal, const Goal& goal,
                            const std::string& destination) {
  return goal.undone ? state_before(env, journal, *goal.undone, destination)
                     : state_after(env, journal, goal.after, destination);
}

/// The destination itself (a mode, say, changed since), generation, `.previous`, then a backup that
/// was not retired. What has other bytes there is passed over, never repaired. not_found: the bytes
/// are nowhere. What cannot be read may be them, and is the error once they are nowhere else.
Result<step::Source> find_source(const Environment& env, os::Folder* generations,
                                 os::Folder& folder, const PlannedFile& file) {
  const FileState& wanted = *file.new_state;
  step::Source source;
  std::optional<Error> unread;
  const auto is_at = [&](os::Folder& place, const std::string& name) {
    const auto found = read_source(place, name, wanted, source);
    if (!found) {
      env.observer.warning(found.error().message());
      if (!unread) unread = found.error();
    }
    return found && *found;
  };
  const std::string name = file.destination.name();
  const bool here = file.old_state && file.old_state->sha256 == wanted.sha256;
  if (here && is_at(folder, name)) return source;
  const std::string generation = generation_name(*wanted.sha256);
  if (generations != nullptr && is_at(*generations, generation)) return source;
  if (is_at(folder, previous_name(name, env.config.backup_suffix))) return source;
  UPDATE_TRY_ASSIGN(const std::vector<std::string> names, folder.list());
  for (const std::string& candidate : names) {
    const auto own = parse_own_name(candidate);
    if (!own || own->kind != OwnNameKind::backup || own->destination_name != name) continue;
    if (is_at(folder, candidate)) return source;
  }
  const std::string bytes =
      "the bytes of " + file.destination.text() + " with SHA-256 " + wanted.sha256->hex();
  if (unread) return fail(std::move(*unread).with("cannot look for " + bytes));
  return fail(no_such(bytes + " are not kept any more"));
}

/// Two destinations with the same bytes may lead to one generation: a second name for it would make
/// one file of the two, and what is done to one would be done to both.
void link_no_inode_twice(PlannedUpdate& update) {
  std::vector<os::FileIdentity> taken;
  for (const PlannedFile& file : update.plan.files) {
    if (file.old_state) taken.push_back(*file.old_state->identity);
  }
  for (std::optional<step::Source>& source : update.sources) {
    if (!source || !source->may_link) continue;
    source->may_link = std::none_of(taken.begin(), taken.end(), [&](const os::FileIdentity& other) {
      return other.same_inode(*source->identity);
    });
    taken.push_back(*source->identity);
  }
}

Result<PlannedFile> plan_file(Journal& journal, os::Folder& folder,
                              const ConfiguredFile& configured, const Wanted& wanted) {
  PlannedFile file{configured.name, configured.destination, {}, wanted.state, false};
  UPDATE_TRY_ASSIGN(file.old_state, look_at_present(&journal, folder, file.destination));
  if (file.old_state && !file.old_state->sha256) {
    UPDATE_TRY_ASSIGN(file.old_state->sha256, hash_named(folder, file.destination.name()));
  }
  if (file.new_state && !file.new_state->sha256) {
    return fail(no_such("the digest of the older " + configured.destination.text() +
                        " was never recorded"));
  }
  mark_unchanged(file);
  return file;
}

}  // namespace

Result<PlannedUpdate> plan_rollback(const Environment& env, Journal& journal, os::Folder& state,
                                    const TargetFolders& folders, const RollbackOptions& options,
                                    TransactionTag tag) {
  UPDATE_TRY_ASSIGN(const Goal goal, goal_of(journal, options));
  UPDATE_TRY(check_all_configured(env, journal, goal));
  UPDATE_TRY(check_destinations(folders, &state, env.config.backup_suffix));
  PlannedUpdate update;
  Plan& plan = update.plan;
  plan.tag = tag;
  plan.kind = TransactionKind::rollback;
  plan.backup_suffix = env.config.backup_suffix;
  plan.target = options.target;
  plan.to_version = goal.version;
  UPDATE_TRY_ASSIGN(plan.from_version, journal.installed_version());
  UPDATE_TRY_ASSIGN(auto generations, find_generations(state));
  os::Folder* kept = generations ? generations->get() : nullptr;
  for (const ConfiguredFile& configured : env.config.files) {
    UPDATE_TRY_ASSIGN(const Wanted wanted,
                      wanted_state(env, journal, goal, configured.destination.text()));
    if (!wanted.known) continue;
    UPDATE_TRY_ASSIGN(os::Folder* const folder, folders.need(configured.destination));
    UPDATE_TRY(check_previous(*folder, configured.destination, plan.backup_suffix));
    UPDATE_TRY_ASSIGN(PlannedFile file, plan_file(journal, *folder, configured, wanted));
    std::optional<step::Source> source;
    if (!file.unchanged && file.new_state) {
      UPDATE_TRY_ASSIGN(source, find_source(env, kept, *folder, file));
    }
    plan.files.push_back(std::move(file));
    update.sources.push_back(std::move(source));
  }
  link_no_inode_twice(update);
  if (generations) update.source_folders.push_back(std::move(*generations));
  update.nothing_to_do = all_unchanged(plan) && plan.from_version == plan.to_version;
  if (update.nothing_to_do) return update;
  UPDATE_TRY(plan_services(env, plan, options.restart, options.doctor));
  UPDATE_TRY(check_space(&state, folders, plan, update.sources));
  return update;
}

}  // namespace update
