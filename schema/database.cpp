#include "schema/database.hpp"

#include "engine/base/hex.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <utility>

namespace update {
namespace {

constexpr int kBusyTimeoutMs = 2000;
// Above anything that the engine writes; bounds what a hostile file can make us allocate.
constexpr int kMaxValueBytes = 64 << 20;
constexpr int kMaxPatternBytes = 512;
constexpr int kMaxTriggerDepth = 4;

ErrorCode code_of(int code) {
  // A reader that may not make the index of the WAL itself met an updater that is about to.
  if (code == SQLITE_READONLY_RECOVERY || code == SQLITE_READONLY_CANTINIT) return ErrorCode::busy;
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return ErrorCode::journal_damaged;
    case SQLITE_NOMEM:
    case SQLITE_FULL: return ErrorCode::no_space;
    default: return ErrorCode::failed;
  }
}

// A parameter of the URI that SQLite leaves to us: it lives as long as the connection's file name.
constexpr const char* kShownParameter = "shown";

// sqlite.org/uri.html: everything but these could mean something in a URI.
std::string encoded(const std::string& path) {
  static constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-~";
  std::string uri;
  for (const char c : path) {
    if (kPlain.find(c) != std::string_view::npos) {
      uri += c;
    } else {
      uri += '%' + to_hex(std::as_bytes(std::span(&c, 1)));
    }
  }
  return uri;
}

constexpr std::size_t kHeaderBytes = 100;

struct FileHead {
  sqlite3_int64 size = 0;
  std::array<unsigned char, kHeaderBytes> header{};
};

// Read by way of the VFS, since a descriptor of our own would drop the POSIX locks of another
// connection in this process when it is closed (fcntl(2)).
Result<FileHead> read_head(const std::string& path, const char* vfs_name,
                           const std::string& shown) {
  sqlite3_vfs* vfs = sqlite3_vfs_find(vfs_name);
  if (vfs == nullptr) return fail(ErrorCode::failed, "SQLite has no such VFS");
  const std::unique_ptr<const char, decltype(&sqlite3_free_filename)> name(
      sqlite3_create_filename(path.c_str(), "", "", 0, nullptr), &sqlite3_free_filename);
  if (!name) return fail(Error::from_errno(ENOMEM, shown));
  const std::unique_ptr<char[]> memory(new char[static_cast<std::size_t>(vfs->szOsFile)]());
  auto* file = reinterpret_cast<sqlite3_file*>(memory.get());
  FileHead head;
  int code = vfs->xOpen(vfs, name.get(), file, SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_READONLY, nullptr);
  if (code == SQLITE_OK) {
    code = file->pMethods->xFileSize(file, &head.size);
    if (code == SQLITE_OK && head.size >= static_cast<std::int64_t>(kHeaderBytes)) {
      code = file->pMethods->xRead(file, head.header.data(), kHeaderBytes, 0);
    }
  }
  const int number = code == SQLITE_OK ? 0 : vfs->xGetLastError(vfs, 0, nullptr);
  if (file->pMethods != nullptr) file->pMethods->xClose(file);
  if (code == SQLITE_OK) return head;
  if (number != 0) return fail(Error::from_errno(number, shown));
  return fail(code_of(code), shown + ": " + sqlite3_errstr(code));
}

// sqlite.org/fileformat2.html 1.3
Status check_header(const std::string& path, const char* vfs_name, OpenMode mode,
                    const std::string& shown) {
  static constexpr std::string_view kMagic("SQLite format 3\0", 16);
  UPDATE_TRY_ASSIGN(const FileHead head, read_head(path, vfs_name, shown));
  if (mode == OpenMode::create) {
    if (head.size == 0) return {};
    return fail(ErrorCode::failed, shown + ": is not empty");
  }
  if (head.size < static_cast<std::int64_t>(kHeaderBytes) ||
      std::memcmp(head.header.data(), kMagic.data(), kMagic.size()) != 0) {
    return fail(ErrorCode::journal_damaged,
                shown + ": is not a database (empty, cut off or garbage)");
  }
  std::uint32_t application = 0;
  for (std::size_t i = 68; i < 72; ++i) application = application << 8U | head.header[i];
  if (application == static_cast<std::uint32_t>(kApplicationId)) return {};
  return fail(ErrorCode::failed, shown + ": belongs to another program (application_id " +
                                     std::to_string(application) + "); it is left alone");
}

// A COMMIT that fails does not leave the system's number with the connection, but with the file.
int last_errno(sqlite3* db) {
  if (const int number = sqlite3_system_errno(db); number != 0) return number;
  for (const int pointer : {SQLITE_FCNTL_JOURNAL_POINTER, SQLITE_FCNTL_FILE_POINTER}) {
    sqlite3_file* file = nullptr;
    int number = 0;
    if (sqlite3_file_control(db, "main", pointer, &file) != SQLITE_OK || file == nullptr ||
        file->pMethods == nullptr || file->pMethods->xFileControl == nullptr) {
      continue;  // a journal kept in memory has no such call
    }
    file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &number);
    if (number != 0) return number;
  }
  return 0;
}

}  // namespace

