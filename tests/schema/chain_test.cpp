#include <functional>

#include "tests/schema/journal_fixture.hpp"
#include "tests/schema/sqlite_tools.hpp"

namespace update::test {
namespace {

// The chain as the design words it, without a line of the program's.
std::string field(const std::optional<std::string>& text) {
  const std::uint64_t length = text ? text->size() : 0xffff'ffff'ffff'ffffU;
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(length >> shift & 0xffU);
  return bytes + text.value_or("");
}
std::optional<std::string> nullable(const std::string& value) {
  return value == "NULL" ? std::nullopt : std::optional(value);
}
std::string hash_of_row(const std::string& previous_hex, const std::vector<std::string>& row) {
  std::string bytes;
  for (std::size_t i = 0; i < previous_hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(previous_hex.substr(i, 2), nullptr, 16));
  }
  for (std::size_t i = 0; i < 6; ++i) bytes += field(nullable(row[i]));
  return sha256_of(bytes).hex();
}

constexpr const char* kRowsInOrder =
    "SELECT seq, transaction_id, at_us, from_phase, to_phase, detail, previous_hash, hash"
    " FROM event ORDER BY seq";

// Three transactions, notes, and a kept digest: 16 events.
void fill(const std::string& path) {
  create_journal(path);
  Journal journal = open_journal(path);
  Plan plan;
  plan.files.push_back({"bangerd", "/usr/local/bin/bangerd"});
  add(journal, committed_run(1, plan));
  add(journal, discarded_run(2));
  add(journal, begin(3));
  add(journal, note(3, Phase::stage, R"({"note":"resumed"})"));
  add(journal, step(3, Phase::stage, Phase::needs_operator,
                    R"({"error":{"code":4,"name":"needs_operator","message":"m","hint":null}})"));
  add(journal,
      note(3, Phase::needs_operator, R"({"note":"kept","sha256":")" + hex_of('c') + "\"}"));
  add(journal, step(3, Phase::needs_operator, Phase::abandoned));
  add(journal, journal_note(R"({"note":"looked at"})"));
  add(journal, begin(4));
}

AuditReport audit(const std::string& path) {
  return value_of(open_journal(path).verify());
}

TEST(HashChain, OfOneEventIsTheOneThatAnotherProgramComputed) {
  const JournalFolder folder;
  create_journal(folder.journal());
  Journal journal = open_journal(folder.journal());
  NewEvent event = journal_note("{\"note\":\"gr\xc3\xbc\xc3\x9f\"}");
  event.at_us = 1'000'000;
  const Event added = add(journal, event).front();
  // Python: sha256(32 zero bytes + the fields as >Q length and bytes)
  EXPECT_EQ(added.hash.hex(), "de9137ad441d6128c1fc0def90a7c845921b6f63339ec344733c9d55a1dfc2ff");
  EXPECT_EQ(added.previous_hash.hex(), hex_of('0'));
}

TEST(HashChain, IsWhatTheDesignSaysForEveryEvent) {
  const JournalFolder folder;
  fill(folder.journal());
  PlainDatabase database(folder.journal());
  std::string previous = hex_of('0');
  const Rows rows = database.query(kRowsInOrder);
  ASSERT_EQ(rows.size(), 16U);
  for (const auto& row : rows) {
    EXPECT_EQ(row[6], previous) << "event " << row[0];
    EXPECT_EQ(row[7], hash_of_row(previous, row)) << "event " << row[0];
    previous = row[7];
  }
  EXPECT_EQ(database.value("SELECT seq || ' ' || hash FROM anchor"), "16 " + previous);
}

TEST(Verify, FindsNothingInAJournalThatNobodyTouched) {
  const JournalFolder folder;
  create_journal(folder.journal());
  EXPECT_EQ(audit(folder.journal()).finding, "");
  EXPECT_EQ(audit(folder.journal()).events, 0);

  const JournalFolder full;
  fill(full.journal());
  const AuditReport report = audit(full.journal());
  EXPECT_EQ(report.finding, "");
  EXPECT_EQ(report.events, 16);
  EXPECT_EQ(report.first_bad_seq, std::nullopt);
  EXPECT_EQ(report.begins_after_lost_journal, std::nullopt);
}

struct Tampering {
  const char* name;
  const char* sql;
  std::optional<std::int64_t> first_bad;
  const char* finding;  ///< a part of it
};

class Tampered : public ::testing::TestWithParam<Tampering> {};

TEST_P(Tampered, IsFoundAndTheFirstBadEventIsNamed) {
  const JournalFolder folder;
  fill(folder.journal());
  PlainDatabase(folder.journal()).tamper(GetParam().sql);
  const AuditReport report = audit(folder.journal());
  EXPECT_NE(report.finding.find(GetParam().finding), std::string::npos) << report.finding;
  EXPECT_EQ(report.first_bad_seq, GetParam().first_bad) << report.finding;
}

