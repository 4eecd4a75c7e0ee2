#pragma once

#include <cstdint>
#include <optional>

#include "engine/base/phase.hpp"
#include "engine/base/result.hpp"
#include "engine/base/sha256.hpp"
#include "engine/base/types.hpp"
#include "engine/os/filesystem.hpp"

// The audit chain's anchor outside the database: a journal that lost its tail is found out by it.
namespace update {

struct Head {
  std::int64_t seq = 0;  ///< of the last event
  Sha256Digest hash;     ///< of the last event
  TransactionId last_final;
  Phase outcome = Phase::committed;
};

/// Writes the slot that the newest head is not in, without a sync: a torn write leaves the other
/// slot.
Status write_head(os::Folder& state, const Head& head);

/// The newest of the valid slots; nullopt if none is (a new state folder, or a damaged file).
Result<std::optional<Head>> read_head(os::Folder& state);

/// Does it hold nothing at all: is it absent, empty, or zeros? That is what a power cut leaves of a
/// file that was never synced; anything else that is no head was made by somebody.
Result<bool> head_is_blank(os::Folder& state);

}  // namespace update
