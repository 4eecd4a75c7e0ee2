#include "recovery/forced.hpp"

#include "engine/step/step.hpp"
#include "engine/transaction/generations.hpp"
#include "engine/transaction/retire.hpp"

namespace update {
namespace {

Status check_available(const Case& found, Force force) {
  for (std::size_t index = 0; index < found.plan.files.size(); ++index) {
    const Observation& seen = found.situation.files[index];
    const bool there = force == Force::rollback ? seen.old_available : seen.new_available;
    if (seen.unchanged || there) continue;
    return fail(ErrorCode::not_found,
                std::string(force == Force::rollback ? "the old" : "the new") + " bytes of " +
                    found.plan.files[index].destination.text() + " are gone");
  }
  return {};
}

/// What cannot be kept is not written over.
Status refuse_irregular(const Case& found) {
  for (const PlannedFile& file : found.plan.files) {
    UPDATE_TRY_ASSIGN(const auto present,
                      found.folders.of(file.destination).lookup(file.destination.name()));
    if (!present || present->type == os::FileType::regular) continue;
    return fail(Error(ErrorCode::needs_operator,
                      file.destination.text() + " is no regular file and cannot be kept")
                    .hint("move it away, then run the command again"));
  }
  return {};
}

/// Somebody's work, before it is written over.
Status keep_foreign(Session& session, const Case& found, const PlannedFile& file) {
  os::Folder& folder = found.folders.of(file.destination);
  const std::string name = file.destination.name();
  UPDATE_TRY_ASSIGN(const auto present, folder.lookup(name));
  if (!present) return {};
  UPDATE_TRY_ASSIGN(const Sha256Digest digest, hash_named(folder, name));
  UPDATE_TRY(store_generation(session, folder, name, digest).map([](bool) {}));
  UPDATE_TRY(sync_generations(session.state()));
  return session.note(found.plan.tag.id, Phase::needs_operator,
                      kept_detail(digest, file.destination.text()), Durability::durable);
}

Status keep_all_foreign(Session& session, const Case& found) {
  for (std::size_t index = 0; index < found.plan.files.size(); ++index) {
    if (found.situation.files[index].destination != Holds::foreign) continue;
    UPDATE_TRY(keep_foreign(session, found, found.plan.files[index]));
  }
  return {};
}

/// The bytes that were kept are the ones that are written over: looked at once more right before.
Status look_again(const Case& found, const PlannedFile& file, const Observation& seen) {
  os::Folder& folder = found.folders.of(file.destination);
  UPDATE_TRY_ASSIGN(const Holds now, observe(folder, file));
  if (now == seen.destination) return {};
  return fail(ErrorCode::needs_operator,
              file.destination.text() + " changed while the decision was carried out");
}

/// A person may decide on an update that was stopped while it staged: nobody has synced these bytes
/// yet, and a rename makes a name durable, not what it leads to.
Status sync_staged(const Case& found, const PlannedFile& file) {
  if (!file.new_state) return {};
  UPDATE_TRY_ASSIGN(
      const auto staged,
      found.folders.of(file.destination).open_file_for_update(found.plan.staged_name_of(file)));
  return staged->sync();
}

Status write_one_version(step::Context& context, const Case& found, Force force) {
  const Holds wanted = force == Force::rollback ? Holds::old_bytes : Holds::new_bytes;
  for (std::size_t index = 0; index < found.plan.files.size(); ++index) {
    const Observation& seen = found.situation.files[index];
    if (seen.unchanged || seen.destination == wanted) continue;
    const PlannedFile& file = found.plan.files[index];
    UPDATE_TRY(look_again(found, file, seen));
    if (force == Force::commit) UPDATE_TRY(sync_staged(found, file));
    UPDATE_TRY(force == Force::rollback ? step::put_back(context, file)
                                        : step::put_in_place(context, file));
  }
  return found.folders.sync();
}

/// The backups of a transaction that is given up become generations: they may be the only copies.
Status keep_backups(Session& session, const Case& found) {
  for (const PlannedFile& file : found.plan.files) {
    os::Folder& folder = found.folders.of(file.destination);
    const std::string backup = found.plan.backup_name_of(file);
    UPDATE_TRY_ASSIGN(const auto there, folder.lookup(backup));
    if (!there || there->type != os::FileType::regular) continue;
    UPDATE_TRY_ASSIGN(const Sha256Digest digest, hash_named(folder, backup));
    UPDATE_TRY(store_generation(session, folder, backup, digest).map([](bool) {}));
    UPDATE_TRY(sync_generations(session.state()));
    UPDATE_TRY(session.note(found.plan.tag.id, Phase::needs_operator,
                            kept_detail(digest, file.destination.text()), Durability::durable));
  }
  return {};
}

Status record_outcome(Session& session, const Case& found, Phase outcome, std::string_view what,
                      const std::string& reason, std::optional<Verdict> verdict) {
  return session.record(found.plan.tag.id, Phase::needs_operator, outcome,
                        forced_detail(what, reason, session.env(), verdict, found.plan),
                        Durability::durable);
}

void tidy(step::Context& context, Phase outcome) {
  step::tidy_own_names(context);
  context.session.anchor(context.plan.tag.id, outcome);
}

/// What was started is the operator's to look at: a restart that fails is said, and changes no
/// decision. A journal that cannot be written any more does.
Status restart_units(step::Context& context) {
  Status restarted = step::restart(context, Phase::needs_operator);
  if (restarted || restarted.error().code() == ErrorCode::commit_unknown) return restarted;
  context.env().observer.warning(restarted.error().message());
  return {};
}

Status abandon(step::Context& context, const Case& found, const RecoverRequest& request) {
  UPDATE_TRY(keep_backups(context.session, found));
  std::vector<std::string_view> states;
  for (std::size_t index = 0; index < found.plan.files.size(); ++index) {
    states.push_back(state_name(found.plan.files[index], found.situation.files[index].destination));
  }
  Session& session = context.session;
  UPDATE_TRY(session.record(found.plan.tag.id, Phase::needs_operator, Phase::abandoned,
                            abandoned_detail(request.reason, session.env(), states),
                            Durability::durable));
  tidy(context, Phase::abandoned);
  return {};
}

Status force_version(step::Context& context, const Case& found, const RecoverRequest& request) {
  Session& session = context.session;
  UPDATE_TRY(refuse_irregular(found));
  UPDATE_TRY(keep_all_foreign(session, found));
  UPDATE_TRY(write_one_version(context, found, *request.force));
  UPDATE_TRY(restart_units(context));
  if (*request.force == Force::rollback) {
    UPDATE_TRY(record_outcome(session, found, Phase::rolled_back, "rollback", request.reason, {}));
    tidy(context, Phase::rolled_back);
    return {};
  }
  UPDATE_TRY(
      record_outcome(session, found, Phase::committed, "commit", request.reason, Verdict::forced));
  retire(session, found.plan, found.folders, Retirement::again);
  session.anchor(found.plan.tag.id, Phase::committed);
  return {};
}

}  // namespace

Status carry_out_force(Session& session, Case& found, const RecoverRequest& request) {
  step::Context context{session, found.plan, found.folders};
  if (*request.force != Force::abandon) UPDATE_TRY(check_available(found, *request.force));
  Status done = *request.force == Force::abandon ? abandon(context, found, request)
                                                 : force_version(context, found, request);
  if (done || done.error().code() == ErrorCode::commit_unknown) return done;
  // Whatever stopped it, the transaction still is where it was, and still needs a person.
  return fail(std::move(done).error().as(ErrorCode::needs_operator));
}

}  // namespace update
