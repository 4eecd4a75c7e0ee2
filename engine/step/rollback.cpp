// Back to what was. The intent is durable first, then the files, then the services, then the
// outcome; each can be repeated, and recovery finishes in the same order whatever it finds. If the
// machine stops in here, the phase `rollback` says in which direction to go on.
#include "engine/step/step.hpp"

namespace update::step {
namespace {

/// An error that leaves the files between two versions, for `recover` to go on with.
Error stopped_midway(Error error) {
  if (error.code() == ErrorCode::needs_operator) return error;
  return std::move(error)
      .with("the rollback stopped")
      .hint("run: banger-update recover")
      .as(ErrorCode::unfinished);
}

Status give_up(Context& context, Error error) {
  if (error.code() != ErrorCode::needs_operator) return fail(stopped_midway(std::move(error)));
  if (Status recorded =
          context.session.record(context.plan.tag.id, Phase::rollback, Phase::needs_operator,
                                 error_detail(error), Durability::durable);
      !recorded) {
    return fail(stopped_midway(std::move(recorded).error()));
  }
  return fail(std::move(error));
}

/// The outcome; then, and only then, the names go: until it is durable a backup is the way back.
Status conclude(Context& context) {
  if (Status recorded =
          context.session.record(context.plan.tag.id, Phase::rollback, Phase::rolled_back,
                                 note_detail("undone"), Durability::durable);
      !recorded) {
    return fail(stopped_midway(std::move(recorded).error()));
  }
  tidy_own_names(context);
  context.session.anchor(context.plan.tag.id, Phase::rolled_back);
  return {};
}

}  // namespace

Status rollback(Context& context, Phase from, const Error& reason, Services services) {
  context.env().observer.phase(Phase::rollback, reason.message());
  if (Status recorded = context.session.record(context.plan.tag.id, from, Phase::rollback,
                                               rollback_detail(reason, false), Durability::durable);
      !recorded) {
    return fail(stopped_midway(std::move(recorded).error()));
  }
  return finish_rollback(context, services);
}

Status finish_rollback(Context& context, Services services) {
  // From here on the way back is the way out: a second Ctrl-C must not stop the undo that the first
  // began.
  context.env().system.stop.hold();
  if (Status undone = undo_swap(context); !undone) {
    return give_up(context, std::move(undone).error());
  }
  if (Status here = context.folders.check_in_place(context.env().root); !here) {
    return give_up(context, std::move(here).error());
  }
  if (services == Services::not_up_yet) {
    Status waits = context.session.note(context.plan.tag.id, Phase::rollback,
                                        waits_detail(context.env().system.host.boot_id()),
                                        Durability::durable);
    return waits ? Status() : fail(stopped_midway(std::move(waits).error()));
  }
  if (services != Services::untouched) {
    const bool came_up = services == Services::came_up_with_boot;
    if (Status started = undo_restart(context, Phase::rollback, came_up); !started) {
      return give_up(context, std::move(started).error());
    }
  }
  return conclude(context);
}

Status discard(Context& context, Phase from, const Error& reason) {
  context.env().observer.phase(Phase::rollback, reason.message());
  // Durable only with the outcome: until then, the phase before leads recovery to the same end.
  if (Status recorded = context.session.record(context.plan.tag.id, from, Phase::rollback,
                                               rollback_detail(reason, true), Durability::visible);
      !recorded) {
    return fail(stopped_midway(std::move(recorded).error()));
  }
  return finish_discard(context);
}

Status finish_discard(Context& context) {
  context.env().system.stop.hold();
  return conclude(context);
}

}  // namespace update::step
