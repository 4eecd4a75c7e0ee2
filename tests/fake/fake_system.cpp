#include "tests/fake/fake_system.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

namespace update {

FakeProcessRunner::Script FakeProcessRunner::exits(int status, std::string output) {
  return [status, output = std::move(output)](const os::Command&) -> Result<os::ProcessResult> {
    os::ProcessResult result;
    result.status = status;
    result.output = output;
    result.output_bytes = output.size();
    return result;
  };
}

Result<os::ProcessResult> FakeProcessRunner::run(const os::Command& command) {
  commands_.push_back(command);
  const std::string program = command.argv.empty() ? std::string() : command.argv.front();
  const auto script = scripts_.find(program);
  if (script != scripts_.end()) return script->second(command);
  if (any_) return any_(command);
  return fail(Error::from_errno(ENOENT, program));
}

Result<std::string> FakeConfinement::run(const os::ConfinementLimits& limits,
                                         const std::function<Result<std::string>()>& work) {
  ++runs_;
  if (error_) return fail(*error_);
  auto answer = work();
  if (answer && answer->size() > limits.answer_bytes) {
    return fail(ErrorCode::not_trusted, "the answer is larger than it may be");
  }
  return answer;
}

std::vector<std::string> FakeProcessRunner::lines() const {
  std::vector<std::string> lines;
  for (const os::Command& command : commands_) {
    std::string& line = lines.emplace_back();
    for (const std::string& argument : command.argv) {
      if (!line.empty()) line.push_back(' ');
      line.append(argument);
    }
  }
  return lines;
}

os::UnitState& FakeServiceManager::add(const std::string& unit) {
  os::UnitState& state = units_[unit];
  state.found = true;
  state.active = true;
  state.main_pid = next_pid_++;
  return state;
}

void FakeServiceManager::fail_state(const std::string& unit, Error error) {
  state_errors_.insert_or_assign(unit, std::move(error));
}

void FakeServiceManager::fail_restart(const std::string& unit, Error error) {
  restart_errors_.insert_or_assign(unit, std::move(error));
}

Result<os::UnitState> FakeServiceManager::state(const std::string& unit) {
  const auto error = state_errors_.find(unit);
  if (error != state_errors_.end()) return fail(error->second);
  const auto found = units_.find(unit);
  return found == units_.end() ? os::UnitState{} : found->second;
}

Status FakeServiceManager::restart(const std::string& unit, std::int64_t) {
  restarts_.push_back(unit);
  const auto error = restart_errors_.find(unit);
  if (error != restart_errors_.end()) return fail(error->second);
  if (hook_) UPDATE_TRY(hook_(unit));
  const auto found = units_.find(unit);
  if (found == units_.end() || !found->second.found) {
    return fail(ErrorCode::failed, "Unit " + unit + " not found.");
  }
  if (found->second.masked) return fail(ErrorCode::failed, "Unit " + unit + " is masked.");
  found->second.active = true;
  found->second.main_pid = next_pid_++;
  return {};
}

Status FakeServiceManager::reload(std::int64_t) {
  ++reloads_;
  for (auto& [name, state] : units_) state.needs_reload = false;
  return {};
}

Status FakeServiceManager::check_run() {
  if (check_run_error_) return fail(*check_run_error_);
  return {};
}

Result<os::UnitEnd> FakeServiceManager::run(const os::TransientUnit& unit) {
  if (run_) return run_(unit);
  return fail(ErrorCode::failed, "no unit " + unit.name + " can be started");
}

Status FakeServiceManager::arm(const os::TransientUnit& unit, std::int64_t delay_ms) {
  if (arm_error_) return fail(*arm_error_);
  if (!armed_names_.insert(unit.name).second) {
    return fail(ErrorCode::failed, "Unit " + unit.name + " was already loaded");
  }
  timers_[unit.name] = {unit, delay_ms};
  ++armed_;
  return {};
}

Status FakeServiceManager::disarm(const std::string& name) {
  timers_.erase(name);
  return {};
}

std::optional<os::ProcessId> FakeProcessTable::find(std::int64_t pid) {
  const auto found = processes_.find(pid);
  if (found == processes_.end()) return std::nullopt;
  return os::ProcessId{pid, found->second.start};
}

std::vector<os::NamedProcess> FakeProcessTable::named(const std::vector<std::string>& names) {
  std::vector<os::NamedProcess> found;
  for (const auto& [pid, process] : processes_) {
    if (std::find(names.begin(), names.end(), process.name) == names.end()) continue;
    found.push_back({{pid, process.start}, process.name});
  }
  return found;
}

std::vector<os::NamedProcess> FakeProcessTable::in_group(const std::string& control_group) {
  std::vector<os::NamedProcess> found;
  for (const auto& [pid, process] : processes_) {
    if (process.group == control_group) found.push_back({{pid, process.start}, process.name});
  }
  return found;
}

std::optional<os::Executable> FakeProcessTable::executable(std::int64_t pid) {
  const auto found = processes_.find(pid);
  return found == processes_.end() ? std::nullopt : found->second.executable;
}

Result<std::unique_ptr<os::File>> FakeProcessTable::open_executable(std::int64_t pid) {
  return fail(Error::from_errno(ENOENT, "/proc/" + std::to_string(pid) + "/exe"));
}

Status FakeProcessTable::end(const os::ProcessId& process, std::int64_t) {
  if (find(process.pid) != process) return {};
  processes_.erase(process.pid);
  ended_.push_back(process);
  return {};
}

void FakeClock::advance_ms(std::int64_t duration_ms) {
  monotonic_ms_ += duration_ms;
  wall_us_ += duration_ms * 1000;
}

bool FakeClock::wait_ms(std::int64_t duration_ms) {
  waits_ms_.push_back(duration_ms);
  if (hook_) hook_(duration_ms);
  if (stop_.pending() != os::StopRequest::Signal::none) return false;
  advance_ms(duration_ms);
  return true;
}

void FakeHost::reboot() {
  ++boots_;
  char id[64];
  std::snprintf(id, sizeof id, "00000000-0000-4000-8000-%012llu",
                static_cast<unsigned long long>(boots_));
  boot_id_ = id;
  starts_.clear();
  ++pid_;
  starts_[pid_] = 5000;
}

std::optional<std::uint64_t> FakeHost::process_start(std::int64_t pid) {
  const auto found = starts_.find(pid);
  if (found == starts_.end()) return std::nullopt;
  return found->second;
}

void FakeSystem::reboot(const LossPattern& pattern) {
  files.lose(pattern);
  host.reboot();
  stop = FakeStop();
}

}  // namespace update
