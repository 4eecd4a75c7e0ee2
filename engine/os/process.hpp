#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/result.hpp"

namespace update::os {

struct Command {
  std::vector<std::string>
      argv;  ///< argv[0] is an absolute path, or is looked up in `PATH` of `environment`
  std::vector<std::pair<std::string, std::string>>
      environment;                       ///< all of it: nothing is inherited
  std::int64_t timeout_ms = 0;           ///< 0: none
  std::size_t output_limit = 64 * 1024;  ///< bytes of standard output and error that are kept
};

enum class ProcessEnd : std::uint8_t { exited, signalled, timed_out, stopped };

struct ProcessResult {
  ProcessEnd end = ProcessEnd::exited;
  int status = 0;  ///< exit status, or the signal's number
  std::string
      output;  ///< raw bytes of standard output and error: the first and the last half of the limit
  std::uint64_t output_bytes = 0;  ///< how many were printed in all
  std::int64_t duration_ms = 0;

  bool passed() const { return end == ProcessEnd::exited && status == 0; }
  /// By a signal that others send: what it had to say is not known.
  bool killed() const;
};

/// "exited with status 3", "was ended by signal 11", "did not end in time".
std::string describe(const ProcessResult& result);

class ProcessRunner {
 public:
  virtual ~ProcessRunner() = default;
  /// Runs a program without a shell: standard input is empty, folder `/`, umask 022, default
  /// signals, own process group, no descriptor but 0, 1, 2. Returns when it has ended; at the
  /// timeout, or when a signal asks this process to stop (`stopped`), the whole group is killed
  /// first. What is left in the group when the program itself ends is killed too, so that output is
  /// never waited for. An error: it could not be started.
  virtual Result<ProcessResult> run(const Command& command) = 0;
};

}  // namespace update::os
