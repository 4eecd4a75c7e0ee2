#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/base/result.hpp"
#include "engine/transaction/disk.hpp"
#include "engine/transaction/session.hpp"

// The old versions' bytes, by digest, in <state>/generations.
namespace update {

/// Opens the folder; nullopt if there never was a generation.
Result<std::optional<std::unique_ptr<os::Folder>>> find_generations(os::Folder& state);

/// Gives the file `name` of `folder` its name among the generations: a hard link, else a synced
/// copy. False if it was there already. The name is durable after sync_generations.
Result<bool> store_generation(Session& session, os::Folder& folder, const std::string& name,
                              const Sha256Digest& digest);
Status sync_generations(os::Folder& state);

/// The digests that `rollback --to` needs for the newest `retention` old states, the installed one
/// not counted.
Result<std::set<Sha256Digest>> digests_within_retention(Journal& journal,
                                                        const Configuration& config);

/// Removes generations that no state within the retention needs and that were not kept for a
/// person. With `kept_too` the latter go as well, each with a note in the journal. Returns what was
/// removed, and its bytes.
struct Pruned {
  std::vector<Sha256Digest> digests;
  std::uint64_t bytes = 0;
};
Result<Pruned> prune_generations(Session& session, bool kept_too);

/// Which of `digests` can be had: as a generation.
Result<bool> has_generation(os::Folder& state, const Sha256Digest& digest);

}  // namespace update
