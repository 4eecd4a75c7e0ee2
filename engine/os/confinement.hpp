#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/base/result.hpp"
#include "engine/os/filesystem.hpp"

namespace update::os {

/// What a confined child may use.
struct ConfinementLimits {
  std::vector<File*> files;  ///< the open files that it keeps, for reading at any offset
  bool writes = false;       ///< and for writing
  std::uint64_t memory_bytes = 64U << 20;  ///< more than what the caller has by then
  std::int64_t cpu_seconds = 20;
  std::uint64_t answer_bytes = 48U << 20;
};

/// Runs code on data that may be made to do harm where it can harm nobody.
class Confinement {
 public:
  virtual ~Confinement() = default;
  /// `work` in a forked child (fork(2)) that has a copy of all memory, the named files, no other
  /// descriptor, no privilege (another user and group where the caller is root, no_new_privs), and
  /// only the system calls for memory and for those files (seccomp(2)); its answer comes through a
  /// pipe. An error of `work` is returned as it is. A child that was killed by a signal is
  /// not_trusted, one that met a limit is failed, and says which. Not for a process that has
  /// threads.
  virtual Result<std::string> run(const ConfinementLimits& limits,
                                  const std::function<Result<std::string>()>& work) = 0;
};

}  // namespace update::os
