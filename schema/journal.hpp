#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/base/phase.hpp"
#include "engine/base/result.hpp"
#include "engine/base/sha256.hpp"
#include "engine/base/types.hpp"

// The journal: an append-only list of events, and what follows from them. An event is the only
// thing that can be written; the transactions and files that are read here are kept by the schema's
// triggers from the events' details (schema/README.md has the keys), and verify() computes them
// anew.
namespace update {

struct NewEvent {
  std::optional<TransactionId> transaction;  ///< none: a note about the journal itself
  std::optional<Phase> from;
  std::optional<Phase> to;    ///< from == to: a note inside an unfinished phase
  std::int64_t at_us = 0;     ///< wall clock, for showing
  std::string detail = "{}";  ///< one JSON object
};

struct Event {
  std::int64_t seq = 0;
  std::optional<TransactionId> transaction;
  std::optional<Phase> from;
  std::optional<Phase> to;
  std::int64_t at_us = 0;
  std::string detail;
  Sha256Digest previous_hash;
  Sha256Digest hash;
};

/// One destination of one transaction, as the journal knows it.
struct JournalFile {
  std::string name;
  std::string destination;
  std::optional<Sha256Digest> old_sha256;  ///< none: absent before, or not known yet
  std::optional<Sha256Digest> new_sha256;  ///< none: absent after
  std::uint64_t size = 0;                  ///< of the new bytes, 0 where they are absent
  std::string old_identity;  ///< what the engine wrote to know the old file again; empty: nothing
  std::string new_identity;  ///< the same of the new file, once committed
  TransactionId transaction;
};

struct TransactionRecord {
  TransactionId id;
  std::string kind;  ///< "apply" or "rollback"
  std::optional<std::string> from_version;
  std::optional<std::string> to_version;
  Phase phase = Phase::stage;
  std::optional<std::string> outcome;  ///< none while unfinished (but set in needs_operator)
  std::int64_t started_at_us = 0;
  std::optional<std::int64_t> finished_at_us;
  std::optional<std::string> verdict;  ///< passed, skipped, forced
  std::optional<std::string> error;    ///< the JSON object of the newest error of this transaction
  std::string actor = "{}";            ///< JSON object
  std::string boot_id;
  std::int64_t resumptions = 0;  ///< how often recovery took it up (notes with "resumed")
  std::vector<JournalFile> files;
};

struct HistoryFilter {
  std::size_t limit = 0;                 ///< 0: all
  std::optional<std::int64_t> since_us;  ///< by started_at
  std::optional<std::int64_t> until_us;
  std::optional<std::string> outcome;
  std::optional<std::string> version_like;  ///< shell pattern on either version
};

/// What an audit found: nothing, or the first thing that is wrong.
struct AuditReport {
  std::int64_t events = 0;
  std::optional<std::int64_t> first_bad_seq;  ///< none where no event but another row is wrong
  std::string finding;                        ///< empty: none
  std::optional<std::int64_t>
      begins_after_lost_journal;  ///< the first sequence number after the loss
  /// Newer than this program: of its rules and tables only what an older one must find in it was
  /// checked, and where that may not write it, the chain alone.
  std::optional<std::int64_t> newer_schema;
};

enum class Durability : std::uint8_t {
  visible,  ///< other processes see it; a power cut may lose it (synchronous=NORMAL)
  durable,  ///< on the disk when append() returns (synchronous=FULL)
};

/// Where a journal lies and how SQLite reaches it.
struct JournalLocation {
  std::string path;
  std::string vfs;  ///< empty: the system's own. Tests name a VFS that loses what was not synced.
  std::string shown = {};  ///< what errors call it; empty: as `path`
};

class Journal {
 public:
  Journal(Journal&&) noexcept;
  Journal& operator=(Journal&&) noexcept;
  ~Journal();

  /// Fills an empty file that exists with the newest schema, in one file without side files;
  /// nothing is durable: the caller syncs the file, then gives it its name. `first` becomes the
  /// first events, numbered from `first_seq` on; above 1 the first of them must be the note
  /// "journal_lost" (schema/README.md), or verify() misses what came before.
  static Status create(const JournalLocation& location, std::int64_t first_seq = 1,
                       std::span<const NewEvent> first = {});

  /// For reading and writing. Creates nothing but the side files. journal_damaged: SQLite cannot
  /// read it; failed: it belongs to another program (application_id); newer_journal: to a newer one
  /// whose min_writer is above ours (the message says so).
  static Result<Journal> open(const JournalLocation& location);

  /// How a reader reaches a journal that it must not change (journal.md, "Reading must always
  /// work").
  enum class ReadMode : std::uint8_t {
    immutable,  ///< no WAL with content: the file alone
    shared,     ///< an ordinary read-only connection
    exclusive,  ///< no side file can be made and nobody writes: VFS unix-none, the WAL index in
                ///< memory
  };
  static Result<Journal> open_for_reading(const JournalLocation& location, ReadMode mode);

  /// newer_journal: this program may read it but never change it.
  Status check_writable();

  /// Brings an older schema up to date, each migration in one SQL transaction. True if there was
  /// any.
  Result<bool> migrate();

  /// Adds events in one SQL transaction with their hashes. An illegal transition, a second open
  /// transaction, or a detail that is not an object is `failed`, and nothing is added.
  /// commit_unknown: see journal.md.
  Result<std::vector<Event>> append(std::span<const NewEvent> events, Durability durability);

  /// The id that the next transaction gets.
  Result<TransactionId> next_id();
  Result<std::optional<TransactionRecord>> unfinished();
  Result<std::optional<TransactionRecord>> transaction(TransactionId id);
  /// The newest transaction that was committed.
  Result<std::optional<TransactionRecord>> newest_committed();
  /// Newest first, with files.
  Result<std::vector<TransactionRecord>> list(const HistoryFilter& filter);
  Result<std::vector<Event>> events_of(TransactionId id);
  /// All events in order; stops at the first error of `each`.
  Status for_each_event(const std::function<Status(const Event&)>& each);
  Result<std::optional<Event>> last_event();
  Result<std::optional<Event>> event(std::int64_t seq);
  /// The target of the newest committed update; none before the first, and after one that was
  /// abandoned.
  Result<std::optional<std::string>> installed_version();
  /// What the newest committed transaction with an id of at most `up_to` says of a destination.
  Result<std::optional<JournalFile>> last_listing(const std::string& destination,
                                                  TransactionId up_to);
  /// What the first committed transaction with an id above `after` says of a destination.
  Result<std::optional<JournalFile>> first_listing(const std::string& destination,
                                                   TransactionId after);
  /// Each destination that a committed transaction lists.
  Result<std::vector<std::string>> destinations();
  /// The digests that were kept for a person (notes with "kept") and not pruned since.
  Result<std::vector<Sha256Digest>> kept();

  /// Recomputes every hash, the chain, the anchor row, and the transactions and files from the
  /// events. Of a newer schema, what this program knows (AuditReport::newer_schema).
  Result<AuditReport> verify();

  /// Bytes in the WAL file's frames since the last checkpoint.
  Result<std::uint64_t> wal_bytes();
  /// Moves the WAL into the database and truncates it; all that was committed is durable on return.
  Status checkpoint();

 private:
  struct State;
  explicit Journal(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace update
