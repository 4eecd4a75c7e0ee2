#include "engine/step/unit_watch.hpp"

#include <algorithm>

#include "engine/base/text.hpp"

namespace update::step {
namespace {

// systemd calls a simple service started once it has forked: execve(2) may yet have to come.
constexpr std::int64_t kExecPatienceMs = 2'000;
constexpr std::int64_t kExecPollMs = 10;

Error not_well(const std::string& unit, const std::string& what) {
  return {ErrorCode::undone, "the unit " + unit + " " + what};
}

Result<os::UnitState> active_state(const Environment& env, const std::string& unit) {
  UPDATE_TRY_ASSIGN(os::UnitState state, state_of(env, unit));
  if (state.active) return state;
  return fail(not_well(unit, "is not active (" + escape(state.activity) + ")"));
}

/// The main process of before is another boot's wherever the machine has booted since.
bool lives(const Environment& env, const MainProcess& before) {
  return before.boot_id == env.system.host.boot_id() &&
         env.system.table.find(before.id.pid) == before.id;
}

Status check_runs(const Context& context, const PlannedUnit& unit, std::int64_t pid) {
  if (!unit.main->destination) return {};
  const PlannedFile* file = planned_for(context.plan, *unit.main->destination);
  if (file == nullptr || !file->new_state) return {};
  const Environment& env = context.env();
  const std::int64_t patience_ms = env.system.clock.monotonic_ms() + kExecPatienceMs;
  while (true) {
    if (runs_file(env, pid, *file->new_state)) return {};
    if (env.system.clock.monotonic_ms() >= patience_ms) break;
    if (!env.system.clock.wait_ms(kExecPollMs)) UPDATE_TRY(check_stop(env));
  }
  const auto executable = env.system.table.executable(pid);
  return fail(
      not_well(unit.name, "does not run the new " + file->destination.text() +
                              ": its main process " + std::to_string(pid) + " runs " +
                              (executable ? escape(executable->path) : "nothing any more")));
}

/// Right after the restart, or after the boot that was one.
Status check_new_process(const Context& context, const PlannedUnit& unit, std::int64_t pid) {
  if (!unit.main) return {};
  if (lives(context.env(), *unit.main)) {
    return fail(not_well(unit.name, "was restarted, but its process of before, " +
                                        std::to_string(unit.main->id.pid) + ", still runs"));
  }
  if (pid == 0) return fail(not_well(unit.name, "has no main process any more"));
  return check_runs(context, unit, pid);
}

Status check_kept(const Context& context) {
  for (const os::NamedProcess& process : context.kept) {
    if (context.env().system.table.find(process.id.pid) == process.id) continue;
    return fail(Error(ErrorCode::undone, "the process " + escape(process.name) + " (" +
                                             std::to_string(process.id.pid) +
                                             ") did not live through the restart")
                    .hint("KillMode=process in its unit lets it live (systemd.kill(5))"));
  }
  return {};
}

}  // namespace

Result<os::UnitState> state_of(const Environment& env, const std::string& unit) {
  auto state = env.system.services.state(unit);
  if (!state) UPDATE_TRY(check_stop(env));
  return state;
}

const PlannedFile* planned_for(const Plan& plan, const std::string& destination) {
  const auto found =
      std::find_if(plan.files.begin(), plan.files.end(),
                   [&](const PlannedFile& file) { return file.destination.text() == destination; });
  return found == plan.files.end() ? nullptr : &*found;
}

bool runs_file(const Environment& env, std::int64_t pid, const FileState& file) {
  const auto executable = env.system.table.executable(pid);
  if (!executable) return false;
  if (file.identity && file.identity->same_inode(executable->identity)) return true;
  if (!file.sha256 || executable->identity.size != file.size) return false;
  auto opened = env.system.table.open_executable(pid);
  if (!opened) return false;
  const auto digest = hash_file(**opened);
  return digest && *digest == *file.sha256;
}

Result<UnitWatch> UnitWatch::begin(Context& context) {
  UnitWatch watch(context);
  for (const PlannedUnit& unit : context.plan.units) {
    if (!unit.was_active) continue;
    UPDATE_TRY_ASSIGN(const os::UnitState state, active_state(context.env(), unit.name));
    // Without a restart (--no-restart) there are no units in the plan.
    UPDATE_TRY(check_new_process(context, unit, state.main_pid));
    watch.watched_.push_back({unit.name, state.main_pid, state.restart_count});
  }
  UPDATE_TRY(check_kept(context));
  return watch;
}

Status UnitWatch::check() const {
  for (const Watched& before : watched_) {
    UPDATE_TRY_ASSIGN(const os::UnitState now, active_state(context_->env(), before.unit));
    if (now.restart_count != before.restart_count) {
      return fail(not_well(before.unit, "ended and was started again by systemd (" +
                                            std::to_string(now.restart_count) + " times)"));
    }
    if (now.main_pid != before.main_pid) {
      return fail(not_well(before.unit, "has another main process than after its restart"));
    }
  }
  return check_kept(*context_);
}

}  // namespace update::step
