#include "engine/transaction/transaction.hpp"

#include <algorithm>

#include "engine/transaction/retire.hpp"

namespace update {
namespace {

Error unfinished(Error error) {
  return std::move(error).hint("run: banger-update recover").as(ErrorCode::unfinished);
}

/// Our own extra names go, and the history says why; the error keeps its own code. `from` is a
/// phase in which no destination was changed.
Status end_unchanged(step::Context& context, Phase from, Error reason) {
  const Status undone = step::discard(context, from, reason);
  if (undone) return fail(std::move(reason));
  // After the intent to swap was recorded, recovery may as well finish the update.
  if (from == Phase::swap) return fail(unfinished(undone.error()));
  // It could not be recorded, but nothing needs the names any more: the journal will be told by
  // recover.
  context.env().observer.warning(undone.error().message());
  step::tidy_own_names(context);
  return fail(std::move(reason).hint("run: banger-update recover"));
}

/// A COMMIT that failed before any destination was changed: the host is as it was, whatever the
/// journal holds.
Error nothing_changed(Error error) {
  return error.code() == ErrorCode::commit_unknown ? of_failed_commit(std::move(error)) : error;
}

/// (a), the intent to swap. What is not known to be there may yet be: so the names go, and nothing
/// else is touched (journal.md).
Status record_intent_to_swap(step::Context& context) {
  // The last look before the point of no return: what is about to be promised is there.
  UPDATE_TRY_ASSIGN(const bool staged, step::is_staged(context));
  UPDATE_TRY_ASSIGN(const bool backed_up, step::is_backed_up(context));
  if (!staged || !backed_up) {
    return fail(ErrorCode::failed, "somebody changed the staged files or the backups");
  }
  UPDATE_TRY(context.session.intend(plan_to_text(context.plan)));
  // If the machine stops here, the journal says `backup`, and the intent was never begun.
  return context.session.record(context.plan.tag.id, Phase::backup, Phase::swap,
                                swap_detail(context.plan), Durability::durable);
}

Status prepare(step::Context& context, const std::vector<std::optional<step::Source>>& sources,
               Phase& reached) {
  Session& session = context.session;
  const TransactionId id = context.plan.tag.id;
  UPDATE_TRY(step::stage(context, sources));
  UPDATE_TRY(session.record(id, Phase::stage, Phase::backup, staged_detail(context.plan),
                            Durability::visible));
  reached = Phase::backup;
  context.env().observer.phase(Phase::backup, "keeping the old files");
  UPDATE_TRY(step::backup(context));
  UPDATE_TRY(step::check_stop(context.env()));
  return record_intent_to_swap(context);
}

/// What a failed step after the intent to swap leads to.
Status handle_failure(step::Context& context, Phase from, Error error) {
  switch (error.code()) {
    case ErrorCode::commit_unknown:
    case ErrorCode::journal_damaged:
      // Files are never moved on the ground of a record that may not be there.
      return fail(unfinished(std::move(error)));
    case ErrorCode::needs_operator: return ask_operator(context, from, std::move(error));
    default: break;
  }
  const bool new_code_has_run =
      context.new_code_may_run || from == Phase::restart || from == Phase::doctor;
  return give_back(context, from, error,
                   new_code_has_run ? step::Services::restarted : step::Services::untouched);
}

/// The new code is about to run: (b), durable before it does.
Status after_swap(step::Context& context) {
  if (!context.plan.restart && !context.plan.doctor) {
    return finish(context, Phase::swap, Verdict::skipped);
  }
  const Phase next = context.plan.restart ? Phase::restart : Phase::doctor;
  if (Status entered =
          context.session.record(context.plan.tag.id, Phase::swap, next, "{}", Durability::durable);
      !entered) {
    return handle_failure(context, Phase::swap, std::move(entered).error());
  }
  return next == Phase::restart ? continue_from_restart(context) : continue_from_doctor(context);
}

bool nothing_renamed(const step::Context& context) {
  const auto seen = observe_all(context.folders, context.plan);
  return seen && std::none_of(seen->begin(), seen->end(), was_renamed);
}

/// All destinations are new, or what is returned says how it ended.
Status swap_or_end(step::Context& context) {
  context.env().observer.phase(Phase::swap, "replacing the files");
  Status swapped = step::check_stop(context.env());
  if (swapped) swapped = step::swap(context);
  if (swapped) return swapped;
  Error error = std::move(swapped).error();
  if (error.code() != ErrorCode::needs_operator && nothing_renamed(context)) {
    return end_unchanged(context, Phase::swap, std::move(error));
  }
  return handle_failure(context, Phase::swap, std::move(error));
}

}  // namespace

Status run_transaction(step::Context& context,
                       const std::vector<std::optional<step::Source>>& sources) {
  Session& session = context.session;
  session.working_on(context.plan.tag.id);
  if (Status begun = session.record(context.plan.tag.id, std::nullopt, Phase::stage,
                                    begin_detail(context.plan, context.env()), Durability::visible);
      !begun) {
    return fail(nothing_changed(std::move(begun).error()));
  }
  context.begun = true;
  context.env().observer.phase(Phase::stage, "staging the new files");
  Phase reached = Phase::stage;
  Status prepared = prepare(context, sources, reached);
  if (prepared) {
    // From (a) on the update has to end, one way or the other.
    session.allow_reserve();
    return continue_from_swap(context);
  }
  if (prepared.error().code() != ErrorCode::commit_unknown) {
    return end_unchanged(context, reached, std::move(prepared).error());
  }
  // What is not known to be recorded may yet be: the names go, and nothing else is touched
  // (journal.md).
  step::tidy_own_names(context);
  return fail(nothing_changed(std::move(prepared).error()).hint("run: banger-update recover"));
}

Status continue_from_swap(step::Context& context) {
  UPDATE_TRY(swap_or_end(context));
  if (Status checked = step::check_stop(context.env()); !checked) {
    return handle_failure(context, Phase::swap, std::move(checked).error());
  }
  return after_swap(context);
}

Status continue_swap_at_boot(step::Context& context) {
  UPDATE_TRY(swap_or_end(context));
  if (!context.plan.restart && !context.plan.doctor) {
    return finish(context, Phase::swap, Verdict::skipped);
  }
  return wait_for_services(context, Phase::swap);
}

Status wait_for_services(step::Context& context, Phase from) {
  const TransactionId id = context.plan.tag.id;
  Session& session = context.session;
  std::vector<NewEvent> events;
  if (from != Phase::doctor) {
    events.push_back(session.make_event(id, from, Phase::doctor, "{}"));
  }
  events.push_back(session.make_event(id, Phase::doctor, Phase::doctor,
                                      waits_detail(context.env().system.host.boot_id())));
  Status recorded = session.record_all(events, Durability::durable);
  return recorded ? Status() : fail(unfinished(std::move(recorded).error()));
}

namespace {

Status restart_and_judge(step::Context& context) {
  if (Status armed = step::arm_expiry(context, Phase::restart); !armed) {
    return handle_failure(context, Phase::restart, std::move(armed).error());
  }
  if (Status restarted = step::restart(context, Phase::restart); !restarted) {
    return handle_failure(context, Phase::restart, std::move(restarted).error());
  }
  if (!context.plan.doctor) {
    if (Status steady = step::watch_units(context); !steady) {
      return handle_failure(context, Phase::restart, std::move(steady).error());
    }
    return finish(context, Phase::restart, Verdict::skipped);
  }
  if (Status entered = context.session.record(context.plan.tag.id, Phase::restart, Phase::doctor,
                                              "{}", Durability::visible);
      !entered) {
    return handle_failure(context, Phase::restart, std::move(entered).error());
  }
  return continue_from_doctor(context);
}

}  // namespace

Status continue_from_restart(step::Context& context) {
  context.env().observer.phase(Phase::restart, "restarting");
  Status ended = restart_and_judge(context);
  // One that is still unfinished needs its timer all the more.
  if (ended || ended.error().code() != ErrorCode::unfinished) step::disarm_expiry(context);
  return ended;
}

Status continue_from_doctor(step::Context& context) {
  if (!context.plan.doctor) {
    // Left waiting by recover --boot: the boot was the restart, and what ran before must run now.
    if (Status steady = step::watch_units(context); !steady) {
      return handle_failure(context, Phase::doctor, std::move(steady).error());
    }
    return finish(context, Phase::doctor, Verdict::skipped);
  }
  context.env().observer.phase(Phase::doctor, "asking the doctor");
  auto judged = step::doctor(context);
  if (!judged) return handle_failure(context, Phase::doctor, std::move(judged).error());
  return finish(context, Phase::doctor, *judged);
}

Status continue_after_boot(step::Context& context) {
  if (Status started = step::start_what_is_down(context, Phase::doctor); !started) {
    return handle_failure(context, Phase::doctor, std::move(started).error());
  }
  return continue_from_doctor(context);
}

Status ask_operator(step::Context& context, Phase from, Error error,
                    std::optional<Verdict> verdict) {
  if (Status recorded = context.session.record(context.plan.tag.id, from, Phase::needs_operator,
                                               error_detail(error, verdict), Durability::durable);
      !recorded) {
    return fail(unfinished(std::move(recorded).error()));
  }
  return fail(std::move(error).as(ErrorCode::needs_operator));
}

Status finish(step::Context& context, Phase from, Verdict verdict) {
  // The verdict is there: from now on the update is finished, not undone, whoever presses Ctrl-C.
  context.env().system.stop.hold();
  if (Status committed = step::commit(context, from, verdict); !committed) {
    if (committed.error().code() == ErrorCode::needs_operator) {
      return ask_operator(context, from, std::move(committed).error(), verdict);
    }
    return fail(unfinished(std::move(committed).error().with("recording the commit")));
  }
  context.env().observer.phase(Phase::committed, "committed");
  retire(context.session, context.plan, context.folders, Retirement::first);
  context.session.anchor(context.plan.tag.id, Phase::committed);
  return {};
}

Status give_back(step::Context& context, Phase from, const Error& reason, step::Services services) {
  const bool new_code_has_run = services != step::Services::untouched;
  if (context.plan.kind == TransactionKind::rollback && new_code_has_run) {
    // An operator wanted away from that version: back to it only if it was found healthy when it
    // was installed.
    auto left = context.session.journal().newest_committed();
    if (!left) return fail(unfinished(std::move(left).error()));
    if (!*left || (*left)->verdict != std::string(name_of(Verdict::passed))) {
      return ask_operator(
          context, from,
          Error(ErrorCode::needs_operator,
                reason.message() + "; and the version before was never found healthy either"));
    }
  }
  UPDATE_TRY(step::rollback(context, from, reason, services));
  const bool by_signal =
      reason.code() == ErrorCode::interrupted || reason.code() == ErrorCode::terminated;
  Error ended = reason;
  return fail(by_signal ? std::move(ended) : std::move(ended).as(ErrorCode::undone));
}

}  // namespace update
