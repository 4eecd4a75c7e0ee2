#include <functional>

#include "tests/schema/journal_fixture.hpp"
#include "tests/schema/sqlite_tools.hpp"

namespace update::test {
namespace {

// What an editor leaves where the schema's checks were taken away first.
TEST(HostileJournal, AHostileValueIsDamageAndNeverMore) {
  const JournalFolder folder;
  create_journal(folder.journal());
  {
    Journal journal = open_journal(folder.journal());
    add(journal, committed_run(1));
    add(journal, begin(2));
  }
  struct Hostile {
    const char* sql;
    std::function<std::optional<ErrorCode>(Journal&)> read;
  };
  const auto code = [](const auto& result) {
    return result ? std::nullopt : std::optional(result.error().code());
  };
  const auto unfinished = [&](Journal& j) { return code(j.unfinished()); };
  const Hostile cases[] = {
      {"UPDATE \"transaction\" SET phase = 'nonsense' WHERE id = 2", unfinished},
      {"UPDATE \"transaction\" SET phase = '' WHERE id = 2", unfinished},
      {"UPDATE file SET old_sha256 = 'short' WHERE transaction_id = 2", unfinished},
      {"UPDATE file SET new_sha256 = upper(new_sha256) WHERE transaction_id = 2", unfinished},
      {"UPDATE file SET size = -1 WHERE transaction_id = 2", unfinished},
      {"UPDATE event SET hash = '' WHERE seq = 7",
       [&](Journal& j) { return code(j.last_event()); }},
      {"UPDATE event SET from_phase = 'nonsense' WHERE seq = 7",
       [&](Journal& j) { return code(j.events_of({2})); }},
      {"UPDATE anchor SET last_transaction = 9223372036854775807",
       [&](Journal& j) { return code(j.next_id()); }},
      {"INSERT INTO kept VALUES ('../..', 1)", [&](Journal& j) { return code(j.kept()); }},
  };
  for (const Hostile& hostile : cases) {
    const JournalFolder copy;
    for (const char* name : {"journal.db", "journal.db-wal"}) {
      std::filesystem::copy_file(folder / name, copy / name);
    }
    PlainDatabase(copy.journal()).tamper(hostile.sql);
    Journal journal = open_journal(copy.journal());
    EXPECT_EQ(hostile.read(journal), ErrorCode::journal_damaged) << hostile.sql;
  }
}

TEST(HostileJournal, AMissingTableIsDamage) {
  const JournalFolder folder;
  create_journal(folder.journal());
  PlainDatabase(folder.journal()).tamper("ALTER TABLE kept RENAME TO gone");
  Journal journal = open_journal(folder.journal());
  const auto kept = journal.kept();
  ASSERT_FALSE(kept);
  EXPECT_EQ(kept.error().code(), ErrorCode::journal_damaged);
}

}  // namespace
}  // namespace update::test
