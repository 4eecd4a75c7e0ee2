#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/os/system.hpp"
#include "tests/fake/fake_filesystem.hpp"

namespace update {

/// Programs are functions of the test, by argv[0]; any other could not be started (ENOENT).
class FakeProcessRunner final : public os::ProcessRunner {
 public:
  using Script = std::function<Result<os::ProcessResult>(const os::Command&)>;

  void on(const std::string& program, Script script) { scripts_[program] = std::move(script); }
  /// For programs that have no script of their own.
  void on_any(Script script) { any_ = std::move(script); }
  /// A script that always ends so.
  static Script exits(int status, std::string output = {});

  Result<os::ProcessResult> run(const os::Command& command) override;

  const std::vector<os::Command>& commands() const { return commands_; }
  /// argv of each, joined with blanks.
  std::vector<std::string> lines() const;

 private:
  std::map<std::string, Script> scripts_;
  Script any_;
  std::vector<os::Command> commands_;
};

/// Units with states. A restart makes a unit active with a new main process.
class FakeServiceManager final : public os::ServiceManager {
 public:
  /// A unit that is active, with a main process of its own.
  os::UnitState& add(const std::string& unit);
  /// The state to look at or change; the unit is made (not found, inactive) where there is none.
  os::UnitState& unit(const std::string& name) { return units_[name]; }
  void fail_state(const std::string& unit, Error error);
  void fail_restart(const std::string& unit, Error error);
  void heal() { state_errors_.clear(), restart_errors_.clear(); }
  /// Runs at each restart, before the unit gets its new process: it may change states, fail, or
  /// throw PowerCut.
  void on_restart(std::function<Status(const std::string& unit)> hook) { hook_ = std::move(hook); }

  void set_present(bool present) { present_ = present; }
  void set_log_end(std::string text) { log_end_ = std::move(text); }
  void fail_arm(Error error) { arm_error_ = std::move(error); }
  void fail_check_run(Error error) { check_run_error_ = std::move(error); }
  /// What becomes of a unit that is run; without it nothing can be started.
  using Run = std::function<Result<os::UnitEnd>(const os::TransientUnit&)>;
  void on_run(Run run) { run_ = std::move(run); }

  bool present() override { return present_; }
  Result<os::UnitState> state(const std::string& unit) override;
  Status reload(std::int64_t timeout_ms) override;
  Status restart(const std::string& unit, std::int64_t timeout_ms) override;
  std::string log_end(const std::string&) override { return log_end_; }
  Status check_run() override;
  Result<os::UnitEnd> run(const os::TransientUnit& unit) override;
  Status arm(const os::TransientUnit& unit, std::int64_t delay_ms) override;
  Status disarm(const std::string& name) override;

  struct Timer {
    os::TransientUnit unit;
    std::int64_t delay_ms = 0;
  };
  /// The armed timers by name; and how many were ever armed. A second one of a name is refused:
  /// the service of the first may be the one that runs.
  const std::map<std::string, Timer>& timers() const { return timers_; }
  std::size_t armed() const { return armed_; }
  std::size_t reloads() const { return reloads_; }

  /// Every unit that a restart was asked for, in order, failed ones too.
  const std::vector<std::string>& restarts() const { return restarts_; }

 private:
  std::map<std::string, os::UnitState> units_;
  std::map<std::string, Error> state_errors_;
  std::map<std::string, Error> restart_errors_;
  std::function<Status(const std::string&)> hook_;
  std::vector<std::string> restarts_;
  std::int64_t next_pid_ = 1000;
  bool present_ = false;
  std::string log_end_;
  std::optional<Error> arm_error_;
  std::optional<Error> check_run_error_;
  Run run_;
  std::map<std::string, Timer> timers_;
  std::set<std::string> armed_names_;
  std::size_t armed_ = 0;
  std::size_t reloads_ = 0;
};

class FakeStop final : public os::StopRequest {
 public:
  /// A signal arrives.
  void send(Signal signal) { pending_ = signal; }
  bool held() const { return held_; }

  Signal pending() override { return held_ ? Signal::none : pending_; }
  void hold() override { held_ = true; }
  void let_go() override {}

 private:
  Signal pending_ = Signal::none;
  bool held_ = false;
};

/// Stands still but for wait_ms() and advance_ms().
class FakeClock final : public os::Clock {
 public:
  explicit FakeClock(os::StopRequest& stop) : stop_(stop) {}

  void advance_ms(std::int64_t duration_ms);
  /// Somebody sets the wall clock; no duration may change by it (F16).
  void step_wall_us(std::int64_t by_us) { wall_us_ += by_us; }
  /// Runs at the beginning of each wait: a signal may arrive, a unit may end.
  void on_wait(std::function<void(std::int64_t duration_ms)> hook) { hook_ = std::move(hook); }
  const std::vector<std::int64_t>& waits_ms() const { return waits_ms_; }