std::string path_of(sqlite3* db) {
  const char* file = db == nullptr ? nullptr : sqlite3_db_filename(db, "main");
  if (file == nullptr) return "";
  const char* shown = sqlite3_uri_parameter(file, kShownParameter);
  return shown == nullptr ? file : shown;
}

Error sqlite_error(sqlite3* db, int code, std::string_view what) {
  std::string message = path_of(db);
  if (!message.empty()) message.append(": ");
  if (!what.empty()) message.append(what).append(": ");
  message.append(sqlite3_errmsg(db));
  message.append(" (SQLite code ").append(std::to_string(code)).append(")");
  const int primary = code & 0xff;
  // Only these two come with a number of the system's; SQLITE_FULL is made of ENOSPC alone.
  int number = 0;
  if (primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN) number = last_errno(db);
  if (primary == SQLITE_FULL) number = ENOSPC;
  // SQLite makes SQLITE_CORRUPT of a read that the disk refused (SQLITE_IOERR_CORRUPTFS): the
  // journal is not to be set aside for that.
  if (primary == SQLITE_CORRUPT && last_errno(db) == EIO) number = EIO;
  if (number != 0) return Error::from_errno(number, message);
  return Error(code_of(code), message);
}

Status Database::harden(bool runs_triggers) {
  // Our triggers use JSON functions, which SQLite before 3.41 takes for unsafe in any schema. None
  // that it would let a schema call there has an effect outside of the database.
  const bool must_trust = runs_triggers && sqlite3_libversion_number() < 3'041'000;
  struct Setting {
    int option;
    int value;
    const char* name;
  };
  const Setting settings[] = {
      {SQLITE_DBCONFIG_DEFENSIVE, 1, "DEFENSIVE"},
      {SQLITE_DBCONFIG_TRUSTED_SCHEMA, must_trust ? 1 : 0, "TRUSTED_SCHEMA"},
      {SQLITE_DBCONFIG_DQS_DML, 0, "DQS_DML"},
      {SQLITE_DBCONFIG_DQS_DDL, 0, "DQS_DDL"},
      {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, "ENABLE_LOAD_EXTENSION"},
      {SQLITE_DBCONFIG_ENABLE_FKEY, 1, "ENABLE_FKEY"},
      {SQLITE_DBCONFIG_ENABLE_TRIGGER, 1, "ENABLE_TRIGGER"},
  };
  for (const Setting& setting : settings) {
    int now = -1;
    const int code = sqlite3_db_config(handle(), setting.option, setting.value, &now);
    if (code != SQLITE_OK || now != setting.value) return fail(error(code, setting.name));
  }
  sqlite3_limit(handle(), SQLITE_LIMIT_LENGTH, kMaxValueBytes);
  sqlite3_limit(handle(), SQLITE_LIMIT_ATTACHED, 0);
  sqlite3_limit(handle(), SQLITE_LIMIT_TRIGGER_DEPTH, kMaxTriggerDepth);
  sqlite3_limit(handle(), SQLITE_LIMIT_LIKE_PATTERN_LENGTH, kMaxPatternBytes);
  sqlite3_busy_timeout(handle(), kBusyTimeoutMs);
  return {};
}

