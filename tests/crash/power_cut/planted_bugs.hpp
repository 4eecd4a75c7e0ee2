#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "tests/crash/power_cut/recording.hpp"

namespace update::crash {

/// The recording of a program that has a bug, made of the recording of one that has not.
struct PlantedBug {
  std::string name;
  Recording recording;
};

/// A sync call of the last program that was recorded: its text without the transaction's own part
/// of a name, and which of those that read alike it is, from 1.
struct SyncCall {
  std::size_t index = 0;
  std::string name;  ///< "fsync bin (2)"
};
std::vector<SyncCall> sync_calls(const Recording& recording);

/// The program forgets this one sync.
PlantedBug without(const Recording& recording, const SyncCall& sync);
/// It never syncs the journal's log: SQLite's synchronous=NORMAL, or less.
PlantedBug without_log_syncs(const Recording& recording);
/// A staged file gets its destination's name before it is synced.
PlantedBug rename_before_sync(const Recording& recording);
/// A destination is overwritten where it is, and not replaced by a rename.
PlantedBug write_in_place(const Recording& recording);
/// The files are swapped before the intent to swap is written to the journal.
PlantedBug effect_before_intent(const Recording& recording);

}  // namespace update::crash
