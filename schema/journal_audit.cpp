// The audit. It believes only the program's own migrations: it walks the chain and plays every
// event again into a fresh database in memory, whose triggers judge each event anew, and then
// compares that database's tables with those of the journal, row by row and both ways.
#include <algorithm>
#include <compare>
#include <utility>

#include "schema/database.hpp"
#include "schema/journal.hpp"
#include "schema/journal_state.hpp"
#include "schema/migrate.hpp"

namespace update {
namespace {

using Finding = std::optional<std::string>;

std::string_view bytes_of(sqlite3_stmt* row, int column) {
  const void* data = sqlite3_column_blob(row, column);
  const int size = sqlite3_column_bytes(row, column);
  if (data == nullptr) return {};
  return {static_cast<const char*>(data), static_cast<std::size_t>(size)};
}

// As SQLite sorts what our tables hold: NULL, then integers, then text by its bytes.
std::weak_ordering compare(sqlite3_stmt* left, sqlite3_stmt* right, int column) {
  const auto rank = [column](sqlite3_stmt* row) {
    const int type = sqlite3_column_type(row, column);
    return type == SQLITE_NULL ? 0 : type == SQLITE_INTEGER ? 1 : type == SQLITE_TEXT ? 2 : 3;
  };
  if (rank(left) != rank(right)) return rank(left) <=> rank(right);
  if (rank(left) == 0) return std::weak_ordering::equivalent;
  if (rank(left) == 1) {
    return sqlite3_column_int64(left, column) <=> sqlite3_column_int64(right, column);
  }
  return bytes_of(left, column) <=> bytes_of(right, column);
}

std::weak_ordering compare_first(sqlite3_stmt* left, sqlite3_stmt* right, int columns) {
  for (int column = 0; column < columns; ++column) {
    const std::weak_ordering order = compare(left, right, column);
    if (std::is_neq(order)) return order;
  }
  return std::weak_ordering::equivalent;
}

std::string first_columns(sqlite3_stmt* row, int columns) {
  std::string text;
  for (int column = 0; column < columns; ++column) {
    if (column != 0) text += ' ';
    text += bytes_of(row, column);
  }
  return text;
}

// The key of the first row that both don't have alike. `sql` gives rows in the order of their keys,
// which are the first columns.
Result<Finding> first_difference(Database& found, Database& expected, const char* sql, int keys) {
  UPDATE_TRY_ASSIGN(Statement left, found.statement(sql));
  UPDATE_TRY_ASSIGN(Statement right, expected.statement(sql));
  while (true) {
    UPDATE_TRY_ASSIGN(const bool has_left, left.step());
    UPDATE_TRY_ASSIGN(const bool has_right, right.step());
    if (!has_left && !has_right) return std::nullopt;
    if (!has_left) return Finding(first_columns(right.handle(), keys));
    if (!has_right) return Finding(first_columns(left.handle(), keys));
    const int columns = sqlite3_column_count(left.handle());
    if (columns == sqlite3_column_count(right.handle()) &&
        std::is_eq(compare_first(left.handle(), right.handle(), columns))) {
      continue;
    }
    const bool left_is_first = std::is_lt(compare_first(left.handle(), right.handle(), keys));
    return Finding(first_columns(left_is_first ? left.handle() : right.handle(), keys));
  }
}

class Audit {
 public:
  explicit Audit(Database& database) : database_(database) {}

  Result<AuditReport> run(std::int64_t schema);

 private:
  Status make_replay(std::int64_t schema);
  Status walk_chain();
  Status check_event(const Row& row);
  Status replay(const Event& event);
  Status check_anchor();
  Status check_projections();
  Status check_pages();
  Status find_loss();
  bool clean() const { return report_.finding.empty(); }
  void note(std::optional<std::int64_t> seq, std::string finding) {
    report_.first_bad_seq = seq;
    report_.finding = std::move(finding);
  }

