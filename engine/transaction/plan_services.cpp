// What runs before an update: recorded, so that it can be given back, and told from what runs
// after.
#include <algorithm>

#include "engine/base/text.hpp"
#include "engine/step/unit_watch.hpp"
#include "engine/transaction/planning.hpp"

namespace update {
namespace {

// For what has no limit of its own: swapping, undoing, a slow disk.
constexpr std::int64_t kSlackMs = 10'000;
constexpr std::size_t kShownProcesses = 5;

/// Which of the update's files a process runs: by inode, or by its name where an earlier
/// update has replaced the file under it.
std::optional<std::string> destination_run_by(const os::Executable& executable, const Plan& plan) {
  for (const PlannedFile& file : plan.files) {
    const bool same = file.old_state && file.old_state->identity &&
                      file.old_state->identity->same_inode(executable.identity);
    if (same || file.destination.text() == executable.path) return file.destination.text();
  }
  return std::nullopt;
}

std::optional<MainProcess> main_process_of(const Environment& env, const os::UnitState& state,
                                           const Plan& plan) {
  const auto id = env.system.table.find(state.main_pid);
  if (!id) return std::nullopt;
  const auto executable = env.system.table.executable(id->pid);
  return MainProcess{*id, env.system.host.boot_id(),
                     executable ? destination_run_by(*executable, plan) : std::nullopt};
}

/// F13: what a stop of this unit ends beside its main process.
void warn_of_workloads(const Environment& env, const std::string& unit,
                       const os::UnitState& state) {
  if (state.kill_mode != "control-group" && state.kill_mode != "mixed") return;
  std::vector<os::NamedProcess> others = env.system.table.in_group(state.control_group);
  std::erase_if(others, [&](const os::NamedProcess& process) {
    return process.id.pid == state.main_pid || process.id.pid == env.system.host.pid();
  });
  if (others.empty()) return;
  std::string text =
      "restarting " + unit + " ends what else runs in it (KillMode=" + state.kill_mode + "): ";
  for (std::size_t index = 0; index < std::min(others.size(), kShownProcesses); ++index) {
    text.append(index == 0 ? "" : ", ").append(escape(others[index].name));
    text.append(" (process ").append(std::to_string(others[index].id.pid)).append(")");
  }
  if (others.size() > kShownProcesses) {
    text.append(" and ").append(std::to_string(others.size() - kShownProcesses)).append(" more");
  }
  env.observer.warning(text + "; KillMode=process in the unit would let it live");
}

Result<PlannedUnit> plan_unit(const Environment& env, const Plan& plan, const std::string& name) {
  UPDATE_TRY_ASSIGN(const os::UnitState state, step::state_of(env, name));
  if (!state.found) env.observer.warning("the unit " + name + " does not exist");
  PlannedUnit unit{name, state.active, state.activity, state.enablement, {}};
  if (!state.active) return unit;
  if (state.masked) {
    // systemd would refuse it, and after the swap that would look like a bad release.
    env.observer.warning("the unit " + name + " runs but is masked: it is not restarted");
    unit.was_active = false;
    return unit;
  }
  unit.main = main_process_of(env, state, plan);
  warn_of_workloads(env, name, state);
  return unit;
}

/// The longest that an update may take from its first restart to its outcome, the way back
/// included, where nothing hangs.
std::int64_t deadline_of(const Configuration& config, const Plan& plan) {
  const auto restarts = static_cast<std::int64_t>(std::max<std::size_t>(1, plan.units.size()));
  std::int64_t limit = 2 * restarts * config.restart.timeout_ms + kSlackMs;
  if (!plan.doctor) return limit + config.doctor.soak_ms;
  const DoctorConfiguration& doctor = config.doctor;
  limit += (doctor.attempts + doctor.passes + 1) * (doctor.timeout_ms + doctor.interval_ms);
  return limit + doctor.soak_ms;
}

}  // namespace

Status plan_services(const Environment& env, Plan& plan, bool restart, bool doctor) {
  plan.doctor = doctor && env.has_doctor();
  plan.restart = false;
  if (!restart || !env.has_restart()) return {};
  plan.restart = !env.config.restart.command.empty();
  if (!plan.restart) {
    for (const std::string& name : env.config.restart.units) {
      UPDATE_TRY_ASSIGN(PlannedUnit unit, plan_unit(env, plan, name));
      plan.restart = plan.restart || unit.was_active;
      plan.units.push_back(std::move(unit));
    }
  }
  if (plan.restart) plan.deadline_ms = deadline_of(env.config, plan);
  return {};
}

}  // namespace update
