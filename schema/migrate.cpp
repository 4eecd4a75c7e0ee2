#include "schema/migrate.hpp"

#include <string>

namespace update {

std::int64_t newest_schema() {
  return static_cast<std::int64_t>(migrations().size());
}

Result<std::int64_t> schema_of(Database& database) {
  UPDATE_TRY_ASSIGN(const std::int64_t number, database.integer("PRAGMA user_version"));
  if (number >= 1) return number;
  return fail(database.damaged("has no schema (user_version " + std::to_string(number) + ")"));
}

Result<bool> migrate(Database& database, std::span<const Migration> list) {
  UPDATE_TRY_ASSIGN(const std::int64_t present, database.integer("PRAGMA user_version"));
  const auto newest = static_cast<std::int64_t>(list.size());
  if (present < 0 || present >= newest) return false;
  for (std::int64_t number = present + 1; number <= newest; ++number) {
    const Migration& migration = list[static_cast<std::size_t>(number - 1)];
    UPDATE_TRY_ASSIGN(SqlTransaction transaction, SqlTransaction::begin(database));
    if (Status done = database.execute(migration.sql); !done) {
      return fail(std::move(done).error().with(migration.name));
    }
    const std::string version = "PRAGMA user_version = " + std::to_string(number);
    UPDATE_TRY(database.execute(version.c_str()));
    UPDATE_TRY(transaction.commit());
  }
  return true;
}

}  // namespace update
