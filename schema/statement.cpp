// Binding, stepping and reading. What a row holds is judged here, once.
#include <array>

#include "schema/database.hpp"

namespace update {
namespace {

constexpr int kTornReads = 3;
const Sha256Digest kNoDigest(std::array<std::byte, Sha256Digest::kBytes>{});

}  // namespace

void Row::note(int column, std::string_view expected) {
  if (!first_wrong_.empty()) return;
  first_wrong_ = "column " + std::to_string(column) + " of \"" + sqlite3_sql(statement_) +
                 "\" is not " + std::string(expected);
}

Status Row::status() const {
  if (first_wrong_.empty()) return {};
  return fail(ErrorCode::journal_damaged,
              path_of(sqlite3_db_handle(statement_)) + ": " + first_wrong_);
}

std::int64_t Row::integer(int column) {
  if (sqlite3_column_type(statement_, column) != SQLITE_INTEGER) note(column, "an integer");
  return sqlite3_column_int64(statement_, column);
}

std::optional<std::int64_t> Row::optional_integer(int column) {
  if (is_null(column)) return std::nullopt;
  return integer(column);
}

std::uint64_t Row::count(int column) {
  const std::int64_t value = integer(column);
  if (value < 0) note(column, "a count");
  return static_cast<std::uint64_t>(value);
}

std::string Row::text(int column) {
  if (sqlite3_column_type(statement_, column) != SQLITE_TEXT) {
    note(column, "text");
    return {};
  }
  const void* bytes = sqlite3_column_text(statement_, column);
  if (bytes == nullptr) {
    note(column, "text that fits into memory");
    return {};
  }
  const int size = sqlite3_column_bytes(statement_, column);
  return std::string(static_cast<const char*>(bytes), static_cast<std::size_t>(size));
}

std::optional<std::string> Row::optional_text(int column) {
  if (is_null(column)) return std::nullopt;
  return text(column);
}

Phase Row::phase(int column) {
  const std::optional<Phase> known = phase_of(text(column));
  if (!known) note(column, "the name of a phase");
  return known.value_or(Phase::needs_operator);
}

std::optional<Phase> Row::optional_phase(int column) {
  if (is_null(column)) return std::nullopt;
  return phase(column);
}

Sha256Digest Row::digest(int column) {
  const Result<Sha256Digest> digest = Sha256Digest::from_hex(text(column));
  if (!digest) note(column, "a SHA-256");
  return digest.value_or(kNoDigest);
}

std::optional<Sha256Digest> Row::optional_digest(int column) {
  if (is_null(column)) return std::nullopt;
  return digest(column);
}

void Statement::Reset::operator()(sqlite3_stmt* statement) const {
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
}

int Statement::bind_one(int index, std::int64_t value) {
  return sqlite3_bind_int64(handle_.get(), index, value);
}

int Statement::bind_one(int index, std::string_view text) {
  // SQLite takes a null pointer for NULL, and an empty view may have one.
  return sqlite3_bind_text64(handle_.get(), index, text.data() == nullptr ? "" : text.data(),
                             text.size(), SQLITE_STATIC, SQLITE_UTF8);
}

int Statement::bind_one(int index, const std::optional<Phase>& phase) {
  if (!phase) return sqlite3_bind_null(handle_.get(), index);
  return bind_one(index, name_of(*phase));
}

Status Statement::bound(int code) const {
  if (code == SQLITE_OK) return {};
  return fail(sqlite_error(sqlite3_db_handle(handle_.get()), code, sqlite3_sql(handle_.get())));
}

Result<bool> Statement::step() {
  int code = sqlite3_step(handle_.get());
  // A reader that may not repair the index of the WAL takes one that was written while it was read
  // for broken. Nothing was returned yet when it does.
  for (int torn = 0; code == SQLITE_READONLY_RECOVERY && torn < kTornReads; ++torn) {
    sqlite3_reset(handle_.get());
    code = sqlite3_step(handle_.get());
  }
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return fail(sqlite_error(sqlite3_db_handle(handle_.get()), code, ""));
}

Status Statement::run() {
  while (true) {
    UPDATE_TRY_ASSIGN(const bool more, step());
    if (!more) return {};
  }
}

}  // namespace update