const Tampering kTamperings[] = {
    {"Detail", "UPDATE event SET detail = '{}' WHERE seq = 7", 7, "event 7 was changed"},
    {"BlankInADetail", "UPDATE event SET detail = ' ' || detail WHERE seq = 3", 3, "event 3"},
    {"Time", "UPDATE event SET at_us = at_us + 1 WHERE seq = 2", 2, "event 2 was changed"},
    {"Phase", "UPDATE event SET to_phase = 'restart' WHERE seq = 3", 3, "event 3 was changed"},
    {"TransactionOfAnEvent", "UPDATE event SET transaction_id = 2 WHERE seq = 4", 4, "event 4"},
    {"HashOfAnEvent", "UPDATE event SET hash = replace(hash, 'a', 'b') WHERE seq = 5", 5,
     "event 5"},
    {"HashThatIsNone", "UPDATE event SET hash = 'short' WHERE seq = 5", 5, "event 5 can't be read"},
    {"PhaseThatIsNone", "UPDATE event SET to_phase = 'x' WHERE seq = 5", 5,
     "event 5 can't be read"},
    {"PreviousHash", "UPDATE event SET previous_hash = hash WHERE seq = 6", 6, "does not follow"},
    {"TwoEventsSwapped",
     "UPDATE event SET seq = 100 WHERE seq = 2; UPDATE event SET seq = 2 WHERE seq = 3;"
     "UPDATE event SET seq = 3 WHERE seq = 100",
     2, "does not follow"},
    {"EventTakenOut", "DELETE FROM event WHERE seq = 7", 7, "event 7 is missing"},
    {"FirstEventsTakenOut", "DELETE FROM event WHERE seq <= 6", 1, "begins with event 7"},
    {"LastEventsCutOff", "DELETE FROM event WHERE seq > 14", 15, "cut off"},
    {"AllEventsTakenOut", "DELETE FROM event", std::nullopt, "anchor's hash"},
    {"EventAddedBesideTheProgram",
     "INSERT INTO event SELECT 17, NULL, 1, NULL, NULL, '{}', hash, hash FROM event WHERE seq = 16",
     17, "event 17 was changed"},
    {"AnchorBehind", "UPDATE anchor SET seq = 14", 15, "goes on to 16"},
    {"AnchorAhead", "UPDATE anchor SET seq = 17", 17, "cut off"},
    {"HashOfTheAnchor", "UPDATE anchor SET hash = replace(hash, substr(hash, 1, 1), 'x')", 16,
     "anchor's hash"},
    {"AnchorTakenOut", "DELETE FROM anchor", std::nullopt, "anchor row is missing"},
    {"HighestIdOfTheAnchor", "UPDATE anchor SET last_transaction = 9", std::nullopt,
     "table anchor, row 1"},
    {"VersionOfATransaction", "UPDATE \"transaction\" SET to_version = '6.6.6' WHERE id = 1",
     std::nullopt, "table transaction, row 1"},
    {"OutcomeOfATransaction", "UPDATE \"transaction\" SET phase = 'committed' WHERE id = 2",
     std::nullopt, "table transaction, row 2"},
    {"VerdictOfATransaction", "UPDATE \"transaction\" SET verdict = 'forced' WHERE id = 2",
     std::nullopt, "table transaction, row 2"},
    {"ErrorOfATransaction", "UPDATE \"transaction\" SET error = NULL WHERE id = 3", std::nullopt,
     "table transaction, row 3"},
    {"ResumptionsOfATransaction", "UPDATE \"transaction\" SET resumptions = 0 WHERE id = 3",
     std::nullopt, "table transaction, row 3"},
    {"TransactionTakenOut", "DELETE FROM \"transaction\" WHERE id = 2", std::nullopt,
     "table transaction, row 2"},
    {"TransactionAdded",
     "INSERT INTO \"transaction\" SELECT 5, kind, from_version, to_version, phase, started_at_us,"
     " finished_at_us, verdict, error, actor, boot_id, resumptions FROM \"transaction\" WHERE id = "
     "1",
     std::nullopt, "table transaction, row 5"},
    {"DigestOfAFile",
     "UPDATE file SET new_sha256 = old_sha256 WHERE transaction_id = 1 AND name = 'bangerd'",
     std::nullopt, "table file, row 1 bangerd"},
    {"FileTakenOut", "DELETE FROM file WHERE transaction_id = 2", std::nullopt,
     "table file, row 2 banger"},
    {"FileAdded",
     "INSERT INTO file SELECT 4, 'x', 1, '/x', NULL, NULL, 0, '', '', 0 FROM file LIMIT 1",
     std::nullopt, "table file, row 4 x"},
    {"KeptDigestTakenOut", "DELETE FROM kept", std::nullopt, "table kept, row ccc"},
    {"KeptDigestAdded", "INSERT INTO kept SELECT replace(sha256, 'c', 'd'), seq FROM kept",
     std::nullopt, "table kept, row ddd"},
    {"TransitionAdded", "INSERT INTO legal_transition VALUES ('stage', 'committed')", std::nullopt,
     "table legal_transition, row stage committed"},
    {"TransitionTakenOut",
     "DELETE FROM legal_transition WHERE from_phase = 'swap' AND to_phase = 'rollback'",
     std::nullopt, "table legal_transition, row swap rollback"},
    {"LowestWriter", "UPDATE compatibility SET min_writer = 0", std::nullopt,
     "table compatibility, row 1"},
    {"IndexTakenOut", "DROP INDEX one_unfinished_transaction", std::nullopt,
     "one_unfinished_transaction is missing"},
    {"TableAdded", "CREATE TABLE mine (x)", std::nullopt, "object mine is"},
    {"TriggerAdded", "CREATE TRIGGER mine AFTER INSERT ON event BEGIN SELECT 1; END", std::nullopt,
     "object mine is"},
};

