#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/result.hpp"
#include "engine/transaction/environment.hpp"
#include "engine/transaction/head.hpp"
#include "engine/transaction/journal_file.hpp"
#include "engine/transaction/plan.hpp"
#include "schema/journal.hpp"

namespace update {

/// The state folder with its lock taken: nobody else changes anything while this lives.
struct LockedState {
  std::unique_ptr<os::Folder> folder;
  std::unique_ptr<os::File> lock;
};

/// nullopt: there is no state folder, and none was to be made. busy if the lock is not free within
/// `wait_ms`.
Result<std::optional<LockedState>> lock_state(const Environment& env, bool create,
                                              std::int64_t wait_ms);

/// A COMMIT that failed, and of which nothing is there or nothing depends on it: no_space or
/// failed, by what stopped it.
Error of_failed_commit(Error error);

/// The right to change things: the state folder with its lock taken, and the journal open for
/// writing. Everything that is recorded goes through it, so that a full disk and a failed COMMIT
/// are met in one place.
class Session {
 public:
  /// nullopt: there is no journal, and none was to be made (`create`). A lost journal is set aside,
  /// and a new one begins with what intent and disk say (lost_journal.hpp). not_trusted, no_space,
  /// failed.
  static Result<std::optional<Session>> open(const Environment& env, LockedState locked,
                                             bool create);

  /// Replaces a journal that SQLite could not read after all, as open() does with one whose header
  /// is bad.
  Status replace_journal();
  /// Brings the schema up to date; nothing may be unfinished.
  Status migrate();

  const Environment& env() const { return *env_; }
  os::Folder& state() { return *state_; }
  Journal& journal() { return *journal_; }

  /// Greater than every id of the journal and of the head.
  Result<TransactionId> next_id();
  /// Names the transaction in the lock file, for whoever is told "busy".
  void working_on(TransactionId id);
  /// From now on every write may give up the reserve: a recovery or a rollback must end, whatever
  /// else is full. Otherwise only outcomes and the intent to roll back may (journal.md).
  void allow_reserve() { reserve_allowed_ = true; }
  /// The recovery is over, and what begins now is an update: it leaves the reserve to its own undo.
  void keep_reserve() { reserve_allowed_ = false; }

  /// The plan, for the day on which the journal cannot be read (write_intent): durable on return.
  /// From now on a sudden end leaves an update that may be between two versions.
  Status intend(const std::string& plan_text);

  /// Adds one event. On a full disk the reserve is given up and it is tried once more.
  /// commit_unknown: it may be durable or not and cannot be found out; no file may be changed any
  /// more.
  Status record(TransactionId id, std::optional<Phase> from, Phase to, std::string detail,
                Durability durability);
  /// Adds a note inside a phase.
  Status note(TransactionId id, Phase phase, std::string detail, Durability durability) {
    return record(id, phase, phase, std::move(detail), durability);
  }
  /// Several at once: they are there together or not at all.
  Status record_all(const std::vector<NewEvent>& events, Durability durability);
  NewEvent make_event(std::optional<TransactionId> id, std::optional<Phase> from,
                      std::optional<Phase> to, std::string detail) const;

  /// The transaction as the journal has it now; none where that cannot be read (any more).
  std::optional<TransactionRecord> look_back(TransactionId id);

  /// needs_operator if the path of the state folder leads elsewhere by now: nobody would find there
  /// what is recorded here.
  Status check_in_place() const;

  /// Writes head and empties the intent, after an outcome: neither is synced, neither is an error
  /// for the update (journal.md).
  void anchor(TransactionId last_final, Phase outcome);
  /// A TRUNCATE checkpoint where the WAL has passed 1 MiB. A failure is a warning.
  void checkpoint_if_large();

 private:
  Status prepare(JournalCondition condition, bool create);
  Session(const Environment& env, LockedState locked)
      : env_(&env), state_(std::move(locked.folder)), lock_(std::move(locked.lock)) {}

  void say_what_a_sudden_end_means(bool intended);
  Status open_journal();
  Status append(const std::vector<NewEvent>& events, Durability durability);
  Status resolve_unknown_commit(const std::vector<NewEvent>& events, Durability durability,
                                Error original);
  bool may_give_up_reserve(const std::vector<NewEvent>& events) const;

  const Environment* env_;
  std::unique_ptr<os::Folder> state_;
  std::unique_ptr<os::File> lock_;
  std::optional<Journal> journal_;
  std::optional<Head> head_;
  bool reserve_allowed_ = false;
  std::int64_t last_seq_ = 0;
  std::optional<Sha256Digest> last_hash_;
};

}  // namespace update
