// Recovery reads everything, decides once, and carries the decision out with the steps of an
// update. It can be killed at any instruction and run again: each resumption is counted durably
// first, and the decision is made anew from what is then found.
#include "recovery/recover.hpp"

#include <algorithm>

#include "engine/base/layout.hpp"
#include "engine/transaction/intent.hpp"
#include "engine/transaction/journal_file.hpp"
#include "engine/transaction/lost_journal.hpp"
#include "engine/transaction/state_folder.hpp"
#include "engine/transaction/transaction.hpp"
#include "recovery/forced.hpp"
#include "recovery/orphans.hpp"
#include "recovery/situation.hpp"

namespace update {
namespace {

constexpr std::int64_t kBootLockWaitMs = 30000;
constexpr std::string_view kOperatorHint =
    "look at it with 'banger-update status', then decide: banger-update recover "
    "--force-rollback, --force-commit or --abandon, each with --reason";

/// What was told to the driver of an update tells recovery only whether there is one version now.
Status one_version(Status ended) {
  if (ended) return ended;
  switch (ended.error().code()) {
    case ErrorCode::needs_operator:
    case ErrorCode::unfinished:
    case ErrorCode::commit_unknown:
    case ErrorCode::journal_damaged: return ended;
    default: return {};
  }
}

step::Services services_for(const Situation& now, const TransactionStory& story) {
  if (!story.new_code_has_run) return step::Services::untouched;
  if (now.at_boot) return step::Services::not_up_yet;
  const bool waited = now.phase == Phase::rollback && now.waits_in_this_boot;
  return waited ? step::Services::came_up_with_boot : step::Services::restarted;
}

Error reason_of(const Decision& decision) {
  return {ErrorCode::undone, decision.reason};
}

Status conclude_old(step::Context& context) {
  UPDATE_TRY(context.session.record(context.plan.tag.id, Phase::needs_operator, Phase::rolled_back,
                                    note_detail("found_old"), Durability::durable));
  UPDATE_TRY(step::remove_own_names(context));
  context.session.anchor(context.plan.tag.id, Phase::rolled_back);
  return {};
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
  const step::Services services = services_for(now, found.story);
  switch (decision.action) {
    case Action::wait: return {};
    case Action::discard: return step::discard(context, now.phase, reason_of(decision));
    case Action::replay_swap: return replay_swap(context, now);
    case Action::put_back: return give_back(context, now.phase, reason_of(decision), services);
    case Action::replay_restart: return replay_restart(context, now);
    case Action::verify: return continue_from_doctor(context);
    case Action::finish_rollback: return step::finish_rollback(context, services);
    case Action::finish_discard: return step::finish_discard(context);
    case Action::conclude_old: return conclude_old(context);
    case Action::conclude_new: {
      const bool passed = found.record.verdict == std::string(name_of(Verdict::passed));
      return finish(context, Phase::needs_operator, passed ? Verdict::passed : Verdict::skipped);
    }
    case Action::ask_operator:
      return ask_operator(context, now.phase, Error(ErrorCode::needs_operator, decision.reason));
  }
  return {};
}

Error needs_operator(const TransactionRecord& record, const std::string& reason) {
  return Error(ErrorCode::needs_operator,
               "update " + std::to_string(record.id.value) + " needs a person: " + reason)
      .hint(std::string(kOperatorHint));
}

/// A failed COMMIT of the process that died may be half on the disk: what is read from here on must
/// be durable (journal.md).
Status make_journal_durable(Session& session) {
  Status done = session.journal().checkpoint();
  if (!done && done.error().code() != ErrorCode::journal_damaged &&
      release_reserve(session.state())) {
    done = session.journal().checkpoint();
  }
  if (done || done.error().code() == ErrorCode::journal_damaged) return done;
  return fail(std::move(done).error().with("making the journal durable").as(ErrorCode::unfinished));
}

Status resume(Session& session, Case& found, const RecoverRequest& request) {
  Decision decision = decide(found.situation);
  const bool replays =
      decision.action == Action::replay_swap || decision.action == Action::replay_restart;
  if (replays && request.only_version && found.plan.to_version != request.only_version) {
    found.situation.policy = RecoveryPolicy::rollback;
    found.situation.policy_from_command_line = true;
    decision = decide(found.situation);
  }
  if (decision.action == Action::wait) return {};
  if (decision.action == Action::ask_operator && found.record.phase == Phase::needs_operator) {
    return fail(needs_operator(found.record, decision.reason));
  }
  session.working_on(found.record.id);
  UPDATE_TRY(session.note(found.record.id, found.record.phase,
                          resumed_detail(found.fingerprint, found.story.new_code_has_run),
                          Durability::durable));
  Status ended = one_version(carry_out(session, found, decision));
  if (!ended && ended.error().code() == ErrorCode::needs_operator) {
    return fail(needs_operator(found.record, ended.error().message()));
  }
  return ended;
}

/// An intent whose transaction the journal does not know, or knows from before the intent was
/// recorded, was never begun. Unless a destination is new: then this journal is older than the
/// truth, and it is gone on as with a lost one.
Status believe_intent(Session& session, const std::optional<TransactionRecord>& record) {
  UPDATE_TRY_ASSIGN(const auto text, read_intent(session.state()));
  if (!text) return {};
  UPDATE_TRY_ASSIGN(const Plan plan, plan_from_text(*text, session.env().config));
  const bool same = record && record->id == plan.tag.id;
  if (record && (!same || (record->phase != Phase::stage && record->phase != Phase::backup))) {
    return {};
  }
  UPDATE_TRY_ASSIGN(const auto known, session.journal().transaction(plan.tag.id));
  if (known && is_final(known->phase)) return {};
  UPDATE_TRY_ASSIGN(const TransactionId next, session.next_id());
  if (!known && plan.tag.id < next) return {};
  UPDATE_TRY_ASSIGN(const TargetFolders folders,
                    TargetFolders::open(session.env().root, destinations_of(plan)));
  UPDATE_TRY_ASSIGN(const auto seen, observe_all(folders, plan));
  const bool begun = std::any_of(seen.begin(), seen.end(), [](const Observation& file) {
    return !file.unchanged && file.destination == Holds::new_bytes;
  });
  if (!begun) return {};
  std::vector<NewEvent> events = reconstructed_events(session.env(), plan);
  // Those that the journal has already are left out.
  const auto is_recorded = [&](const NewEvent& event) {
    return record && (!event.from || (record->phase == Phase::backup && event.to == Phase::backup));
  };
  events.erase(std::remove_if(events.begin(), events.end(), is_recorded), events.end());
  return session.record_all(events, Durability::durable);
}

Result<RecoverReport> recover_once(Session& session, const RecoverRequest& request) {
  const Environment& env = session.env();
  RecoverReport report;
  UPDATE_TRY_ASSIGN(auto record, session.journal().unfinished());
  if (record) UPDATE_TRY(make_journal_durable(session));
  UPDATE_TRY(believe_intent(session, record));
  UPDATE_TRY_ASSIGN(record, session.journal().unfinished());
  if (request.force && (!record || record->phase != Phase::needs_operator)) {
    return fail(Error(ErrorCode::usage, "no update needs a person: there is nothing to force")
                    .hint("run: banger-update recover"));
  }
  if (record) {
    UPDATE_TRY_ASSIGN(Case found, look_at_case(env, session.journal(), *record, request));
    UPDATE_TRY(request.force ? carry_out_force(session, found, request)
                             : resume(session, found, request));
    const Situation& now = found.situation;
    const bool waits = now.at_boot && now.waits_in_this_boot;
    if (!waits) report.recovered = record->id;
  } else if (auto cleared = clear_intent(session.state()); !cleared) {
    env.observer.warning("the intent file was not emptied: " + cleared.error().message());
  }
  UPDATE_TRY_ASSIGN(const auto still_open, session.journal().unfinished());
  // What waits for the services is not an orphan yet.
  if (still_open) return report;
  UPDATE_TRY_ASSIGN(const TargetFolders folders,
                    TargetFolders::open(env.root, destinations_of(env.config)));
  UPDATE_TRY_ASSIGN(const auto orphans, find_orphans(folders, env.config, std::nullopt));
  UPDATE_TRY_ASSIGN(const std::size_t beside, collect_orphans(session, orphans));
  UPDATE_TRY_ASSIGN(const std::size_t inside, collect_temporaries(session.state()));
  report.orphans_removed = beside + inside;
  session.checkpoint_if_large();
  return report;
}

/// Nothing unfinished, no intent, no name of ours anywhere: on the path of every boot, so it is
/// found out with a few reads.
Result<bool> is_idle(const Environment& env, os::Folder& state) {
  UPDATE_TRY_ASSIGN(const auto intent, state.lookup(std::string(kIntentName)));
  if (intent && intent->identity.size > 0) return false;
  auto journal = read_journal_in(env, state);
  if (!journal) return false;
  const auto unfinished = journal->unfinished();
  if (!unfinished || *unfinished) return false;
  const auto folders = TargetFolders::open(env.root, destinations_of(env.config));
  if (!folders) return folders.error().code() != ErrorCode::not_trusted;
  UPDATE_TRY_ASSIGN(const auto orphans, find_orphans(*folders, env.config, std::nullopt));
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
  UPDATE_TRY_ASSIGN(auto locked, lock_state(env, false, request.boot ? kBootLockWaitMs : 0));
  const bool forced = request.force.has_value();
  if (!locked) {
    if (!forced) return RecoverReport{};
    return fail(ErrorCode::usage, "no update needs a person: there is nothing to force");
  }
  UPDATE_TRY_ASSIGN(const JournalCondition condition, inspect_journal(*locked->folder));
  if (!forced && condition == JournalCondition::none) {
    // The first update of all may have been stopped while it made its journal.
    UPDATE_TRY_ASSIGN(const std::size_t removed, collect_temporaries(*locked->folder));
    return RecoverReport{std::nullopt, removed};
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
                      TargetFolders::open(env.root, destinations_of(env.config)));
    UPDATE_TRY_ASSIGN(const auto orphans, find_orphans(folders, env.config, std::nullopt));
    return orphans.empty() ? "nothing" : "discard";
  }
  UPDATE_TRY_ASSIGN(const Case found, look_at_case(env, journal, *record, request));
  return std::string(name_of(decide(found.situation).action));
}

}  // namespace update
