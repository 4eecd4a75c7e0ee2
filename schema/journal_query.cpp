// Reading. No query walks the whole journal, except for `list` where its filter matches few.
#include <fnmatch.h>

#include <limits>
#include <utility>

#include "schema/database.hpp"
#include "schema/journal.hpp"
#include "schema/journal_state.hpp"

namespace update {
namespace {

#define UPDATE_TRANSACTION_COLUMNS                                                             \
  "id, kind, from_version, to_version, phase, started_at_us, finished_at_us, verdict, error, " \
  "actor, boot_id, resumptions"
#define UPDATE_FILE_COLUMNS \
  "name, destination, old_sha256, new_sha256, size, old_identity, new_identity, transaction_id"

bool is_outcome(Phase phase) {
  return is_final(phase) || phase == Phase::needs_operator;
}

Result<JournalFile> read_file(Row row) {
  JournalFile file;
  file.name = row.text(0);
  file.destination = row.text(1);
  file.old_sha256 = row.optional_digest(2);
  file.new_sha256 = row.optional_digest(3);
  file.size = row.count(4);
  file.old_identity = row.text(5);
  file.new_identity = row.text(6);
  file.transaction = TransactionId{row.integer(7)};
  UPDATE_TRY(row.status());
  return file;
}

Result<std::vector<JournalFile>> files_of(Database& database, TransactionId id) {
  UPDATE_TRY_ASSIGN(Statement select,
                    database.statement("SELECT " UPDATE_FILE_COLUMNS
                                       " FROM file WHERE transaction_id = ?1 ORDER BY position"));
  UPDATE_TRY(select.bind(id.value));
  std::vector<JournalFile> files;
  while (true) {
    UPDATE_TRY_ASSIGN(const bool more, select.step());
    if (!more) return files;
    UPDATE_TRY_ASSIGN(JournalFile file, read_file(select.row()));
    files.push_back(std::move(file));
  }
}

Result<TransactionRecord> read_transaction(Database& database, Row row) {
  TransactionRecord record;
  record.id = TransactionId{row.integer(0)};
  record.kind = row.text(1);
  record.from_version = row.optional_text(2);
  record.to_version = row.optional_text(3);
  record.phase = row.phase(4);
  record.started_at_us = row.integer(5);
  record.finished_at_us = row.optional_integer(6);
  record.verdict = row.optional_text(7);
  record.error = row.optional_text(8);
  record.actor = row.text(9);
  record.boot_id = row.text(10);
  record.resumptions = row.integer(11);
  UPDATE_TRY(row.status());
  if (is_outcome(record.phase)) record.outcome = name_of(record.phase);
  UPDATE_TRY_ASSIGN(record.files, files_of(database, record.id));
  return record;
}

// A transaction and its files are read in one snapshot, so that they are of one moment.
template <class... Values>
Result<std::optional<TransactionRecord>> one_transaction(Database& database, const char* sql,
                                                         const Values&... values) {
  UPDATE_TRY_ASSIGN(const SqlTransaction snapshot, SqlTransaction::begin_reading(database));
  UPDATE_TRY_ASSIGN(Statement select, database.statement(sql));
  UPDATE_TRY(select.bind(values...));
  UPDATE_TRY_ASSIGN(const bool found, select.step());
  if (!found) return std::nullopt;
  UPDATE_TRY_ASSIGN(TransactionRecord record, read_transaction(database, select.row()));
  return std::optional(std::move(record));
}

Result<std::optional<JournalFile>> one_file(Database& database, const char* sql,
                                            const std::string& destination, TransactionId id) {
  UPDATE_TRY_ASSIGN(Statement select, database.statement(sql));
  UPDATE_TRY(select.bind(std::string_view(destination), id.value));
  UPDATE_TRY_ASSIGN(const bool found, select.step());
  if (!found) return std::nullopt;
  UPDATE_TRY_ASSIGN(JournalFile file, read_file(select.row()));
  return std::optional(std::move(file));
}

}  // namespace

Result<TransactionId> Journal::next_id() {
  UPDATE_TRY_ASSIGN(const std::int64_t last,
                    state_->database.integer("SELECT last_transaction FROM anchor"));
  if (last < 0 || last == std::numeric_limits<std::int64_t>::max()) {
    return fail(state_->database.damaged("the anchor holds an id that none can follow"));
  }
  return TransactionId{last + 1};
}

Result<std::optional<TransactionRecord>> Journal::unfinished() {
  return one_transaction(state_->database,
                         "SELECT " UPDATE_TRANSACTION_COLUMNS
                         " FROM \"transaction\" INDEXED BY one_unfinished_transaction"
                         " WHERE finished_at_us IS NULL");
}

Result<std::optional<TransactionRecord>> Journal::transaction(TransactionId id) {
  return one_transaction(state_->database,
                         "SELECT " UPDATE_TRANSACTION_COLUMNS " FROM \"transaction\" WHERE id = ?1",
                         id.value);
}

Result<std::optional<TransactionRecord>> Journal::newest_committed() {
  return one_transaction(
      state_->database, "SELECT " UPDATE_TRANSACTION_COLUMNS
                        " FROM \"transaction\" WHERE phase = 'committed' ORDER BY id DESC LIMIT 1");
}

namespace {

/// Matched here, since the pattern is one of the shell: SQLite's GLOB knows neither `[!3]` nor `\`,
/// and refuses a long one.
bool has_version_like(const TransactionRecord& record, const std::optional<std::string>& pattern) {
  if (!pattern) return true;
  const auto matches = [&](const std::optional<std::string>& version) {
    return version && ::fnmatch(pattern->c_str(), version->c_str(), 0) == 0;
  };
  return matches(record.from_version) || matches(record.to_version);
}

}  // namespace

Result<std::vector<TransactionRecord>> Journal::list(const HistoryFilter& filter) {
#define UPDATE_LIST_REST                     \
  " (?2 IS NULL OR started_at_us >= ?2)"     \
  " AND (?3 IS NULL OR started_at_us <= ?3)" \
  " ORDER BY id DESC"
  static constexpr const char* kAll = "SELECT " UPDATE_TRANSACTION_COLUMNS
                                      " FROM \"transaction\" WHERE ?1 IS NULL AND" UPDATE_LIST_REST;
  static constexpr const char* kWithOutcome = "SELECT " UPDATE_TRANSACTION_COLUMNS
                                              " FROM \"transaction\" WHERE phase = ?1"
                                              " AND" UPDATE_LIST_REST;
#undef UPDATE_LIST_REST
  std::optional<Phase> outcome;
  if (filter.outcome) {
    outcome = phase_of(*filter.outcome);
    if (!outcome || !is_outcome(*outcome)) {
      return fail(ErrorCode::usage, "no such outcome: " + *filter.outcome);
    }
  }
  Database& database = state_->database;
  UPDATE_TRY_ASSIGN(const SqlTransaction snapshot, SqlTransaction::begin_reading(database));
  UPDATE_TRY_ASSIGN(Statement select, database.statement(outcome ? kWithOutcome : kAll));
  UPDATE_TRY(select.bind(outcome, filter.since_us, filter.until_us));
  std::vector<TransactionRecord> records;
  while (filter.limit == 0 || records.size() < filter.limit) {
    UPDATE_TRY_ASSIGN(const bool more, select.step());
    if (!more) break;
    UPDATE_TRY_ASSIGN(TransactionRecord record, read_transaction(database, select.row()));
    if (has_version_like(record, filter.version_like)) records.push_back(std::move(record));
  }
  return records;
}

Result<std::vector<Event>> Journal::events_of(TransactionId id) {
  UPDATE_TRY_ASSIGN(Statement select, state_->database.statement(
                                          "SELECT " UPDATE_EVENT_COLUMNS
                                          " FROM event WHERE transaction_id = ?1 ORDER BY seq"));
  UPDATE_TRY(select.bind(id.value));
  std::vector<Event> events;
  while (true) {
    UPDATE_TRY_ASSIGN(const bool more, select.step());
    if (!more) return events;
    UPDATE_TRY_ASSIGN(Event event, read_event(select.row()));
    events.push_back(std::move(event));
  }
}

Status Journal::for_each_event(const std::function<Status(const Event&)>& each) {
  UPDATE_TRY_ASSIGN(Statement select, state_->database.statement("SELECT " UPDATE_EVENT_COLUMNS
                                                                 " FROM event ORDER BY seq"));
  while (true) {
    UPDATE_TRY_ASSIGN(const bool more, select.step());
    if (!more) return {};
    UPDATE_TRY_ASSIGN(const Event event, read_event(select.row()));
    UPDATE_TRY(each(event));
  }
}

namespace {

Result<std::optional<Event>> first_event(Statement& select) {
  UPDATE_TRY_ASSIGN(const bool found, select.step());
  if (!found) return std::nullopt;
  UPDATE_TRY_ASSIGN(Event event, read_event(select.row()));
  return std::optional(std::move(event));
}

}  // namespace

Result<std::optional<Event>> Journal::last_event() {
  UPDATE_TRY_ASSIGN(Statement select,
                    state_->database.statement("SELECT " UPDATE_EVENT_COLUMNS
                                               " FROM event ORDER BY seq DESC LIMIT 1"));
  return first_event(select);
}

Result<std::optional<Event>> Journal::event(std::int64_t seq) {
  UPDATE_TRY_ASSIGN(Statement select, state_->database.statement("SELECT " UPDATE_EVENT_COLUMNS
                                                                 " FROM event WHERE seq = ?"));
  UPDATE_TRY(select.bind(seq));
  return first_event(select);
}

Result<std::optional<std::string>> Journal::installed_version() {
  // Transactions never overlap, so the one with the higher id also ended later.
  UPDATE_TRY_ASSIGN(
      Statement select,
      state_->database.statement(
          "SELECT phase, to_version FROM \"transaction\" WHERE id = max("
          "coalesce((SELECT max(id) FROM \"transaction\" WHERE phase = 'committed'), 0), "
          "coalesce((SELECT max(id) FROM \"transaction\" WHERE phase = 'abandoned'), 0))"));
  UPDATE_TRY_ASSIGN(const bool found, select.step());
  if (!found) return std::nullopt;
  Row row = select.row();
  const Phase phase = row.phase(0);
  std::optional<std::string> version = row.optional_text(1);
  UPDATE_TRY(row.status());
  if (phase == Phase::abandoned) return std::nullopt;
  return version;
}

Result<std::optional<JournalFile>> Journal::last_listing(const std::string& destination,
                                                         TransactionId up_to) {
  return one_file(state_->database,
                  "SELECT " UPDATE_FILE_COLUMNS
                  " FROM file WHERE destination = ?1 AND transaction_id <= ?2 AND committed = 1"
                  " ORDER BY transaction_id DESC LIMIT 1",
                  destination, up_to);
}

Result<std::optional<JournalFile>> Journal::first_listing(const std::string& destination,
                                                          TransactionId after) {
  return one_file(state_->database,
                  "SELECT " UPDATE_FILE_COLUMNS
                  " FROM file WHERE destination = ?1 AND transaction_id > ?2 AND committed = 1"
                  " ORDER BY transaction_id LIMIT 1",
                  destination, after);
}

Result<std::vector<std::string>> Journal::destinations() {
  // From one to the next by the index: SELECT DISTINCT would walk through all of a long history.
  UPDATE_TRY_ASSIGN(
      Statement select,
      state_->database.statement(
          "WITH RECURSIVE listed (destination) AS ("
          " SELECT min(destination) FROM file WHERE committed = 1"
          " UNION ALL SELECT (SELECT min(file.destination) FROM file WHERE committed = 1"
          "  AND file.destination > listed.destination) FROM listed"
          " WHERE listed.destination IS NOT NULL)"
          " SELECT destination FROM listed WHERE destination IS NOT NULL"));
  std::vector<std::string> destinations;
  while (true) {
    UPDATE_TRY_ASSIGN(const bool more, select.step());
    if (!more) return destinations;
    Row row = select.row();
    destinations.push_back(row.text(0));
    UPDATE_TRY(row.status());
  }
}

Result<std::vector<Sha256Digest>> Journal::kept() {
  UPDATE_TRY_ASSIGN(Statement select,
                    state_->database.statement("SELECT sha256 FROM kept ORDER BY seq"));
  std::vector<Sha256Digest> digests;
  while (true) {
    UPDATE_TRY_ASSIGN(const bool more, select.step());
    if (!more) return digests;
    Row row = select.row();
    const Sha256Digest digest = row.digest(0);
    UPDATE_TRY(row.status());
    digests.push_back(digest);
  }
}

}  // namespace update
