#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/result.hpp"
#include "engine/transaction/disk.hpp"
#include "engine/transaction/session.hpp"

// The old versions' bytes, by digest, in <state>/generations.
namespace update {

/// Opens the folder; nullopt if there never was a generation.
Result<std::optional<std::unique_ptr<os::Folder>>> find_generations(os::Folder& state);

/// Gives the file `name` of `folder`, whose bytes have this digest, its name among the generations:
/// a hard link, else (and always for set-id and capability files, whose privilege must not live on)
/// a synced copy. False if it was there already. The name is durable after sync_generations.
Result<bool> store_generation(Session& session, os::Folder& folder, const std::string& name,
                              const Sha256Digest& digest);
Status sync_generations(os::Folder& state);

/// Removes generations that no state within the retention needs. Returns what was removed, and its
/// bytes; what had been kept for a person gets a note in the journal.
struct Pruned {
  std::vector<Sha256Digest> digests;
  std::uint64_t bytes = 0;
};
enum class Prune : std::uint8_t {
  old_versions,  ///< only what this journal knows as a version: after a lost journal the rest may
                 ///< be somebody's only copy
  everything,    ///< also what was kept for a person, and what nobody knows: the command `prune`
};
Result<Pruned> prune_generations(Session& session, Prune what);

/// Is there a generation of this digest?
Result<bool> has_generation(os::Folder& state, const Sha256Digest& digest);

}  // namespace update