Status Database::expect(const char* pragma, std::string_view value) {
  UPDATE_TRY_ASSIGN(const std::string found, text(pragma));
  if (found == value) return {};
  return fail(ErrorCode::failed,
              std::string(pragma) + " gives '" + found + "', not '" + std::string(value) + "'");
}

// All that can be set before the first page is read. A connection that creates builds a file that
// nobody knows yet, so it syncs nothing and keeps its rollback journal in memory.
Status Database::prepare_for(OpenMode mode) {
  UPDATE_TRY(harden(mode == OpenMode::write || mode == OpenMode::create));
  UPDATE_TRY(execute("PRAGMA cell_size_check = ON"));
  UPDATE_TRY(expect("PRAGMA cell_size_check", "1"));
  // A mapped file that is cut off is a SIGBUS. A VFS that can't map says NOTFOUND.
  sqlite3_int64 mapped = 0;
  const int unmapped = sqlite3_file_control(handle(), "main", SQLITE_FCNTL_MMAP_SIZE, &mapped);
  if (unmapped != SQLITE_OK && unmapped != SQLITE_NOTFOUND)
    return fail(error(unmapped, "mmap_size"));
  if (mode == OpenMode::read_exclusive || mode == OpenMode::create) {
    UPDATE_TRY(expect("PRAGMA locking_mode = EXCLUSIVE", "exclusive"));
  }
  if (mode == OpenMode::create) {
    UPDATE_TRY(expect("PRAGMA journal_mode = MEMORY", "memory"));
    return set_synchronous(0);
  }
  int on = 1;
  int code = sqlite3_db_config(handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, &on);
  if (code != SQLITE_OK || on != 1) return fail(error(code, "NO_CKPT_ON_CLOSE"));
  if (mode != OpenMode::write) return {};
  code = sqlite3_file_control(handle(), "main", SQLITE_FCNTL_PERSIST_WAL, &on);
  if (code != SQLITE_OK) return fail(error(code, "PERSIST_WAL"));
  UPDATE_TRY(expect("PRAGMA wal_autocheckpoint = 0", "0"));
  return set_synchronous(2);
}

Status Database::use_wal() {
  return expect("PRAGMA journal_mode = WAL", "wal");
}

Result<Database> Database::open(const std::string& path, const std::string& vfs, OpenMode mode,
                                const std::string& shown_or_none) {
  if (path.find('\0') != std::string::npos) {
    return fail(ErrorCode::failed, "the path of the journal holds a NUL");
  }
  const char* vfs_name = vfs.empty() ? nullptr : vfs.c_str();
  if (vfs_name == nullptr && mode == OpenMode::read_exclusive) vfs_name = "unix-none";
  const std::string& shown = shown_or_none.empty() ? path : shown_or_none;
  UPDATE_TRY(check_header(path, vfs_name, mode, shown));

  std::string uri = "file:" + encoded(path) + "?" + kShownParameter + "=" + encoded(shown);
  int flags = SQLITE_OPEN_URI | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const bool writes = mode == OpenMode::write || mode == OpenMode::create;
  flags |= writes ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
  if (mode == OpenMode::read_immutable) uri += "&immutable=1";
  // A reader that wrote to the shared index would be killed (SIGBUS) where a full disk has no block
  // for a page of it.
  if (mode == OpenMode::read_shared) uri += "&readonly_shm=1";

  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(uri.c_str(), &raw, flags, vfs_name);
  Database database(raw);
  if (code != SQLITE_OK) return fail(database.error(code, "opening " + shown));
  UPDATE_TRY(database.prepare_for(mode));
  return database;
}

Result<Database> Database::open_in_memory() {
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(
      ":memory:", &raw,
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
      nullptr);
  Database database(raw);
  if (code != SQLITE_OK) return fail(database.error(code, "opening a database in memory"));
  UPDATE_TRY(database.harden(true));
  return database;
}

