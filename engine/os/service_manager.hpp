#pragma once

#include <cstdint>
#include <string>

#include "engine/base/result.hpp"

namespace update::os {

struct UnitState {
  bool found = false;   ///< the service manager has such a unit
  bool active = false;  ///< running, or starting or reloading
  bool masked = false;
  std::int64_t main_pid = 0;  ///< 0: none
  std::int64_t restart_count = 0;
};

/// systemd, as far as an update needs it.
class ServiceManager {
 public:
  virtual ~ServiceManager() = default;
  virtual Result<UnitState> state(const std::string& unit) = 0;
  /// Clears a start limit (StartLimitBurst) first, restarts, and waits for the job's result.
  virtual Status restart(const std::string& unit, std::int64_t timeout_ms) = 0;
};

}  // namespace update::os