  Database& database_;
  std::optional<Database> replay_;  ///< none where the events may mean what we don't know
  Finding schema_finding_;
  AuditReport report_;
  std::int64_t last_seq_ = 0;
  std::string last_hash_{kZeroHash};
};

Status Audit::make_replay(std::int64_t schema) {
  if (schema > newest_schema()) report_.newer_schema = schema;
  // A newer journal that we may write, we must understand: our tables are still in it.
  if (report_.newer_schema) {
    UPDATE_TRY_ASSIGN(const std::int64_t min_writer, min_writer_of(database_));
    if (min_writer > newest_schema()) return {};
  }
  UPDATE_TRY_ASSIGN(Database replay, Database::open_in_memory());
  replay_ = std::move(replay);
  const std::int64_t known = std::min(schema, newest_schema());
  UPDATE_TRY(migrate(*replay_, migrations().first(static_cast<std::size_t>(known))));
  if (!report_.newer_schema) {
    UPDATE_TRY_ASSIGN(schema_finding_,
                      first_difference(database_, *replay_,
                                       "SELECT name, type, tbl_name, sql FROM sqlite_schema"
                                       " ORDER BY name, type",
                                       1));
  }
  // Replayed events are dropped again, so that the memory does not grow with their details; and
  // what guards finished rows against others only costs time here.
  int off = 1;
  sqlite3_db_config(replay_->handle(), SQLITE_DBCONFIG_ENABLE_FKEY, 0, &off);
  UPDATE_TRY(
      replay_->execute("DROP TRIGGER IF EXISTS event_is_not_deleted;"
                       "DROP TRIGGER IF EXISTS finished_transaction_is_not_changed;"
                       "BEGIN"));
  return {};
}

Status Audit::replay(const Event& event) {
  constexpr std::int64_t kEventsAtOnce = 1000;
  if (!replay_) return {};
  if (last_seq_ == 0 && event.seq > 1) {
    UPDATE_TRY_ASSIGN(Statement anchor, replay_->statement("UPDATE anchor SET seq = ?1"));
    UPDATE_TRY(anchor.bind(event.seq - 1));
    UPDATE_TRY(anchor.run());
  }
  if (Status legal = insert_event(*replay_, event); !legal) {
    if (legal.error().code() != ErrorCode::failed) return legal;
    // What a newer program's rules make of an event is not ours to judge.
    if (report_.newer_schema) {
      replay_.reset();
      return {};
    }
    note(event.seq,
         "event " + std::to_string(event.seq) + " can't have happened: " + legal.error().message());
  }
  if (event.seq % kEventsAtOnce == 0) return replay_->execute("DELETE FROM event");
  return {};
}

Status Audit::check_event(const Row& row) {
  const Result<Event> read = read_event(row);
  const std::int64_t seq = Row(row).integer(0);
  const std::string name = "event " + std::to_string(seq);
  const bool first = report_.events == 0;
  if (first && seq > 1 && !report_.begins_after_lost_journal) {
    note(1, "the journal begins with " + name + " and does not say that an earlier one was lost");
  } else if (!first && seq != last_seq_ + 1) {
    note(last_seq_ + 1, "event " + std::to_string(last_seq_ + 1) + " is missing");
  } else if (!read) {
    note(seq, name + " can't be read: " + read.error().message());
  } else if (read->previous_hash.hex() != last_hash_) {
    note(seq, name + " does not follow from what is before it: its previous hash is another");
  } else if (hash_of(*read) != read->hash) {
    note(seq, name + " was changed: its hash is not that of its contents");
  } else {
    UPDATE_TRY(replay(*read));
    last_seq_ = seq;
    last_hash_ = read->hash.hex();
    ++report_.events;
  }
  return {};
}

Status Audit::walk_chain() {
  UPDATE_TRY_ASSIGN(Statement select,
                    database_.statement("SELECT " UPDATE_EVENT_COLUMNS " FROM event ORDER BY seq"));
  while (clean()) {
    UPDATE_TRY_ASSIGN(const bool more, select.step());
    if (!more) return {};
    UPDATE_TRY(check_event(select.row()));
  }
  return {};
}

Status Audit::find_loss() {
  UPDATE_TRY_ASSIGN(
      Statement select,
      database_.statement("SELECT seq, transaction_id IS NULL"
                          " AND iif(json_valid(detail), detail ->> '$.note', '') IS 'journal_lost'"
                          " FROM event ORDER BY seq LIMIT 1"));
  UPDATE_TRY_ASSIGN(const bool found, select.step());
  if (!found) return {};
  Row row = select.row();
  const std::int64_t seq = row.integer(0);
  if (row.integer(1) == 1) report_.begins_after_lost_journal = seq;
  return row.status();
}

Status Audit::check_anchor() {
  UPDATE_TRY_ASSIGN(Statement select, database_.statement("SELECT seq, hash FROM anchor"));
  UPDATE_TRY_ASSIGN(const bool found, select.step());
  if (!found) {
    note(std::nullopt, "the anchor row is missing");
    return {};
  }
  Row row = select.row();
  const std::int64_t seq = row.integer(0);
  const std::string hash = row.text(1);
  if (Status read = row.status(); !read) {
    note(std::nullopt, "the anchor row can't be read: " + read.error().message());
  } else if (report_.events != 0 && seq > last_seq_) {
    note(last_seq_ + 1, "the journal ends with event " + std::to_string(last_seq_) +
                            ", but its anchor says " + std::to_string(seq) +
                            ": events were cut off at its end");
  } else if (report_.events != 0 && seq < last_seq_) {
    note(seq + 1, "the anchor says that the journal ends with event " + std::to_string(seq) +
                      ", but it goes on to " + std::to_string(last_seq_));
  } else if (hash != last_hash_) {
    note(report_.events != 0 ? std::optional(seq) : std::nullopt,
         "the anchor's hash is not that of the last event");
  }
  return {};
}

Status Audit::check_projections() {
  // A newer schema may have more rows in some tables, and more columns in all.
  struct Table {
    const char* name;
    const char* rows;
    int keys;
    bool may_grow;
  };
  static constexpr Table kTables[] = {
      {"legal_transition",
       "SELECT from_phase, to_phase FROM legal_transition ORDER BY from_phase, to_phase", 2, true},
      {"compatibility", "SELECT only, min_writer FROM compatibility ORDER BY only", 1, true},
      {"transaction",
       "SELECT id, kind, from_version, to_version, phase, started_at_us, finished_at_us, verdict,"
       " error, actor, boot_id, resumptions FROM \"transaction\" ORDER BY id",
       1, false},
      {"file",
       "SELECT transaction_id, name, position, destination, old_sha256, new_sha256, size,"
       " old_identity, new_identity, committed FROM file ORDER BY transaction_id, name",
       2, false},
      {"kept", "SELECT sha256, seq FROM kept ORDER BY sha256", 1, false},
      {"anchor", "SELECT only, seq, hash, last_transaction FROM anchor ORDER BY only", 1, false},
  };
  for (const Table& table : kTables) {
    if (report_.newer_schema && table.may_grow) continue;
    // Before its first event, a journal that goes on from a lost one has only its anchor to know
    // where.
    if (report_.events == 0 && std::string_view(table.name) == "anchor") continue;
    UPDATE_TRY_ASSIGN(const Finding row,
                      first_difference(database_, *replay_, table.rows, table.keys));
    if (row) {
      note(std::nullopt,
           "table " + std::string(table.name) + ", row " + *row + ": is not what the events say");
      return {};
    }
  }
  return {};
}

Status Audit::check_pages() {
  UPDATE_TRY_ASSIGN(const std::string result, database_.text("PRAGMA integrity_check(1)"));
  if (result != "ok") note(std::nullopt, "SQLite's integrity_check: " + result);
  return {};
}

Result<AuditReport> Audit::run(std::int64_t schema) {
  UPDATE_TRY_ASSIGN(const SqlTransaction snapshot, SqlTransaction::begin_reading(database_));
  UPDATE_TRY(make_replay(schema));
  UPDATE_TRY(find_loss());
  UPDATE_TRY(walk_chain());
  if (clean()) UPDATE_TRY(check_anchor());
  if (clean() && schema_finding_) {
    note(std::nullopt, "the schema's object " + *schema_finding_ + " is missing, added or altered");
  }
  if (clean() && replay_) UPDATE_TRY(check_projections());
  if (clean()) UPDATE_TRY(check_pages());
  return report_;
}

}  // namespace

Result<AuditReport> Journal::verify() {
  return Audit(state_->database).run(state_->schema);
}

}  // namespace update
