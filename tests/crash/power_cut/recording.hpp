#pragma once

#include <string>
#include <vector>

#include "tests/crash/power_cut/operation.hpp"
#include "tests/scenario/process.hpp"

namespace update::crash {

/// A program that is recorded, and what strace does to it meanwhile: "rename:signal=KILL:when=2".
struct Traced {
  scenario::Arguments command;
  std::string injection = {};
};

/// What programs did to some folders, one after the other, and what these held before.
struct Recording {
  std::string root;
  std::vector<std::string> folders;  ///< below the root; all else stays as it is
  Disk before;  ///< with an inode, yet empty, for each file and folder that is made later
  std::vector<Operation> operations;
  /// The power is not cut before the last program was started; but what the earlier ones did not
  /// sync may still be lost then.
  std::size_t last_begins = 0;
  scenario::Ended ended;  ///< the last of them
};

/// Runs programs under strace and records them. Fails the test where the recording cannot be
/// trusted: if a call that changes something was not understood, or if playing the operations does
/// not give, name by name and byte by byte, what was left on the real disk.
Recording record_operations(const std::string& root, const std::vector<std::string>& folders,
                            const std::vector<Traced>& programs);

/// The disk after the first `fates.size()` operations, each with its fate.
Disk play(const Recording& recording, const std::vector<Fate>& fates);

}  // namespace update::crash