Status Database::execute(const char* sql) {
  const int code = sqlite3_exec(handle(), sql, nullptr, nullptr, nullptr);
  if (code == SQLITE_OK) return {};
  return fail(error(code, ""));
}

Result<Statement> Database::statement(const char* sql) {
  auto& slot = statements_[sql];
  if (!slot) {
    sqlite3_stmt* raw = nullptr;
    const int code =
        sqlite3_prepare_v3(handle(), sql, -1, SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
    if (code != SQLITE_OK) {
      // Our statements are right for every schema of ours, so the tables are not what they were.
      Error problem = error(code, "preparing a statement");
      return fail(code == SQLITE_ERROR ? std::move(problem).as(ErrorCode::journal_damaged)
                                       : std::move(problem));
    }
    slot.reset(raw);
  }
  if (sqlite3_stmt_busy(slot.get()) != 0) {
    return fail(ErrorCode::failed, std::string("is already in use: ") + sql);
  }
  return Statement(slot.get());
}

Result<std::int64_t> Database::integer(const char* sql) {
  UPDATE_TRY_ASSIGN(Statement use, statement(sql));
  UPDATE_TRY_ASSIGN(const bool found, use.step());
  if (!found) return fail(damaged(std::string(sql) + " gives nothing"));
  Row row = use.row();
  const std::int64_t value = row.integer(0);
  UPDATE_TRY(row.status());
  return value;
}

Result<std::string> Database::text(const char* sql) {
  UPDATE_TRY_ASSIGN(Statement use, statement(sql));
  UPDATE_TRY_ASSIGN(const bool found, use.step());
  if (!found) return fail(damaged(std::string(sql) + " gives nothing"));
  const void* bytes = sqlite3_column_text(use.handle(), 0);  // whatever its type: pragmas differ
  return std::string(bytes == nullptr ? "" : static_cast<const char*>(bytes));
}

Status Database::set_synchronous(int level) {
  if (level == synchronous_) return {};
  static constexpr const char* kLevels[] = {
      "PRAGMA synchronous = OFF", "PRAGMA synchronous = NORMAL", "PRAGMA synchronous = FULL"};
  UPDATE_TRY(execute(kLevels[level]));
  UPDATE_TRY(expect("PRAGMA synchronous", std::to_string(level)));
  synchronous_ = level;
  return {};
}

Status Database::close() {
  statements_.clear();
  const int code = sqlite3_close(handle());
  if (code != SQLITE_OK) return fail(error(code, "closing"));
  static_cast<void>(handle_.release());
  return {};
}

Error Database::damaged(const std::string& what) const {
  return Error(ErrorCode::journal_damaged, path_of(handle()) + ": " + what);
}

SqlTransaction::SqlTransaction(SqlTransaction&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)) {}

SqlTransaction::~SqlTransaction() {
  // After some errors SQLite has rolled back by itself; another ROLLBACK would only fail.
  if (database_ == nullptr || sqlite3_get_autocommit(database_->handle()) != 0) return;
  sqlite3_exec(database_->handle(), "ROLLBACK", nullptr, nullptr, nullptr);
}

Result<SqlTransaction> SqlTransaction::begin(Database& database) {
  UPDATE_TRY_ASSIGN(Statement begin, database.statement("BEGIN IMMEDIATE"));
  UPDATE_TRY(begin.run());
  return SqlTransaction(database);
}

Result<SqlTransaction> SqlTransaction::begin_reading(Database& database) {
  UPDATE_TRY_ASSIGN(Statement begin, database.statement("BEGIN"));
  UPDATE_TRY(begin.run());
  return SqlTransaction(database);
}

Status SqlTransaction::commit() {
  Status committed = [this]() -> Status {
    UPDATE_TRY_ASSIGN(Statement commit, database_->statement("COMMIT"));
    return commit.run();
  }();
  if (committed) {
    database_ = nullptr;
    return {};
  }
  return fail(std::move(committed).error().as(ErrorCode::commit_unknown).with("COMMIT"));
}

}  // namespace update
