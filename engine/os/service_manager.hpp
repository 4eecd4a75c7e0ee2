#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/result.hpp"

namespace update::os {

struct UnitState {
  bool found = false;   ///< the service manager has such a unit
  bool active = false;  ///< running, or starting or reloading; no crash loop between two tries
  bool masked = false;
  std::int64_t main_pid = 0;  ///< 0: none
  std::int64_t restart_count = 0;
  std::string activity = {};       ///< systemd's word: active, inactive, failed, auto-restart, ...
  std::string enablement = {};     ///< systemd's word: enabled, disabled, static, masked, ...
  std::string kill_mode = {};      ///< what a stop ends (systemd.kill(5)); empty for no service
  std::string control_group = {};  ///< of its processes; empty where it has none
  bool needs_reload = false;       ///< its files are not those that the service manager has read
};

/// A unit that is made for one command and is gone when that has ended.
struct TransientUnit {
  std::string name;
  std::string description;
  std::vector<std::string> argv;
  std::vector<std::pair<std::string, std::string>> environment;
};

/// How such a command ended.
struct UnitEnd {
  /// Its exit status, or a word of systemd's: from 200 on for one that was killed or could not be
  /// started (systemd.exec(5)), 1 for a wait that failed while the unit may go on. None: not known.
  std::optional<int> status;
  bool interrupted = false;  ///< SIGINT was passed on to it
};

/// systemd, as far as an update needs it.
class ServiceManager {
 public:
  virtual ~ServiceManager() = default;
  /// It runs on this machine, and the root folder is its own: in a chroot the units are those of
  /// other files. Everything below needs that.
  virtual bool present() = 0;
  virtual Result<UnitState> state(const std::string& unit) = 0;
  /// Reads the files of all units again. unfinished: systemctl was killed meanwhile.
  virtual Status reload(std::int64_t timeout_ms) = 0;
  /// Clears a start limit (StartLimitBurst) first, restarts, and waits for the job's result.
  /// unfinished: systemctl was killed meanwhile, and what becomes of the job is not known.
  virtual Status restart(const std::string& unit, std::int64_t timeout_ms) = 0;
  /// The newest lines of a unit's log, as they were printed; empty where there is none.
  virtual std::string log_end(const std::string& unit) = 0;
  /// Would a service that run() makes see the files that this process sees, and can it be waited
  /// for? An error says why not.
  virtual Status check_run() = 0;
  /// Runs `unit` in a service of its own, with this process's standard input, output, error and
  /// folder, and waits for its end. SIGINT is passed on to it. At SIGTERM this returns
  /// `unfinished`, and the service goes on. Any other error: nothing was started.
  virtual Result<UnitEnd> run(const TransientUnit& unit) = 0;
  /// Starts `unit` by a timer of its name once `delay_ms` have passed. The timer is gone after the
  /// next boot.
  virtual Status arm(const TransientUnit& unit, std::int64_t delay_ms) = 0;
  /// Takes such a timer back; one that is not there is no error.
  virtual Status disarm(const std::string& name) = 0;
};

}  // namespace update::os
