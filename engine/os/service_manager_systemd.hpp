#pragma once

#include "engine/os/process.hpp"
#include "engine/os/service_manager.hpp"
#include "engine/os/stop_linux.hpp"

namespace update::os {

/// systemd through systemctl(1) and systemd-run(1), which work as root before D-Bus is up, and
/// which a person can repeat. A host without systemd is an error whose hint is `[restart] command`.
class SystemdServiceManager final : public ServiceManager {
 public:
  /// `stop` tells run() of signals; without one they are left alone.
  explicit SystemdServiceManager(ProcessRunner& processes, SignalStop* stop = nullptr)
      : processes_(processes), stop_(stop) {}

  bool present() override;
  Result<UnitState> state(const std::string& unit) override;
  Status reload(std::int64_t timeout_ms) override;
  /// At the timeout systemctl is ended; the job that it asked for goes on in systemd.
  Status restart(const std::string& unit, std::int64_t timeout_ms) override;
  std::string log_end(const std::string& unit) override;
  Status check_run() override;
  Result<UnitEnd> run(const TransientUnit& unit) override;
  Status arm(const TransientUnit& unit, std::int64_t delay_ms) override;
  Status disarm(const std::string& name) override;

 private:
  Result<ProcessResult> systemctl(std::vector<std::string> arguments, std::int64_t timeout_ms);
  Result<ProcessResult> run_tool(std::vector<std::string> argv, std::int64_t timeout_ms);

  ProcessRunner& processes_;
  SignalStop* stop_;
};

}  // namespace update::os
