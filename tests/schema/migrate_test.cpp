#include "schema/migrate.hpp"

#include <cerrno>

#include "tests/schema/journal_fixture.hpp"
#include "tests/schema/sqlite_tools.hpp"
#include "tests/schema/sync_counter.hpp"

namespace update::test {
namespace {

// What a later version may ship: a table, a column, and a trigger that is replaced.
constexpr Migration kSecond = {
    "0002_second.sql",
    "CREATE TABLE second (x INTEGER) STRICT; ALTER TABLE kept ADD COLUMN reason TEXT;"
    "DROP TRIGGER event_prunes;"
    "CREATE TRIGGER event_prunes AFTER INSERT ON event WHEN NEW.transaction_id IS NULL "
    "BEGIN INSERT INTO second VALUES (NEW.seq); END;"};
constexpr Migration kThird = {"0003_third.sql",
                              "CREATE INDEX second_by_x ON second (x);"
                              "UPDATE compatibility SET min_writer = 3;"};
constexpr Migration kBroken = {"0003_broken.sql", "CREATE TABLE third (x); SELECT nonsense;"};

std::vector<Migration> shipped_and(std::initializer_list<Migration> more) {
  std::vector<Migration> list(migrations().begin(), migrations().end());
  list.insert(list.end(), more);
  return list;
}

Rows schema_of_file(const std::string& path) {
  return PlainDatabase(path).query(
      "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name");
}

Database open_for_writing(const std::string& path) {
  Database database = value_of(Database::open(path, "", OpenMode::write));
  must(database.use_wal());
  return database;
}

TEST(Migrations, EachFileIsEmbeddedWithTheWarningOnItsFirstLine) {
  ASSERT_FALSE(migrations().empty());
  std::int64_t number = 0;
  for (const Migration& migration : migrations()) {
    const std::string name = migration.name;
    EXPECT_EQ(std::stoll(name.substr(0, 4)), ++number) << name;
    const std::string sql = migration.sql;
    EXPECT_EQ(sql.substr(0, sql.find('\n')),
              "-- Shipped migrations are never edited; add the next one.")
        << name;
  }
  EXPECT_EQ(newest_schema(), number);
}

TEST(Migrations, StepByStepGivesTheSameSchemaAsAFreshOne) {
  const std::vector<Migration> all = shipped_and({kSecond, kThird});
  const JournalFolder fresh;
  ASSERT_NO_FATAL_FAILURE(make_empty_file(fresh.journal()));
  {
    Database database = value_of(Database::open(fresh.journal(), "", OpenMode::create));
    EXPECT_TRUE(value_of(migrate(database, all)));
  }
  const JournalFolder migrated;
  create_journal(migrated.journal());
  {
    Journal journal = open_journal(migrated.journal());
    add(journal, committed_run(1));
  }
  for (std::size_t count = migrations().size() + 1; count <= all.size(); ++count) {
    Database database = open_for_writing(migrated.journal());
    EXPECT_TRUE(value_of(migrate(database, std::span(all).first(count))));
    EXPECT_EQ(value_of(schema_of(database)), static_cast<std::int64_t>(count));
  }
  EXPECT_EQ(schema_of_file(migrated.journal()), schema_of_file(fresh.journal()));
  EXPECT_EQ(PlainDatabase(migrated.journal()).value("SELECT count(*) FROM event"), "6");
}

TEST(Migrations, ThereIsNothingToDoTwiceOrForANewerSchema) {
  const std::vector<Migration> all = shipped_and({kSecond});
  const JournalFolder folder;
  create_journal(folder.journal());
  Database database = open_for_writing(folder.journal());
  EXPECT_FALSE(value_of(migrate(database, migrations())));
  EXPECT_TRUE(value_of(migrate(database, all)));
  EXPECT_FALSE(value_of(migrate(database, all)));
  EXPECT_FALSE(value_of(migrate(database, migrations())));
  EXPECT_EQ(value_of(schema_of(database)), newest_schema() + 1);
}

TEST(Migrations, OneThatFailsLeavesTheSchemaOfTheOneBefore) {
  const std::vector<Migration> all = shipped_and({kSecond, kBroken});
  const JournalFolder folder;
  create_journal(folder.journal());
  {
    Database database = open_for_writing(folder.journal());
    const auto migrated = migrate(database, all);
    ASSERT_FALSE(migrated);
    EXPECT_NE(migrated.error().message().find("0003_broken.sql"), std::string::npos);
  }
  PlainDatabase database(folder.journal());
  EXPECT_EQ(database.value("PRAGMA user_version"), std::to_string(newest_schema() + 1));
  EXPECT_EQ(database.value("SELECT count(*) FROM sqlite_schema WHERE name = 'third'"), "0");
}

TEST(Migrations, NumberAndTablesAreOneCommitWhateverBecomesOfIt) {
  const JournalFolder folder;
  create_journal(folder.journal());
  {
    // A WAL that is in use, so that the sync that fails comes after all frames are written.
    Journal journal = open_journal(folder.journal());
    add(journal, begin(1), Durability::durable);
  }
  {
    Database database = open_for_writing(folder.journal());
    const FailingSync failing(EIO);
    const auto migrated = migrate(database, shipped_and({kSecond}));
    ASSERT_FALSE(migrated);
    EXPECT_EQ(migrated.error().code(), ErrorCode::commit_unknown);
  }
  PlainDatabase database(folder.journal());
  const bool has_number =
      database.value("PRAGMA user_version") == std::to_string(newest_schema() + 1);
  const bool has_table =
      database.value("SELECT count(*) FROM sqlite_schema WHERE name = 'second'") == "1";
  EXPECT_EQ(has_number, has_table);
}

TEST(Migrations, AnOlderProgramIsKeptOutOnlyByTheOneThatSaysSo) {
  const std::vector<Migration> all = shipped_and({kSecond, kThird});
  const JournalFolder folder;
  create_journal(folder.journal());
  {
    Database database = open_for_writing(folder.journal());
    must(migrate(database, std::span(all).first(all.size() - 1)).map([](bool) {}));
  }
  {
    Journal older = open_journal(folder.journal());
    add(older, begin(1));
  }
  {
    Database database = open_for_writing(folder.journal());
    must(migrate(database, all).map([](bool) {}));
  }
  EXPECT_FALSE(Journal::open({folder.journal(), ""}));
  Journal reader =
      value_of(Journal::open_for_reading({folder.journal(), ""}, Journal::ReadMode::shared));
  EXPECT_EQ(value_of(reader.unfinished())->id.value, 1);
}

TEST(Migrations, AJournalOfTheNewestSchemaNeedsNone) {
  const JournalFolder folder;
  create_journal(folder.journal());
  EXPECT_FALSE(value_of(open_journal(folder.journal()).migrate()));
}

TEST(Settings, OfAConnectionThatWrites) {
  const JournalFolder folder;
  create_journal(folder.journal());
  Database database = open_for_writing(folder.journal());
  const std::pair<const char*, const char*> pragmas[] = {
      {"PRAGMA journal_mode", "wal"},  {"PRAGMA synchronous", "2"},
      {"PRAGMA foreign_keys", "1"},    {"PRAGMA cell_size_check", "1"},
      {"PRAGMA mmap_size", "0"},       {"PRAGMA wal_autocheckpoint", "0"},
      {"PRAGMA busy_timeout", "2000"}, {"PRAGMA application_id", "1651402581"}};
  for (const auto& [pragma, expected] : pragmas) {
    EXPECT_EQ(value_of(database.text(pragma)), expected) << pragma;
  }
  const std::pair<int, int> switches[] = {{SQLITE_DBCONFIG_DEFENSIVE, 1},
                                          {SQLITE_DBCONFIG_DQS_DML, 0},
                                          {SQLITE_DBCONFIG_DQS_DDL, 0},
                                          {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
                                          {SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1}};
  for (const auto& [option, expected] : switches) {
    int now = -1;
    sqlite3_db_config(database.handle(), option, -1, &now);
    EXPECT_EQ(now, expected) << option;
  }
  int persistent = -1;
  sqlite3_file_control(database.handle(), "main", SQLITE_FCNTL_PERSIST_WAL, &persistent);
  EXPECT_EQ(persistent, 1);
  EXPECT_FALSE(database.execute("SELECT load_extension('x')"));
  EXPECT_FALSE(database.execute("ATTACH ':memory:' AS other"));
  EXPECT_FALSE(database.execute("SELECT \"not a column\""));
}

}  // namespace
}  // namespace update::test
