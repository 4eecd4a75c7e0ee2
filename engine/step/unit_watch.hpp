#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/result.hpp"
#include "engine/step/step.hpp"

namespace update::step {

/// What shows that the new code runs, and goes on running (F8): a unit that was active is active,
/// its main process is another than before and stays the same one, runs the update's file, and
/// systemd has not started it again by itself. A unit that was down before the update is not looked
/// at.
class UnitWatch {
 public:
  /// Takes the present processes as those that have to stay. undone: one of them shows already that
  /// the new code does not run, or a process is gone that had to live through the restart (F13).
  static Result<UnitWatch> begin(Context& context);

  /// undone: a unit has changed since begin(), or what had to live is gone.
  Status check() const;

 private:
  struct Watched {
    std::string unit;
    std::int64_t main_pid = 0;
    std::int64_t restart_count = 0;
  };
  explicit UnitWatch(const Context& context) : context_(&context) {}

  const Context* context_;
  std::vector<Watched> watched_;
};

/// interrupted and terminated as everywhere, also where the signal ended the look at the unit.
Result<os::UnitState> state_of(const Environment& env, const std::string& unit);

/// Does this process run the file, by identity, or by its bytes where that differs? A unit may have
/// a view of the files of its own.
bool runs_file(const Environment& env, std::int64_t pid, const FileState& file);

const PlannedFile* planned_for(const Plan& plan, const std::string& destination);

}  // namespace update::step
