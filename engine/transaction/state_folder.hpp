#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "engine/base/result.hpp"
#include "engine/transaction/environment.hpp"

// The folder that holds the journal and the small files beside it (journal.md).
namespace update {

/// Mode of the state folder and of those in it: what they hold is root's alone.
inline constexpr std::uint32_t kPrivateFolder = 0700;

/// Opens it; nullopt if it does not exist. not_trusted if somebody else owns it or may write in it.
Result<std::optional<std::unique_ptr<os::Folder>>> find_state_folder(const Environment& env);

/// Opens it, making it (0700) and the folders above it (0755) where they are missing. Each folder
/// that this call made, or one that was killed before it could sync its name, is durable in its
/// parent on return.
Result<std::unique_ptr<os::Folder>> make_state_folder(const Environment& env);

/// Makes the files that must exist before an update needs them, intent and head, where they are
/// absent: in a new folder, and where a power cut took a name that was not synced yet. Called before
/// a session's first sync of the WAL, with which SQLite syncs the folder (unixSync in os_unix.c):
/// their names are then durable as well.
Status make_state_files(os::Folder& state);

/// The bytes that `reserve` holds back for a recovery on a full disk.
inline constexpr std::uint64_t kReserveBytes = 4U << 20;

/// Makes the reserve, or fills one that was made and not filled: no_space.
Status make_reserve(os::Folder& state);

/// Gives the reserve back to the file system; false if it was gone already.
bool release_reserve(os::Folder& state);

/// The lock of journal.md: held as long as the returned file is open, by whatever end of the
/// process released. busy, naming the holder, if it is not free within `wait_ms`. A child never
/// inherits it.
Result<std::unique_ptr<os::File>> acquire_lock(const Environment& env, os::Folder& state,
                                               std::int64_t wait_ms);

/// Writes who holds it, for the message only (F4).
void describe_holder(const Environment& env, os::File& lock, std::int64_t transaction);

/// Is nobody updating just now? Takes nothing.
bool lock_is_free(os::Folder& state);

}  // namespace update
