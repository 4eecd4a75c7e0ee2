#pragma once

#include <optional>
#include <string>

#include "engine/base/result.hpp"
#include "engine/os/filesystem.hpp"

// The plan without SQLite, for the day on which the journal cannot be read.
namespace update {

/// Overwrites the intent file in place and syncs it; durable on return. The file exists, with a
/// durable name (make_state_files).
Status write_intent(os::Folder& state, const std::string& plan_text);

/// Says that nothing is intended any more. Not synced: after a power cut a full intent beside a
/// final transaction is normal.
Status clear_intent(os::Folder& state);

/// Does anything stand there, whole or not? While it does, an update may be between two versions.
Result<bool> is_intended(os::Folder& state);

/// The plan's text; nullopt if the file is absent, empty, cut off, or its checksum is wrong: an
/// intent that was not written whole was never relied on, since the first rename comes after its
/// sync.
Result<std::optional<std::string>> read_intent(os::Folder& state);

}  // namespace update
