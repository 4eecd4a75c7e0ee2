#pragma once

#include <cstdint>
#include <string_view>

#include "schema/database.hpp"
#include "schema/journal.hpp"

// What the parts of the journal share. Private to schema/.
namespace update {

struct Journal::State {
  Database database;
  std::int64_t schema = 0;     ///< user_version; may be above what this program knows
  bool commit_failed = false;  ///< what this connection sees may be in memory only
};

inline constexpr std::string_view kZeroHash =
    "0000000000000000000000000000000000000000000000000000000000000000";

/// The columns that read_event() reads.
#define UPDATE_EVENT_COLUMNS \
  "seq, transaction_id, from_phase, to_phase, at_us, detail, previous_hash, hash"

/// The lowest schema that a program must know to write this database.
Result<std::int64_t> min_writer_of(Database& database);

Result<Event> read_event(Row row);
/// The hash of an event from all its other members (journal.md, "The hash chain").
Sha256Digest hash_of(const Event& event);
/// Adds an event as it stands; the triggers judge it.
Status insert_event(Database& database, const Event& event);

}  // namespace update
