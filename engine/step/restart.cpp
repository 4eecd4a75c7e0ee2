// From here on new code runs. That was made durable before (the intent to restart), so that a crash
// in here makes recovery suspect the release and put the old one back.
#include <algorithm>

#include "engine/base/text.hpp"
#include "engine/installation/configuration_checks.hpp"
#include "engine/step/command.hpp"
#include "engine/step/step.hpp"
#include "engine/step/unit_watch.hpp"

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
  const bool killed = result && result->killed();
  return fail(killed ? ErrorCode::unfinished : ErrorCode::undone,
              "the restart command " + config.command.front() + " " + describe_failure(result));
}

std::string in_one_line(std::string log) {
  while (log.ends_with('\n')) log.pop_back();
  std::replace(log.begin(), log.end(), '\n', '|');
  return escape(log);
}

Error with_log(os::ServiceManager& services, const std::string& unit, const Error& error) {
  const std::string log = services.log_end(unit);
  Error failed(ErrorCode::undone,
               error.message() + (log.empty() ? "" : "; its log ends with: " + in_one_line(log)));
  return error.hint().empty() ? failed : std::move(failed).hint(error.hint());
}

/// Unit files are read when systemd is told to: a changed one among the update's files, or one that
/// somebody changed before, would otherwise take effect at some later moment.
Status reload_if_changed(Context& context) {
  os::ServiceManager& services = context.env().system.services;
  bool changed = std::any_of(
      context.plan.files.begin(), context.plan.files.end(), [](const PlannedFile& file) {
        return !file.unchanged && config::has_unit_ending(file.destination.name());
      });
  for (const PlannedUnit& unit : context.plan.units) {
    if (changed) break;
    if (!unit.was_active) continue;
    UPDATE_TRY_ASSIGN(const os::UnitState state, state_of(context.env(), unit.name));
    changed = state.needs_reload;
  }
  if (!changed) return {};
  Status reloaded = services.reload(context.env().config.restart.timeout_ms);
  if (reloaded) return {};
  UPDATE_TRY(check_stop(context.env()));
  if (reloaded.error().code() == ErrorCode::unfinished) return reloaded;
  return fail(std::move(reloaded).error().as(ErrorCode::undone));
}

Status restart_unit(Context& context, Phase phase, const std::string& unit) {
  os::ServiceManager& services = context.env().system.services;
  UPDATE_TRY(context.session.note(context.plan.tag.id, phase, restarting_detail(unit),
                                  Durability::visible));
  Status restarted = services.restart(unit, context.env().config.restart.timeout_ms);
  if (!restarted) {
    UPDATE_TRY(check_stop(context.env()));
    if (restarted.error().code() == ErrorCode::unfinished) return restarted;
    return fail(with_log(services, unit, std::move(restarted).error()));
  }
  UPDATE_TRY_ASSIGN(const os::UnitState state, state_of(context.env(), unit));
  if (state.active) return {};
  return fail(
      with_log(services, unit,
               Error(ErrorCode::undone, "the unit " + unit + " is not active after its restart")));
}

/// Does the unit run, and run the old version, as far as can be told? A boot may have started it,
/// or a person, from files that were old again by then.
Result<bool> runs_old(const Context& context, const PlannedUnit& unit) {
  UPDATE_TRY_ASSIGN(const os::UnitState state, state_of(context.env(), unit.name));
  if (!state.active) return false;
  if (!unit.main || !unit.main->destination) return true;
  const PlannedFile* file = planned_for(context.plan, *unit.main->destination);
  if (file == nullptr || !file->old_state) return true;
  return runs_file(context.env(), state.main_pid, *file->old_state);
}

Status restart_units(Context& context, Phase phase) {
  UPDATE_TRY(reload_if_changed(context));
  for (const PlannedUnit& unit : context.plan.units) {
    // What was stopped stays stopped (F7).
    if (unit.was_active) UPDATE_TRY(restart_unit(context, phase, unit.name));
  }
  return {};
}

/// Every unit is tried, whatever became of those before it: one that was left out would go on
/// running what was undone. The first failure is told.
Status restart_units_back(Context& context, Phase phase, bool only_others) {
  Status first = reload_if_changed(context);
  if (!first && first.error().code() != ErrorCode::undone) return first;
  for (const PlannedUnit& unit : context.plan.units) {
    if (!unit.was_active) continue;
    if (only_others) {
      UPDATE_TRY_ASSIGN(const bool is_back, runs_old(context, unit));
      if (is_back) continue;
    }
    Status restarted = restart_unit(context, phase, unit.name);
    if (!restarted && restarted.error().code() != ErrorCode::undone) return restarted;
    if (first) first = std::move(restarted);
  }
  return first;
}

bool has_command(const Context& context) {
  return !context.env().config.restart.command.empty();
}

}  // namespace

Status restart(Context& context, Phase phase) {
  if (!context.plan.restart) return {};
  context.kept = context.env().system.table.named(context.env().config.restart.keep_processes);
  return has_command(context) ? run_restart_command(context, phase) : restart_units(context, phase);
}

Status start_what_is_down(Context& context, Phase phase) {
  for (const PlannedUnit& unit : context.plan.units) {
    if (!unit.was_active) continue;
    UPDATE_TRY_ASSIGN(const os::UnitState state, state_of(context.env(), unit.name));
    if (state.activity == "inactive") UPDATE_TRY(restart_unit(context, phase, unit.name));
  }
  return {};
}

Status undo_restart(Context& context, Phase phase, bool came_up_with_boot) {
  if (!context.plan.restart) return {};
  Status started = has_command(context) ? run_restart_command(context, phase)
                                        : restart_units_back(context, phase, came_up_with_boot);
  if (started || started.error().code() != ErrorCode::undone) return started;
  return fail(std::move(started)
                  .error()
                  .as(ErrorCode::needs_operator)
                  .with("the old version is back but does not start"));
}

}  // namespace update::step