  std::int64_t wall_us() override { return wall_us_; }
  std::int64_t monotonic_ms() override { return monotonic_ms_; }
  bool wait_ms(std::int64_t duration_ms) override;

 private:
  os::StopRequest& stop_;
  std::function<void(std::int64_t)> hook_;
  std::vector<std::int64_t> waits_ms_;
  std::int64_t wall_us_ = 1'700'000'000'000'000;
  std::int64_t monotonic_ms_ = 60'000;
};

class FakeHost final : public os::Host {
 public:
  /// Another boot id, no process of before, another pid for this one.
  void reboot();
  void set_boot_id(std::string id) { boot_id_ = std::move(id); }
  void set_user(std::uint32_t uid, std::uint32_t gid) { uid_ = uid, gid_ = gid; }
  void set_login_uid(std::optional<std::uint32_t> uid) { login_uid_ = uid; }
  void set_pid(std::int64_t pid) { pid_ = pid; }
  /// The next number; those after it count on.
  void set_random(std::uint32_t next) { next_random_ = next; }
  void add_process(std::int64_t pid, std::uint64_t start) { starts_[pid] = start; }
  void end_process(std::int64_t pid) { starts_.erase(pid); }

  std::string boot_id() override { return boot_id_; }
  std::uint32_t random_u32() override { return next_random_++; }
  std::uint32_t uid() override { return uid_; }
  std::uint32_t gid() override { return gid_; }
  std::int64_t pid() override { return pid_; }
  std::optional<std::uint64_t> process_start(std::int64_t pid) override;
  std::optional<std::uint32_t> login_uid() override { return login_uid_; }
  void end_on_lost_page(const Error& error) override { lost_page_means_ = error.code(); }
  void end_on_lost_memory(const Error& error) override { lost_memory_means_ = error.code(); }
  /// How a process would end that was stopped for want of a page (SIGBUS), or of memory, now.
  std::optional<ErrorCode> lost_page_means() const { return lost_page_means_; }
  std::optional<ErrorCode> lost_memory_means() const { return lost_memory_means_; }

 private:
  std::string boot_id_ = "00000000-0000-4000-8000-000000000001";
  std::uint64_t boots_ = 1;
  std::uint32_t next_random_ = 1;
  std::uint32_t uid_ = 0;
  std::uint32_t gid_ = 0;
  std::int64_t pid_ = 500;
  std::optional<std::uint32_t> login_uid_;
  std::optional<ErrorCode> lost_page_means_;
  std::optional<ErrorCode> lost_memory_means_;
  std::map<std::int64_t, std::uint64_t> starts_{{500, 5000}};
};

/// The processes that a test puts there.
class FakeProcessTable final : public os::ProcessTable {
 public:
  struct Process {
    std::uint64_t start = 0;
    std::string name = {};
    std::string group = {};
    std::optional<os::Executable> executable = {};
  };
  void add(std::int64_t pid, Process process) { processes_[pid] = std::move(process); }
  void remove(std::int64_t pid) { processes_.erase(pid); }
  void set_own_group(std::string group) { own_group_ = std::move(group); }
  /// Those that were ended, in order.
  const std::vector<os::ProcessId>& ended() const { return ended_; }

  std::optional<os::ProcessId> find(std::int64_t pid) override;
  std::vector<os::NamedProcess> named(const std::vector<std::string>& names) override;
  std::vector<os::NamedProcess> in_group(const std::string& control_group) override;
  std::optional<os::Executable> executable(std::int64_t pid) override;
  Result<std::unique_ptr<os::File>> open_executable(std::int64_t pid) override;
  Status end(const os::ProcessId& process, std::int64_t timeout_ms) override;
  std::string own_group() override { return own_group_; }

 private:
  std::map<std::int64_t, Process> processes_;
  std::vector<os::ProcessId> ended_;
  std::string own_group_;
};

/// Runs the work in this process, with all that it may do here.
class FakeConfinement final : public os::Confinement {
 public:
  /// From now on every child is killed so.
  void fail_with(Error error) { error_ = std::move(error); }
  std::size_t runs() const { return runs_; }

  Result<std::string> run(const os::ConfinementLimits& limits,
                          const std::function<Result<std::string>()>& work) override;

 private:
  std::optional<Error> error_;
  std::size_t runs_ = 0;
};

/// A whole machine.
struct FakeSystem {
  FakeSystem() = default;
  explicit FakeSystem(FakeDisk disk) : files(std::move(disk)) {}
  FakeSystem(const FakeSystem&) = delete;
  FakeSystem& operator=(const FakeSystem&) = delete;

  /// A power cut and the next boot. Scripts of processes, units and their states, and both clocks
  /// go on.
  void reboot(const LossPattern& pattern);

  FakeFileSystem files;
  FakeProcessRunner processes;
  FakeServiceManager services;
  FakeStop stop;
  FakeClock clock{stop};
  FakeHost host;
  FakeConfinement confinement;
  FakeProcessTable table;
  os::System system{files, processes, services, clock, host, stop, confinement, table};
};

}  // namespace update
