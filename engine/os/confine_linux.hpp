#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "engine/base/result.hpp"

namespace update::os {

/// What is left to a process that is confined.
struct Cell {
  pid_t parent = 0;        ///< with whose end it ends
  std::vector<int> files;  ///< descriptors that it keeps
  int answer = -1;         ///< the one that it may write to
  bool writes = false;     ///< pwrite(2) to the files as well
  std::uint64_t address_space_bytes = 0;
  std::int64_t cpu_seconds = 0;
};

/// Takes everything else away from this process, for good: for a child that was just forked. After
/// an error it is confined in part, and has to end.
Status confine(const Cell& cell);

/// How much address space this process has (RLIMIT_AS counts the same).
Result<std::uint64_t> address_space_bytes();

}  // namespace update::os
