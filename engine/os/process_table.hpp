#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/result.hpp"
#include "engine/os/filesystem.hpp"

namespace update::os {

/// One process of this boot, and no later one that gets its number.
struct ProcessId {
  std::int64_t pid = 0;
  std::uint64_t start = 0;  ///< clock ticks after boot
  auto operator<=>(const ProcessId&) const = default;
};

struct NamedProcess {
  ProcessId id;
  std::string name;  ///< as the kernel keeps it: cut off after 15 bytes (proc(5), comm)
};

/// What a process executes.
struct Executable {
  std::string path;  ///< the name by which it was started; by now another file may have it
  FileIdentity identity;
};

/// The other processes of this machine.
class ProcessTable {
 public:
  virtual ~ProcessTable() = default;
  /// This boot's process with that number, a zombie not counted.
  virtual std::optional<ProcessId> find(std::int64_t pid) = 0;
  /// Those of one of these names, of which the kernel compares 15 bytes.
  virtual std::vector<NamedProcess> named(const std::vector<std::string>& names) = 0;
  /// Those in a control group and below it; `control_group` is systemd's word for it
  /// (ControlGroup=).
  virtual std::vector<NamedProcess> in_group(const std::string& control_group) = 0;
  /// nullopt: gone, or it is not to be looked at.
  virtual std::optional<Executable> executable(std::int64_t pid) = 0;
  /// The bytes that it executes, whatever became of the file's name.
  virtual Result<std::unique_ptr<File>> open_executable(std::int64_t pid) = 0;
  /// SIGKILL for this very process (pidfd_send_signal(2)), a stopped one too, and waits for its
  /// end. One that is gone already is no error.
  virtual Status end(const ProcessId& process, std::int64_t timeout_ms) = 0;
  /// The control group of this process, as systemd's ControlGroup= has it; empty where there is
  /// none.
  virtual std::string own_group() = 0;
};

}  // namespace update::os
