#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/phase.hpp"
#include "engine/base/result.hpp"
#include "engine/base/sha256.hpp"

// SQLite's C API with owners instead of pointers and Result instead of codes. Private to schema/.
namespace update {

/// The application_id of every journal of ours: the letters "bngU".
inline constexpr std::int32_t kApplicationId = 0x626e6755;

/// Of the main file; empty in memory.
std::string path_of(sqlite3* db);

/// What a failed call becomes, with the path, SQLite's words, the extended code and the system's
/// error. SQLITE_CORRUPT and NOTADB are journal_damaged, a full disk is no_space, the rest failed.
Error sqlite_error(sqlite3* db, int code, std::string_view what);

/// One row of a result. Nothing in it is believed: the first column that is not of the asked kind
/// is remembered, and status() is journal_damaged. What was read is to be used only when it is not.
class Row {
 public:
  explicit Row(sqlite3_stmt* statement) : statement_(statement) {}

  std::int64_t integer(int column);
  std::optional<std::int64_t> optional_integer(int column);
  std::uint64_t count(int column);
  std::string text(int column);
  std::optional<std::string> optional_text(int column);
  Phase phase(int column);
  std::optional<Phase> optional_phase(int column);
  Sha256Digest digest(int column);
  std::optional<Sha256Digest> optional_digest(int column);
  Status status() const;

 private:
  bool is_null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
  void note(int column, std::string_view expected);

  sqlite3_stmt* statement_;
  std::string first_wrong_;
};

/// A prepared statement while it is used. Its end resets it and lets go of what was bound.
class Statement {
 public:
  explicit Statement(sqlite3_stmt* borrowed) : handle_(borrowed) {}
  Statement(Statement&&) noexcept = default;
  Statement& operator=(Statement&&) noexcept = default;

  /// Binds all parameters in order: integers, text, phases, digests, and optionals of them.
  /// Text must live until the statement was stepped for the last time.
  template <class... Values>
  Status bind(const Values&... values) {
    int index = 0;
    int code = SQLITE_OK;
    ((code = code == SQLITE_OK ? bind_one(++index, values) : code), ...);
    return bound(code);
  }
  /// True where there is a row, false at the end.
  Result<bool> step();
  /// Steps to the end of a statement that gives no rows.
  Status run();
  Row row() const { return Row(handle_.get()); }
  sqlite3_stmt* handle() const { return handle_.get(); }

 private:
  struct Reset {
    void operator()(sqlite3_stmt* statement) const;
  };
  int bind_one(int index, std::int64_t value);
  int bind_one(int index, std::string_view text);
  int bind_one(int index, const std::optional<Phase>& phase);
  template <class T>
  int bind_one(int index, const std::optional<T>& value) {
    return value ? bind_one(index, *value) : sqlite3_bind_null(handle_.get(), index);
  }
  Status bound(int code) const;

  std::unique_ptr<sqlite3_stmt, Reset> handle_;
};

enum class OpenMode : std::uint8_t { create, write, read_immutable, read_shared, read_exclusive };

class Database {
 public:
  Database(Database&&) noexcept = default;
  Database& operator=(Database&&) noexcept = default;

  /// Opens a file that exists, with every setting that the README lists. Before SQLite sees the
  /// file its size and header are read: SQLite deletes the WAL of an empty file, and would recover
  /// the WAL of another program's.
  /// Errors call it `shown`, if that is not empty.
  static Result<Database> open(const std::string& path, const std::string& vfs, OpenMode mode,
                               const std::string& shown = "");
  static Result<Database> open_in_memory();

  /// Runs statements that take no parameters and whose rows don't matter.
  Status execute(const char* sql);
  /// Prepared at the first use and kept: `sql` must be a constant, and is used by one at a time.
  Result<Statement> statement(const char* sql);
  /// The one value of a pragma or a SELECT.
  Result<std::int64_t> integer(const char* sql);
  Result<std::string> text(const char* sql);

  /// Sets PRAGMA synchronous where it differs. Not inside a transaction.
  Status set_synchronous(int level);
  /// Makes sure of WAL mode; what is not one of ours must have been refused before.
  Status use_wal();
  /// Ends the connection. An error where SQLite could not close it.
  Status close();
  sqlite3* handle() const { return handle_.get(); }
  /// journal_damaged, for what SQLite can read and we can't use.
  Error damaged(const std::string& what) const;
  Error error(int code, std::string_view what) const {
    return sqlite_error(handle_.get(), code, what);
  }

 private:
  struct Close {
    void operator()(sqlite3* db) const { sqlite3_close(db); }
  };
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  explicit Database(sqlite3* db) : handle_(db) {}
  Status harden(bool runs_triggers);
  Status prepare_for(OpenMode mode);
  Status expect(const char* pragma, std::string_view value);

  // The statements are declared after the connection, so that they end before it.
  std::unique_ptr<sqlite3, Close> handle_;
  std::map<const char*, std::unique_ptr<sqlite3_stmt, Finalize>> statements_;
  int synchronous_ = -1;
};

/// One SQL transaction, undone at its end unless it was committed.
class SqlTransaction {
 public:
  SqlTransaction(SqlTransaction&&) noexcept;
  SqlTransaction& operator=(SqlTransaction&&) = delete;
  ~SqlTransaction();

  /// BEGIN IMMEDIATE: what is read in it is still so when it writes.
  static Result<SqlTransaction> begin(Database& database);
  /// A snapshot for several SELECTs.
  static Result<SqlTransaction> begin_reading(Database& database);
  /// commit_unknown on any error: the transaction may or may not be durable (journal.md).
  Status commit();

 private:
  explicit SqlTransaction(Database& database) : database_(&database) {}
  Database* database_;
};

}  // namespace update
