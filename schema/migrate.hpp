#pragma once

#include <cstdint>
#include <span>

#include "schema/database.hpp"

// Brings a database up to the schema that this program knows. Private to schema/ and its tests.
namespace update {

struct Migration {
  const char* name;  ///< of its file
  const char* sql;
};

/// All that were ever shipped, oldest first: the n-th makes schema number n.
std::span<const Migration> migrations();
/// The newest schema that this program knows.
std::int64_t newest_schema();

/// The number of the schema that the database has (user_version); journal_damaged if it has none.
Result<std::int64_t> schema_of(Database& database);

/// Runs what is missing of `list`, each migration in one SQL transaction with its user_version, so
/// that a crash leaves the schema of one number or of the next. True if there was any.
Result<bool> migrate(Database& database, std::span<const Migration> list);

}  // namespace update