INSTANTIATE_TEST_SUITE_P(EachPlace, Tampered, ::testing::ValuesIn(kTamperings),
                         [](const auto& each) { return std::string(each.param.name); });

TEST(Verify, ComparesEachColumnOfEachTable) {
  std::size_t columns = 0;
  for (const auto& [table, key] :
       std::vector<std::pair<std::string, std::string>>{{"transaction", "id"},
                                                        {"file", "transaction_id"},
                                                        {"kept", "sha256"},
                                                        {"anchor", "only"},
                                                        {"compatibility", "only"},
                                                        {"legal_transition", "from_phase"}}) {
    const JournalFolder folder;
    fill(folder.journal());
    const Rows all = PlainDatabase(folder.journal())
                         .query("SELECT name, type FROM pragma_table_info('" + table + "')");
    for (const auto& column : all) {
      const JournalFolder edited;
      fill(edited.journal());
      const std::string other = column[1] == "INTEGER" ? "coalesce(" + column[0] + ", 0) + 1"
                                                       : "coalesce(" + column[0] + ", '') || 'x'";
      PlainDatabase(edited.journal())
          .tamper("UPDATE \"" + table + "\" SET " + column[0] + " = " + other + " WHERE " + key +
                  " = (SELECT max(" + key + ") FROM \"" + table + "\")");
      Journal journal =
          value_of(Journal::open_for_reading({edited.journal(), ""}, Journal::ReadMode::shared));
      EXPECT_NE(value_of(journal.verify()).finding, "") << table << ", " << column[0];
      ++columns;
    }
  }
  EXPECT_GE(columns, 32U);
}

TEST(Verify, FindsATriggerThatIsMissingOrSaysSomethingElse) {
  const JournalFolder folder;
  fill(folder.journal());
  const Rows triggers = PlainDatabase(folder.journal())
                            .query("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'");
  ASSERT_GE(triggers.size(), 10U);
  for (const auto& trigger : triggers) {
    PlainDatabase database(folder.journal());
    database.run("DROP TRIGGER " + trigger[0]);
    EXPECT_NE(audit(folder.journal()).finding.find(trigger[0]), std::string::npos) << trigger[0];
    std::string altered = trigger[1];
    altered.insert(altered.rfind("END"), "SELECT 1; ");
    database.run(altered);
    EXPECT_NE(audit(folder.journal()).finding.find(trigger[0]), std::string::npos) << trigger[0];
    database.run("DROP TRIGGER " + trigger[0]);
    database.run(trigger[1]);
    EXPECT_EQ(audit(folder.journal()).finding, "") << trigger[0];
  }
}

// A root with time can compute the whole chain anew; what never was legal is found all the same.
TEST(Verify, FindsAnIllegalEventEvenWhereTheChainIsRight) {
  const JournalFolder folder;
  fill(folder.journal());
  PlainDatabase database(folder.journal());
  const std::string previous = database.value("SELECT hash FROM event WHERE seq = 16");
  const std::vector<std::string> row = {"17", "4", "5", "stage", "committed", "{}"};
  const std::string hash = hash_of_row(previous, row);
  database.tamper("INSERT INTO event VALUES (17, 4, 5, 'stage', 'committed', '{}', '" + previous +
                  "', '" + hash + "'); UPDATE anchor SET seq = 17, hash = '" + hash + "'");
  const AuditReport report = audit(folder.journal());
  EXPECT_EQ(report.first_bad_seq, 17);
  EXPECT_NE(report.finding.find("no such transition"), std::string::npos) << report.finding;
}

