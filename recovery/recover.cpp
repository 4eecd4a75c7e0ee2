// Recovery reads everything, decides once, and carries the decision out with the steps of an
// update. It can be killed at any instruction and run again: each resumption is counted durably
// first, and the decision is made anew from what is then found.
#include "recovery/recover.hpp"

#include <algorithm>

#include "engine/transaction/intent.hpp"
#include "engine/transaction/journal_file.hpp"
#include "engine/transaction/lost_journal.hpp"
#include "engine/transaction/state_folder.hpp"
#include "engine/transaction/transaction.hpp"
#include "recovery/expired.hpp"
#include "recovery/forced.hpp"
#include "recovery/orphans.hpp"
#include "recovery/settle.hpp"
#include "recovery/situation.hpp"

namespace update {
namespace {

constexpr std::int64_t kLockWaitMs = 30000;
constexpr std::string_view kOperatorHint =
    "look at it with 'banger-update status', then decide: banger-update recover "
    "--force-rollback, --force-commit or --abandon, each with --reason";

/// Whether there is one version now is what the journal says, not what the driver of an update was
/// told.
Status one_version(Session& session, const Situation& now, TransactionId id, Status ended) {
  if (!ended) {
    switch (ended.error().code()) {
      case ErrorCode::needs_operator:
      case ErrorCode::unfinished:
      case ErrorCode::commit_unknown:
      case ErrorCode::journal_damaged: return ended;
      default: break;
    }
  }
  UPDATE_TRY_ASSIGN(const auto record, session.journal().transaction(id));
  if (record && is_final(record->phase)) return {};
  // What needs services waits for a recover after them, in doctor or in rollback.
  if (now.at_boot && record &&
      (record->phase == Phase::doctor || record->phase == Phase::rollback)) {
    return {};
  }
  return ended ? fail(ErrorCode::unfinished, "the update is still unfinished") : ended;
}

/// The machine has booted since the update began, and no recovery came before the services: some of
/// them may have started from files that were new by then.
bool boot_may_have_started_new_code(const Case& found, const std::string& boot_id) {
  const Situation& now = found.situation;
  if (now.at_boot || found.record.boot_id == boot_id) return false;
  if (now.phase == Phase::rollback || now.phase == Phase::needs_operator) return !now.discarding;
  return std::any_of(now.files.begin(), now.files.end(), was_renamed);
}

step::Services services_for(const Case& found, const std::string& boot_id) {
  const Situation& now = found.situation;
  const TransactionStory& story = found.story;
  // After a lost journal nobody knows whether new code has run.
  if (!story.new_code_has_run && !story.reconstructed) {
    return boot_may_have_started_new_code(found, boot_id) ? step::Services::restarted
                                                          : step::Services::untouched;
  }
  if (now.at_boot) return step::Services::not_up_yet;
  const bool waited = now.phase == Phase::rollback && now.waits_in_this_boot;
  return waited ? step::Services::came_up_with_boot : step::Services::restarted;
}

Error reason_of(const Decision& decision) {
  return {ErrorCode::undone, decision.reason};
}

/// Somebody brought the old files back. They are durable before the backups go, and what ran them
/// must run.
Status conclude_old(step::Context& context) {
  UPDATE_TRY(context.folders.sync());
  if (context.new_code_may_run) {
    UPDATE_TRY(step::undo_restart(context, Phase::needs_operator, true));
  }
  UPDATE_TRY(context.session.record(context.plan.tag.id, Phase::needs_operator, Phase::rolled_back,
                                    note_detail("found_old"), Durability::durable));
  step::tidy_own_names(context);
  context.session.anchor(context.plan.tag.id, Phase::rolled_back);
  return {};
}

Status conclude_new(step::Context& context, const Case& found) {
  UPDATE_TRY(context.folders.sync());
  const bool passed = found.record.verdict == std::string(name_of(Verdict::passed));
  return finish(context, Phase::needs_operator, passed ? Verdict::passed : Verdict::skipped);
}

/// Why a person is needed, with each file that stands in the way: its digests and what was found.
std::string in_full(const Case& found, const Decision& decision) {
  std::string text = decision.reason;
  for (std::size_t index = 0; index < found.plan.files.size(); ++index) {
    const Observation& seen = found.situation.files[index];
    const PlannedFile& file = found.plan.files[index];
    if (seen.destination == Holds::foreign) {
      text.append("; ").append(step::describe_stranger(found.folders, file));
    } else if (!seen.old_available || !seen.new_available) {
      text.append("; of ").append(file.destination.text()).append(" the ");
      text.append(seen.old_available ? "new" : "old").append(" bytes are gone");
    } else if (!seen.unchanged) {
      text.append("; ").append(file.destination.text()).append(" holds the ");
      text.append(seen.destination == Holds::old_bytes ? "old" : "new").append(" bytes");
    }
  }
  return text;
}

Status replay_swap(step::Context& context, const Situation& now) {
  if (now.at_boot) return continue_swap_at_boot(context);
  return continue_from_swap(context);
}

Status replay_restart(step::Context& context, const Situation& now) {
  if (now.at_boot) return wait_for_services(context, now.phase);
  return now.phase == Phase::restart ? continue_from_restart(context)
                                     : continue_from_doctor(context);
}

Status carry_out(Session& session, Case& found, const Decision& decision) {
  step::Context context{session, found.plan, found.folders};
  const Situation& now = found.situation;
  const step::Services services = services_for(found, session.env().system.host.boot_id());
  context.new_code_may_run = services == step::Services::restarted;
  if (found.story.armed) context.timer = found.story.armed->timer;
  switch (decision.action) {
    case Action::wait: return {};
    case Action::discard: return step::discard(context, now.phase, reason_of(decision));
    case Action::replay_swap: return replay_swap(context, now);
    case Action::put_back: return give_back(context, now.phase, reason_of(decision), services);
    case Action::stay_old: return step::rollback(context, now.phase, reason_of(decision), services);
    case Action::replay_restart: return replay_restart(context, now);
    case Action::verify: return continue_after_boot(context);
    case Action::finish_rollback: return step::finish_rollback(context, services);
    case Action::finish_discard: return step::finish_discard(context);
    case Action::conclude_old: return conclude_old(context);
    case Action::conclude_new: return conclude_new(context, found);
    case Action::ask_operator:
      return ask_operator(context, now.phase,
                          Error(ErrorCode::needs_operator, in_full(found, decision)));
  }
  return {};
}

Error needs_operator(const TransactionRecord& record, const std::string& reason) {
  return Error(ErrorCode::needs_operator,
               "update " + std::to_string(record.id.value) + " needs a person: " + reason)
      .hint(std::string(kOperatorHint));
}

/// An update that would be finished to another version than the one that is about to be installed
/// is undone instead.
Decision decide_for(Case& found, const RecoverRequest& request) {
  Decision decision = decide(found.situation);
  const bool replays =
      decision.action == Action::replay_swap || decision.action == Action::replay_restart;
  if (!replays || !request.only_version || found.plan.to_version == request.only_version) {
    return decision;
  }
  found.situation.policy = RecoveryPolicy::rollback;
  found.situation.policy_from_command_line = true;
  return decide(found.situation);
}

Status resume(Session& session, Case& found, const RecoverRequest& request) {
  const Decision decision = decide_for(found, request);
  if (decision.action == Action::wait) return {};
  const TransactionId id = found.record.id;
  if (decision.action == Action::ask_operator && found.record.phase == Phase::needs_operator) {
    return fail(needs_operator(found.record, in_full(found, decision)));
  }
  session.working_on(id);
  UPDATE_TRY(
      session.note(id, found.record.phase,
                   resumed_detail(found.fingerprint, found.story.new_code_has_run, request.boot),
                   Durability::durable));
  Status ended = one_version(session, found.situation, id, carry_out(session, found, decision));
  if (!ended && ended.error().code() == ErrorCode::needs_operator) {
    return fail(needs_operator(found.record, ended.error().message()));
  }
  return ended;
}

/// What an error that stopped a recovery means for the host: it is between two versions, unless the
/// error says better.
Error midway(Error error) {
  switch (error.code()) {
    case ErrorCode::needs_operator:
    case ErrorCode::usage:
    case ErrorCode::not_found:
    case ErrorCode::journal_damaged:
    case ErrorCode::commit_unknown: return error;
    default: return std::move(error).hint("run: banger-update recover").as(ErrorCode::unfinished);
  }
}

/// The events of a reconstructed transaction that the journal does not have yet.
std::vector<NewEvent> missing_events(const Environment& env, const Plan& plan,
                                     const std::optional<TransactionRecord>& record) {
  std::vector<NewEvent> events = reconstructed_events(env, plan);
  const auto is_recorded = [&](const NewEvent& event) {
    return record && (!event.from || (record->phase == Phase::backup && event.to == Phase::backup));
  };
  events.erase(std::remove_if(events.begin(), events.end(), is_recorded), events.end());
  return events;
}

/// Could the transaction of this intent have been begun, without the journal knowing?
Result<bool> is_pending(Session& session, TransactionId id,
                        const std::optional<TransactionRecord>& record) {
  if (record) return record->id == id;
  UPDATE_TRY_ASSIGN(const TransactionId next, session.next_id());
  return id >= next;
}

/// An intent whose transaction the journal does not know, or knows from before the intent was
/// recorded, was never begun. Unless a destination shows that it was: then this journal is older
/// than the truth, and it is gone on as with a lost one.
Status believe_intent(Session& session, const std::optional<TransactionRecord>& record) {
  // Once the intent is recorded, the journal alone decides.
  if (record && record->phase != Phase::stage && record->phase != Phase::backup) return {};
  UPDATE_TRY_ASSIGN(const auto text, read_intent(session.state()));
  if (!text) return {};
  if (const auto id = plan_id_from_text(*text)) {
    UPDATE_TRY_ASSIGN(const bool pending, is_pending(session, *id, record));
    if (!pending) return {};
  }
  const auto plan = plan_from_text(*text, session.env().config);
  if (!plan && plan.error().code() == ErrorCode::journal_damaged) {
    // No reason to set a journal aside that can be read, nor to stop every update there is.
    session.env().observer.warning("the intent file cannot be understood, and is passed over: " +
                                   plan.error().message());
    return {};
  }
  if (!plan) return fail(plan.error());
  UPDATE_TRY_ASSIGN(const TargetFolders folders,
                    TargetFolders::open(session.env().root, destinations_of(*plan)));
  UPDATE_TRY_ASSIGN(const auto seen, observe_all(folders, *plan));
  if (std::none_of(seen.begin(), seen.end(), was_renamed)) return {};
  return session.record_all(missing_events(session.env(), *plan, record), Durability::durable);
}

/// Nobody has to end that update any more. A timer of another boot has gone with it.
void disarm_timer_of(Session& session, Case& found) {
  const auto& armed = found.story.armed;
  if (!armed || armed->boot_id != session.env().system.host.boot_id()) return;
  step::Context context{session, found.plan, found.folders};
  context.timer = armed->timer;
  step::disarm_expiry(context);
}

/// One unfinished transaction, from its decision to its end. True if something was done about it.
Result<bool> recover_transaction(Session& session, const TransactionRecord& record,
                                 const RecoverRequest& request) {
  UPDATE_TRY_ASSIGN(Case found, look_at_case(session.env(), session.journal(), record, request));
  const Situation& now = found.situation;
  const bool waits = now.at_boot && now.waits_in_this_boot;
  Status ended =
      request.force ? carry_out_force(session, found, request) : resume(session, found, request);
  const bool over = ended || ended.error().code() == ErrorCode::needs_operator;
  // What waits for the services may be waited for in vain.
  if (over && !now.at_boot) disarm_timer_of(session, found);
  UPDATE_TRY(std::move(ended));
  return !waits;
}

Result<RecoverReport> recover_once(Session& session, const RecoverRequest& request) {
  RecoverReport report;
  session.allow_reserve();
  UPDATE_TRY_ASSIGN(auto record, session.journal().unfinished());
  if (record) UPDATE_TRY(make_journal_durable(session));
  if (Status believed = believe_intent(session, record); !believed) {
    return fail(record ? midway(std::move(believed).error()) : std::move(believed).error());
  }
  UPDATE_TRY_ASSIGN(record, session.journal().unfinished());
  if (request.force && (!record || record->phase != Phase::needs_operator)) {
    return fail(Error(ErrorCode::usage, "no update needs a person: there is nothing to force")
                    .hint("run: banger-update recover"));
  }
  if (record) {
    auto recovered = recover_transaction(session, *record, request);
    if (!recovered) return fail(midway(std::move(recovered).error()));
    if (*recovered) {
      UPDATE_TRY_ASSIGN(report.recovered, session.journal().transaction(record->id));
    }
  } else {
    UPDATE_TRY(settle(session));
  }
  const auto still_open = session.journal().unfinished();
  // What waits for the services is not an orphan yet.
  if (!still_open || *still_open) return report;
  if (const auto collected = collect(session)) {
    report.orphans_removed = *collected;
  } else {
    session.env().observer.warning("not everything was tidied up: " + collected.error().message());
  }
  session.checkpoint_if_large();
  return report;
}

/// Nothing unfinished, no intent, no name of ours anywhere: on the path of every boot, so it is
/// found out with a few reads.
Result<bool> is_idle(const Environment& env, os::Folder& state) {
  UPDATE_TRY_ASSIGN(const bool intended, is_intended(state));
  if (intended) return false;
  auto journal = read_journal_in(env, state, true);
  if (!journal) return false;
  const auto unfinished = journal->unfinished();
  if (!unfinished || *unfinished) return false;
  const auto unanchored = unanchored_outcome(*journal, state);
  if (!unanchored || *unanchored) return false;
  UPDATE_TRY_ASSIGN(const std::optional<Head> head, read_head(state));
  if (!check_against_head(env, state, *journal, head)) return false;
  const auto folders = TargetFolders::open(env.root, destinations_of(env.config));
  if (!folders) return false;
  UPDATE_TRY_ASSIGN(const auto orphans, find_orphans(*folders, env.config));
  return orphans.empty();
}

}  // namespace

Result<RecoverReport> recover_in_session(Session& session, const RecoverRequest& request) {
  auto report = recover_once(session, request);
  if (report || report.error().code() != ErrorCode::journal_damaged) return report;
  // The header looked sound, but SQLite cannot read it all: as with any other lost journal.
  UPDATE_TRY(session.replace_journal());
  return recover_once(session, request);
}

Result<RecoverReport> recover(const Environment& env, const RecoverRequest& request) {
  if (request.expired) {
    UPDATE_TRY_ASSIGN(const bool unfinished, end_expired(env, *request.expired));
    if (!unfinished) return RecoverReport{};
  }
  const bool waits = request.boot || request.expired;
  UPDATE_TRY_ASSIGN(auto locked, lock_state(env, false, waits ? kLockWaitMs : 0));
  const bool forced = request.force.has_value();
  if (!locked) {
    if (!forced) return RecoverReport{};
    return fail(ErrorCode::usage, "no update needs a person: there is nothing to force");
  }
  UPDATE_TRY_ASSIGN(const JournalCondition condition, inspect_journal(*locked->folder));
  if (!forced && condition == JournalCondition::none) {
    return tidy_before_the_first(env, *locked->folder);
  }
  if (!forced && condition == JournalCondition::sound) {
    UPDATE_TRY_ASSIGN(const bool idle, is_idle(env, *locked->folder));
    if (idle) return RecoverReport{};
  }
  UPDATE_TRY_ASSIGN(auto session, Session::open(env, std::move(*locked), false));
  if (!session) return RecoverReport{};
  return recover_in_session(*session, request);
}

Result<std::string> recover_would(const Environment& env, Journal& journal,
                                  const RecoverRequest& request) {
  UPDATE_TRY_ASSIGN(const auto record, journal.unfinished());
  if (!record) {
    UPDATE_TRY_ASSIGN(const auto folders,
                      TargetFolders::find(env.root, destinations_of(env.config)));
    UPDATE_TRY_ASSIGN(const auto orphans, find_orphans(folders, env.config));
    return orphans.empty() ? "nothing" : "discard";
  }
  UPDATE_TRY_ASSIGN(const Case found, look_at_case(env, journal, *record, request));
  return std::string(name_of(decide(found.situation).action));
}

Status look_before_planning(const Environment& env, Journal& journal) {
  UPDATE_TRY_ASSIGN(const auto record, journal.unfinished());
  if (!record) return {};
  UPDATE_TRY_ASSIGN(const Case found, look_at_case(env, journal, *record, {}));
  const Decision decision = decide(found.situation);
  if (decision.action == Action::ask_operator) {
    return fail(needs_operator(*record, in_full(found, decision)));
  }
  env.observer.warning("update " + std::to_string(record->id.value) + " is unfinished, in phase " +
                       std::string(name_of(record->phase)) + ": recovery comes first (" +
                       std::string(name_of(decision.action)) +
                       "), and may change what is planned here; run: banger-update recover");
  return {};
}

}  // namespace update
