#include "engine/os/service_manager_systemd.hpp"

#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "engine/base/text.hpp"
#include "engine/os/transient_unit_linux.hpp"

namespace update::os {

namespace {

// systemd answers these at once; a systemd that hangs must not hang the update.
constexpr std::int64_t kAnswerTimeoutMs = 30'000;

// A reload reads the files of all units, which may be many and on a slow disk.
constexpr std::int64_t kReloadTimeoutMs = 90'000;
constexpr std::int64_t kLogTimeoutMs = 5'000;
constexpr std::size_t kLogBytes = 4096;
constexpr std::string_view kLogLines = "10";

constexpr const char* kBusSocket = "/run/dbus/system_bus_socket";

constexpr std::string_view kHint =
    "where systemd does not run, set `[restart] command` in the configuration";

// systemd.unit(5). Without glob characters: `systemctl restart 'a*'` restarts whatever matches.
Status check_unit_name(const std::string& unit) {
  constexpr std::string_view kAllowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@";
  const bool valid = !unit.empty() && unit.size() <= 255 && !unit.starts_with('-') &&
                     unit.find_first_not_of(kAllowed) == std::string::npos;
  if (valid) return {};
  return fail(ErrorCode::usage, "not a name of a systemd unit: " + escape(unit));
}

// The system's own tools: what somebody put into /usr/local is another program.
std::vector<std::pair<std::string, std::string>> tool_environment() {
  return {{"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"}, {"LANG", "C"}};
}

// Of what proc(5) has of each process: is ours that of PID 1? nullopt: it may not be looked at,
// which takes CAP_SYS_PTRACE.
std::optional<bool> shared_with_init(const std::string& name) {
  struct stat own {};
  struct stat init {};
  if (::stat(("/proc/self/" + name).c_str(), &own) != 0) return std::nullopt;
  if (::stat(("/proc/1/" + name).c_str(), &init) != 0) return std::nullopt;
  return own.st_dev == init.st_dev && own.st_ino == init.st_ino;
}

// systemd would fill in a variable (systemd.service(5), "Command lines"); systemd-run's option
// against that is younger than Debian 12.
std::string literal(std::string_view word) {
  std::string text;
  for (const char c : word) text.append(c == '$' ? 2 : 1, c);
  return text;
}

void append_unit(std::vector<std::string>& argv, const TransientUnit& unit) {
  argv.push_back("--unit=" + unit.name);
  argv.push_back("--description=" + unit.description);
  for (const auto& [name, value] : unit.environment) {
    argv.emplace_back("--setenv=").append(name).append("=").append(value);
  }
  argv.emplace_back("--");
  for (const std::string& word : unit.argv) argv.push_back(literal(word));
}

std::string one_line(std::string output) {
  while (output.ends_with('\n')) output.pop_back();
  std::replace(output.begin(), output.end(), '\n', ' ');
  return escape(output);
}

// systemctl says this with exit status 0 for some commands in a chroot, and does nothing.
bool systemd_is_absent(const ProcessResult& result) {
  return result.output.find("not been booted with systemd") != std::string::npos ||
         result.output.find("Running in chroot, ignoring") != std::string::npos;
}

Error failure(const std::string& doing, const ProcessResult& result,
              std::string_view tool = "systemctl") {
  std::string message(tool);
  message.append(" ");
  message.append(result.passed() ? "gave no usable answer" : describe(result));
  if (!result.output.empty()) message.append(": ").append(one_line(result.output));
  Error error = Error(ErrorCode::failed, std::move(message)).with(doing);
  if (systemd_is_absent(result)) return std::move(error).hint(std::string(kHint));
  return error;
}

// A tool that somebody killed has said nothing of what becomes of its job.
Status job_result(const std::string& doing, const ProcessResult& result) {
  if (result.passed() && !systemd_is_absent(result)) return {};
  Error error = failure(doing, result);
  return fail(result.killed() ? std::move(error).as(ErrorCode::unfinished) : std::move(error));
}

constexpr std::array<std::string_view, 9> kKeys = {
    "LoadState", "ActiveState", "SubState",     "UnitFileState",   "MainPID",
    "NRestarts", "KillMode",    "ControlGroup", "NeedDaemonReload"};

std::string property_list() {
  std::string list;
  for (const std::string_view key : kKeys) list.append(list.empty() ? "" : ",").append(key);
  return list;
}

// `KEY=VALUE` lines. A line of anything else is passed over, since standard error comes in between
// (a broken /etc/ld.so.preload, for instance); a key twice is two units, and thus an error.
std::optional<std::map<std::string, std::string, std::less<>>> parse_properties(
    std::string_view text) {
  std::map<std::string, std::string, std::less<>> properties;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const std::size_t equals = line.find('=');
    const std::string_view key = line.substr(0, equals);
    if (equals == std::string_view::npos || std::ranges::find(kKeys, key) == kKeys.end()) {
      continue;
    }
    if (!properties.emplace(key, line.substr(equals + 1)).second) return std::nullopt;
  }
  return properties;
}

// Units that are no services (sockets, timers) have no such property: 0.
std::optional<std::int64_t> parse_count(std::string_view text) {
  std::int64_t number = 0;
  if (text.empty()) return number;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

// A word that we do not know is no guess: it says nothing of whether the unit runs.
std::optional<bool> parse_active(std::string_view word) {
  for (const std::string_view active : {"active", "activating", "reloading", "refreshing"}) {
    if (word == active) return true;
  }
  for (const std::string_view idle : {"inactive", "deactivating", "failed", "maintenance"}) {
    if (word == idle) return false;
  }
  return std::nullopt;
}

std::optional<UnitState> parse_state(std::string_view text) {
  const auto properties = parse_properties(text);
  if (!properties) return std::nullopt;
  const auto value = [&](std::string_view key) {
    const auto found = properties->find(key);
    return found == properties->end() ? std::string_view() : std::string_view(found->second);
  };
  const auto active = parse_active(value("ActiveState"));
  const auto main_pid = parse_count(value("MainPID"));
  const auto restart_count = parse_count(value("NRestarts"));
  // A unit that has failed and waits for its next try is "activating" to systemd (F8).
  const bool loops = value("SubState").starts_with("auto-restart");
  const std::string_view load = value("LoadState");
  if (load.empty() || !active || !main_pid || !restart_count) return std::nullopt;
  // A unit that was masked without a daemon-reload is still "loaded".
  return UnitState{.found = load != "not-found",
                   .active = *active && !loops,
                   .masked = load == "masked" || value("UnitFileState").starts_with("masked"),
                   .main_pid = *main_pid,
                   .restart_count = *restart_count,
                   .activity = std::string(value(loops ? "SubState" : "ActiveState")),
                   .enablement = std::string(value("UnitFileState")),
                   .kill_mode = std::string(value("KillMode")),
                   .control_group = std::string(value("ControlGroup")),
                   .needs_reload = value("NeedDaemonReload") == "yes"};
}

}  // namespace

Result<ProcessResult> SystemdServiceManager::run_tool(std::vector<std::string> argv,
                                                      std::int64_t timeout_ms) {
  Command command;
  command.argv = std::move(argv);
  command.environment = tool_environment();
  command.timeout_ms = timeout_ms;
  auto result = processes_.run(command);
  if (!result && result.error().system_errno() == ENOENT) {
    return fail(std::move(result).error().hint(std::string(kHint)));
  }
  return result;
}

Result<ProcessResult> SystemdServiceManager::systemctl(std::vector<std::string> arguments,
                                                       std::int64_t timeout_ms) {
  arguments.insert(arguments.begin(), "systemctl");
  return run_tool(std::move(arguments), timeout_ms);
}

// sd_booted(3); and, as systemd's own tools do, what has no /proc is taken for a chroot.
bool SystemdServiceManager::present() {
  return ::access("/run/systemd/system", F_OK) == 0 &&
         shared_with_init("root").value_or(::access("/proc/self", F_OK) == 0);
}

Result<UnitState> SystemdServiceManager::state(const std::string& unit) {
  UPDATE_TRY(check_unit_name(unit));
  const std::string doing = "asking for the state of " + unit;
  auto result = systemctl({"show", "-p", property_list(), "--", unit}, kAnswerTimeoutMs);
  if (!result) return fail(std::move(result).error().with(doing));
  const auto state = result->passed() ? parse_state(result->output) : std::nullopt;
  if (!state) return fail(failure(doing, *result));
  return *state;
}

Status SystemdServiceManager::restart(const std::string& unit, std::int64_t timeout_ms) {
  UPDATE_TRY(check_unit_name(unit));
  const std::string doing = "restarting " + unit;
  const bool limited = timeout_ms > 0;
  auto reset = systemctl({"reset-failed", "--", unit},
                         limited ? std::min(timeout_ms, kAnswerTimeoutMs) : kAnswerTimeoutMs);
  if (!reset) return fail(std::move(reset).error().with(doing));
  // It fails for a unit that is not loaded, which needs no reset; what else is wrong, the restart
  // will say. But no answer is no answer.
  if (reset->end != ProcessEnd::exited) return job_result(doing, *reset);

  const std::int64_t left_ms =
      limited ? std::max<std::int64_t>(1, timeout_ms - reset->duration_ms) : 0;
  auto result = systemctl({"restart", "--no-ask-password", "--", unit}, left_ms);
  if (!result) return fail(std::move(result).error().with(doing));
  return job_result(doing, *result);
}

Status SystemdServiceManager::reload(std::int64_t timeout_ms) {
  const std::int64_t limit = timeout_ms > 0 ? timeout_ms : kReloadTimeoutMs;
  auto result = systemctl({"daemon-reload"}, limit);
  if (!result) return fail(std::move(result).error().with("reloading systemd"));
  return job_result("reloading systemd", *result);
}

std::string SystemdServiceManager::log_end(const std::string& unit) {
  if (!check_unit_name(unit)) return {};
  // journald takes messages in at its own pace; what the unit said last matters most.
  const auto written = run_tool({"journalctl", "--sync"}, kLogTimeoutMs);
  if (!written) return {};
  const auto result = run_tool({"journalctl", "--quiet", "--no-pager", "--output=cat", "--boot",
                                "--lines=" + std::string(kLogLines), "--unit=" + unit},
                               kLogTimeoutMs);
  if (!result || !result->passed()) return {};
  return result->output.substr(result->output.size() - std::min(result->output.size(), kLogBytes));
}

Status SystemdServiceManager::check_run() {
  if (!shared_with_init("ns/mnt").value_or(::geteuid() != 0)) {
    return fail(
        Error(ErrorCode::failed,
              "this process sees other files than a unit of its own would, since it is in "
              "another mount namespace than systemd")
            .hint("run the command outside of this unit: from a session, or by systemd-run"));
  }
  // Only to wait for a unit's end systemd-run needs the bus itself, and without it says that much.
  if (::access(kBusSocket, F_OK) != 0) {
    return fail(Error(ErrorCode::failed, "a unit of its own takes D-Bus, which does not run here")
                    .hint("install the package dbus, or run the command outside of this unit"));
  }
  return {};
}

Result<UnitEnd> SystemdServiceManager::run(const TransientUnit& unit) {
  // A program that SIGINT or SIGTERM kills has failed only in a unit of this type
  // (systemd.service(5), SuccessExitStatus=).
  std::vector<std::string> argv = {
      "systemd-run",           "--quiet", "--collect", "--wait", "--pipe", "--same-dir",
      "--service-type=oneshot"};
  append_unit(argv, unit);
  const auto interrupt = [&] {
    // It fails for as long as the unit has not been made.
    const auto passed = systemctl({"kill", "--kill-who=main", "--signal=SIGINT", "--", unit.name},
                                  kAnswerTimeoutMs);
    return passed && passed->passed();
  };
  return run_attached({argv, tool_environment()}, stop_, interrupt);
}

Status SystemdServiceManager::arm(const TransientUnit& unit, std::int64_t delay_ms) {
  std::vector<std::string> argv = {"systemd-run", "--quiet", "--collect",
                                   "--on-active=" + std::to_string(delay_ms) + "ms",
                                   "--timer-property=AccuracySec=100ms"};
  append_unit(argv, unit);
  const std::string doing = "arming the timer " + unit.name;
  auto result = run_tool(std::move(argv), kAnswerTimeoutMs);
  if (!result) return fail(std::move(result).error().with(doing));
  if (!result->passed()) return fail(failure(doing, *result, "systemd-run"));
  return {};
}

Status SystemdServiceManager::disarm(const std::string& name) {
  const std::string timer = name.substr(0, name.rfind('.')) + ".timer";
  auto result = systemctl({"stop", "--", timer}, kAnswerTimeoutMs);
  if (!result) return fail(std::move(result).error().with("disarming " + timer));
  // 5: it is not loaded, so it was never armed or has fired.
  if (result->passed() || (result->end == ProcessEnd::exited && result->status == 5)) return {};
  return fail(failure("disarming " + timer, *result));
}

}  // namespace update::os
