#pragma once

#include "engine/os/process.hpp"
#include "engine/os/service_manager.hpp"

namespace update::os {

/// systemd through systemctl(1), which works as root before D-Bus is up, and which a person can
/// repeat. A host without systemd is an error whose hint is `[restart] command`.
class SystemdServiceManager final : public ServiceManager {
 public:
  explicit SystemdServiceManager(ProcessRunner& processes) : processes_(processes) {}

  Result<UnitState> state(const std::string& unit) override;
  /// At the timeout systemctl is ended; the job that it asked for goes on in systemd.
  Status restart(const std::string& unit, std::int64_t timeout_ms) override;

 private:
  Result<ProcessResult> systemctl(std::vector<std::string> arguments, std::int64_t timeout_ms);

  ProcessRunner& processes_;
};

}  // namespace update::os