TEST(Verify, NamesTheFirstOfSeveralBadEvents) {
  const JournalFolder folder;
  fill(folder.journal());
  PlainDatabase(folder.journal())
      .tamper(
          "UPDATE event SET at_us = 0 WHERE seq IN (4, 9); DELETE FROM kept;"
          "UPDATE anchor SET seq = 3");
  EXPECT_EQ(audit(folder.journal()).first_bad_seq, 4);
}

TEST(Verify, FindsAnIndexThatNoLongerAgreesWithItsTable) {
  const JournalFolder folder;
  fill(folder.journal());
  {
    // The index loses its rows, then its definition is as before.
    PlainDatabase database(folder.journal());
    database.run(
        "PRAGMA writable_schema = ON;"
        "UPDATE sqlite_schema SET sql = replace(sql, '(phase)', '(phase) WHERE id > 100')"
        " WHERE name = 'transaction_in_phase'");
  }
  {
    PlainDatabase database(folder.journal());
    database.run(
        "REINDEX transaction_in_phase; PRAGMA writable_schema = ON;"
        "UPDATE sqlite_schema SET sql = replace(sql, ' WHERE id > 100', '')"
        " WHERE name = 'transaction_in_phase'");
  }
  const AuditReport report = audit(folder.journal());
  EXPECT_NE(report.finding.find("integrity_check"), std::string::npos) << report.finding;
}

TEST(Verify, ReadsAJournalThatItMayNotChange) {
  const JournalFolder folder;
  fill(folder.journal());
  Journal journal =
      value_of(Journal::open_for_reading({folder.journal(), ""}, Journal::ReadMode::shared));
  const AuditReport report = value_of(journal.verify());
  EXPECT_EQ(report.finding, "");
  EXPECT_EQ(report.events, 16);
}

TEST(Verify, CountsPastTheBoundAtWhichReplayedEventsAreDropped) {
  const JournalFolder folder;
  create_journal(folder.journal());
  Journal journal = open_journal(folder.journal());
  std::vector<NewEvent> events;
  for (std::int64_t id = 1; id <= 500; ++id) {
    for (NewEvent& event : committed_run(id)) events.push_back(std::move(event));
  }
  add(journal, events);
  const AuditReport report = value_of(journal.verify());
  EXPECT_EQ(report.finding, "");
  EXPECT_EQ(report.events, 3000);
}

TEST(LostJournal, IsReportedAndIsNoFinding) {
  for (const std::int64_t first : {std::int64_t{1}, std::int64_t{50}}) {
    const JournalFolder folder;
    create_journal(folder.journal(), first,
                   {journal_note(R"({"note":"journal_lost","lost_sha256":null,"head":null})"),
                    begin(7), step(7, Phase::stage, Phase::backup)});
    Journal journal = open_journal(folder.journal());
    const AuditReport report = value_of(journal.verify());
    EXPECT_EQ(report.finding, "");
    EXPECT_EQ(report.events, 3);
    EXPECT_EQ(report.begins_after_lost_journal, first);
    EXPECT_EQ(value_of(journal.last_event())->seq, first + 2);
    EXPECT_EQ(add(journal, note(7, Phase::backup, "{}")).front().seq, first + 3);
  }
}

TEST(LostJournal, OneThatBeginsLaterWithoutSayingWhyIsAFinding) {
  const JournalFolder folder;
  create_journal(folder.journal(), 50, {journal_note(R"({"note":"hello"})")});
  const AuditReport report = audit(folder.journal());
  EXPECT_NE(report.finding, "");
  EXPECT_EQ(report.first_bad_seq, 1);
}

TEST(LostJournal, ANoteInTheMiddleDoesNotExcuseAMissingBeginning) {
  const JournalFolder folder;
  create_journal(folder.journal(), 50,
                 {journal_note("{}"), journal_note(R"({"note":"journal_lost"})")});
  const AuditReport report = audit(folder.journal());
  EXPECT_NE(report.finding, "");
  EXPECT_EQ(report.begins_after_lost_journal, std::nullopt);
}

TEST(CutOffChain, NothingIsAppendedToIt) {
  for (const char* sql :
       {"DELETE FROM event WHERE seq > 14", "UPDATE anchor SET seq = 15",
        "UPDATE anchor SET hash = substr(hash, 2) || 'f'", "DELETE FROM anchor"}) {
    const JournalFolder folder;
    fill(folder.journal());
    PlainDatabase(folder.journal()).tamper(sql);
    Journal journal = open_journal(folder.journal());
    const auto added = journal.append(std::vector{journal_note("{}")}, Durability::durable);
    ASSERT_FALSE(added) << sql;
    EXPECT_EQ(added.error().code(), ErrorCode::journal_damaged) << sql;
  }
}

}  // namespace
}  // namespace update::test
