// From here on new code runs. That was made durable before (the intent to restart), so that a crash
// in here makes recovery suspect the release and put the old one back.
#include "engine/step/command.hpp"
#include "engine/step/step.hpp"

namespace update::step {
namespace {

Status run_restart_command(Context& context, Phase phase) {
  const RestartConfiguration& config = context.env().config.restart;
  UPDATE_TRY_ASSIGN(const auto result, run_configured(context.env(), context.plan, phase,
                                                      config.command, config.timeout_ms));
  UPDATE_TRY(context.session.note(context.plan.tag.id, phase,
                                  run_detail("restarting", config.command.front(), result),
                                  Durability::visible));
  if (result && result->passed()) return {};
  return fail(ErrorCode::undone,
              "the restart command " + config.command.front() + " " + describe_failure(result));
}

Status restart_unit(Context& context, Phase phase, const std::string& unit) {
  os::ServiceManager& services = context.env().system.services;
  UPDATE_TRY(context.session.note(context.plan.tag.id, phase, restarting_detail(unit),
                                  Durability::visible));
  Status restarted = services.restart(unit, context.env().config.restart.timeout_ms);
  if (!restarted) {
    UPDATE_TRY(check_stop(context.env()));
    return fail(std::move(restarted).error().as(ErrorCode::undone));
  }
  UPDATE_TRY_ASSIGN(const os::UnitState state, services.state(unit));
  if (state.active) return {};
  return fail(ErrorCode::undone, "the unit " + unit + " is not active after its restart");
}

Status restart_units(Context& context, Phase phase, bool only_inactive) {
  for (const PlannedUnit& unit : context.plan.units) {
    // What was stopped stays stopped (F7).
    if (!unit.was_active) continue;
    if (only_inactive) {
      UPDATE_TRY_ASSIGN(const os::UnitState state, context.env().system.services.state(unit.name));
      if (state.active) continue;
    }
    UPDATE_TRY(restart_unit(context, phase, unit.name));
  }
  return {};
}

Status start(Context& context, Phase phase, bool only_inactive) {
  if (!context.plan.restart) return {};
  if (!context.env().config.restart.command.empty()) return run_restart_command(context, phase);
  return restart_units(context, phase, only_inactive);
}

}  // namespace

Status restart(Context& context, Phase phase) {
  return start(context, phase, false);
}

Status check_units_are_up(Context& context) {
  for (const PlannedUnit& unit : context.plan.units) {
    if (!unit.was_active) continue;
    UPDATE_TRY_ASSIGN(const os::UnitState state, context.env().system.services.state(unit.name));
    if (!state.active) return fail(ErrorCode::undone, "the unit " + unit.name + " is not active");
  }
  return {};
}

Status undo_restart(Context& context, Phase phase, bool came_up_with_boot) {
  Status started = start(context, phase, came_up_with_boot);
  if (started || started.error().code() != ErrorCode::undone) return started;
  return fail(std::move(started)
                  .error()
                  .as(ErrorCode::needs_operator)
                  .with("the old version is back but does not start"));
}

}  // namespace update::step
