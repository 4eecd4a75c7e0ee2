#include <set>

#include "tests/schema/journal_fixture.hpp"
#include "tests/schema/sqlite_tools.hpp"

namespace update::test {
namespace {

using Pair = std::pair<Phase, Phase>;

// "Legal transitions, complete" of the design, written out.
const std::set<Pair> kLegal = {
    {Phase::stage, Phase::backup},
    {Phase::backup, Phase::swap},
    {Phase::swap, Phase::restart},
    {Phase::restart, Phase::doctor},
    {Phase::doctor, Phase::committed},
    {Phase::stage, Phase::rollback},
    {Phase::backup, Phase::rollback},
    {Phase::swap, Phase::rollback},
    {Phase::restart, Phase::rollback},
    {Phase::doctor, Phase::rollback},
    {Phase::swap, Phase::doctor},
    {Phase::restart, Phase::committed},
    {Phase::swap, Phase::committed},
    {Phase::rollback, Phase::rolled_back},
    {Phase::stage, Phase::needs_operator},
    {Phase::backup, Phase::needs_operator},
    {Phase::swap, Phase::needs_operator},
    {Phase::restart, Phase::needs_operator},
    {Phase::doctor, Phase::needs_operator},
    {Phase::rollback, Phase::needs_operator},
    {Phase::needs_operator, Phase::committed},
    {Phase::needs_operator, Phase::rolled_back},
    {Phase::needs_operator, Phase::abandoned},
};

std::vector<Phase> path_to(Phase phase) {
  switch (phase) {
    case Phase::stage: return {};
    case Phase::backup: return {Phase::backup};
    case Phase::swap: return {Phase::backup, Phase::swap};
    case Phase::restart: return {Phase::backup, Phase::swap, Phase::restart};
    case Phase::doctor: return {Phase::backup, Phase::swap, Phase::restart, Phase::doctor};
    case Phase::committed: return {Phase::backup, Phase::swap, Phase::committed};
    case Phase::rollback: return {Phase::rollback};
    case Phase::rolled_back: return {Phase::rollback, Phase::rolled_back};
    case Phase::needs_operator: return {Phase::needs_operator};
    case Phase::abandoned: return {Phase::needs_operator, Phase::abandoned};
  }
  return {};
}

// Transaction 1, in `phase`.
void bring_to(Journal& journal, Phase phase) {
  std::vector<NewEvent> events = {begin(1)};
  Phase now = Phase::stage;
  for (const Phase next : path_to(phase)) {
    events.push_back(step(1, now, next));
    now = next;
  }
  add(journal, events);
}

class Transitions : public ::testing::TestWithParam<Phase> {};

TEST_P(Transitions, FromAPhaseExactlyTheLegalOnesAreAccepted) {
  const Phase from = GetParam();
  for (const Phase to : kAllPhases) {
    const JournalFolder folder;
    create_journal(folder.journal());
    Journal journal = open_journal(folder.journal());
    bring_to(journal, from);
    const std::int64_t before = value_of(journal.last_event())->seq;

    const bool is_note = from == to;
    const bool legal = is_note ? !is_final(from) : kLegal.count({from, to}) == 1;
    const auto added = journal.append(std::vector{step(1, from, to)}, Durability::visible);
    EXPECT_EQ(added.has_value(), legal) << name_of(from) << " -> " << name_of(to);
    if (!added) {
      EXPECT_EQ(added.error().code(), ErrorCode::failed);
    }
    EXPECT_EQ(value_of(journal.last_event())->seq, before + (legal ? 1 : 0));
    EXPECT_EQ(value_of(journal.transaction({1}))->phase, legal ? to : from);
  }
}

TEST_P(Transitions, AnEventThatClaimsAnotherPresentPhaseIsRefused) {
  const Phase present = GetParam();
  const JournalFolder folder;
  create_journal(folder.journal());
  Journal journal = open_journal(folder.journal());
  bring_to(journal, present);
  for (const auto& [from, to] : kLegal) {
    if (from == present) continue;
    EXPECT_FALSE(journal.append(std::vector{step(1, from, to)}, Durability::visible))
        << "in " << name_of(present) << ": " << name_of(from) << " -> " << name_of(to);
  }
  for (const Phase other : kAllPhases) {
    if (other == present) continue;
    EXPECT_FALSE(journal.append(std::vector{note(1, other, "{}")}, Durability::visible))
        << "a note in " << name_of(other) << " while in " << name_of(present);
  }
}

INSTANTIATE_TEST_SUITE_P(AllPhases, Transitions, ::testing::ValuesIn(kAllPhases),
                         [](const auto& each) { return std::string(name_of(each.param)); });

TEST(TransitionTable, HoldsTheLegalPairsAndTheBeginAndNothingElse) {
  const JournalFolder folder;
  create_journal(folder.journal());
  std::set<std::pair<std::string, std::string>> expected = {{"", "stage"}};
  for (const auto& [from, to] : kLegal) expected.emplace(name_of(from), name_of(to));
  std::set<std::pair<std::string, std::string>> found;
  for (const auto& row :
       PlainDatabase(folder.journal()).query("SELECT from_phase, to_phase FROM legal_transition")) {
    found.emplace(row[0], row[1]);
  }
  EXPECT_EQ(found, expected);
}

TEST(TransitionTable, ATransactionBeginsInStageAndNowhereElse) {
  for (const Phase to : kAllPhases) {
    const JournalFolder folder;
    create_journal(folder.journal());
    Journal journal = open_journal(folder.journal());
    NewEvent first = begin(1);
    first.to = to;
    EXPECT_EQ(journal.append(std::vector{first}, Durability::visible).has_value(),
              to == Phase::stage)
        << name_of(to);
  }
}

TEST(OneUnfinishedTransaction, ASecondIsRefusedInEveryUnfinishedPhase) {
  for (const Phase phase : kAllPhases) {
    const JournalFolder folder;
    create_journal(folder.journal());
    Journal journal = open_journal(folder.journal());
    bring_to(journal, phase);
    const auto second = journal.append(std::vector{begin(2)}, Durability::visible);
    EXPECT_EQ(second.has_value(), is_final(phase)) << name_of(phase);
    if (!second) {
      EXPECT_EQ(second.error().code(), ErrorCode::failed);
    }
  }
}

TEST(OneUnfinishedTransaction, EventsOfOneAppendAreAllAddedOrNone) {
  const JournalFolder folder;
  create_journal(folder.journal());
  Journal journal = open_journal(folder.journal());
  const std::vector events = {begin(1), step(1, Phase::stage, Phase::backup), begin(2)};
  EXPECT_FALSE(journal.append(events, Durability::durable));
  EXPECT_FALSE(value_of(journal.last_event()).has_value());
  EXPECT_FALSE(value_of(journal.unfinished()).has_value());
  // The connection is as good as before.
  EXPECT_EQ(add(journal, begin(1)).front().seq, 1);
}

TEST(TransactionIds, AreNeverReusedNorGoBack) {
  const JournalFolder folder;
  create_journal(folder.journal());
  Journal journal = open_journal(folder.journal());
  EXPECT_EQ(value_of(journal.next_id()).value, 1);
  add(journal, discarded_run(7));
  EXPECT_EQ(value_of(journal.next_id()).value, 8);
  for (const std::int64_t id : {0, 1, 6, 7, -1}) {
    EXPECT_FALSE(journal.append(std::vector{begin(id)}, Durability::visible)) << id;
  }
  add(journal, discarded_run(100));
  EXPECT_EQ(value_of(journal.next_id()).value, 101);
}

TEST(TransactionIds, GoOnAboveThoseOfALostJournal) {
  const JournalFolder folder;
  create_journal(folder.journal(), 50,
                 {journal_note(R"({"note":"journal_lost","lost_sha256":null,)"
                               R"("head":{"seq":49,"hash":null,"transaction":12}})")});
  Journal journal = open_journal(folder.journal());
  EXPECT_EQ(value_of(journal.next_id()).value, 13);
  EXPECT_FALSE(journal.append(std::vector{begin(12)}, Durability::visible));
  EXPECT_TRUE(journal.append(std::vector{begin(13)}, Durability::visible));
}

TEST(EventShape, WhatIsNeitherATransactionsNorTheJournalsIsRefused) {
  const JournalFolder folder;
  create_journal(folder.journal());
  Journal journal = open_journal(folder.journal());
  add(journal, begin(1));
  const auto refused = [&](NewEvent event, const char* what) {
    EXPECT_FALSE(journal.append(std::vector{event}, Durability::visible)) << what;
  };
  NewEvent event = note(1, Phase::stage, "{}");
  event.transaction.reset();
  refused(event, "phases without a transaction");
  event = note(1, Phase::stage, "{}");
  event.to.reset();
  refused(event, "a transaction's event that leads nowhere");
  event = note(1, Phase::stage, "{}");
  event.from.reset();
  event.to.reset();
  refused(event, "a transaction's event without phases");
  refused(note(2, Phase::stage, "{}"), "a transaction that does not exist");
  for (const char* detail : {"", "[]", "null", "1", "{", "{} x", "{'a':1}"}) {
    refused(note(1, Phase::stage, detail), detail);
    refused(journal_note(detail), detail);
  }
  refused(journal_note(std::string("{}\0{", 4)), "a NUL in the detail");
  NewEvent planless = begin(2);
  planless.detail = "{}";
  refused(planless, "a begin without a plan");
}

// The hand that tampers has SQLite's shell; even there an accident must be refused.
TEST(AppendOnly, EventsAndFinishedTransactionsAreProtectedByTheDatabaseItself) {
  const JournalFolder folder;
  create_journal(folder.journal());
  {
    Journal journal = open_journal(folder.journal());
    add(journal, committed_run(1));
  }
  PlainDatabase database(folder.journal());
  for (const char* sql : {
           "UPDATE event SET detail = '{}' WHERE seq = 1",
           "UPDATE event SET hash = hash",
           "DELETE FROM event WHERE seq = 6",
           "DELETE FROM event",
           "INSERT OR REPLACE INTO event SELECT * FROM event WHERE seq = 6",
           // Right but for a gap, and right but for what it follows.
           "INSERT INTO event SELECT 8, NULL, 1, NULL, NULL, '{}', hash, hash FROM event"
           " WHERE seq = 6",
           "INSERT INTO event SELECT 7, NULL, 1, NULL, NULL, '{}', previous_hash, hash FROM event"
           " WHERE seq = 6",
           "UPDATE \"transaction\" SET to_version = '9.9.9'",
           "UPDATE \"transaction\" SET finished_at_us = NULL, phase = 'stage'",
           "DELETE FROM \"transaction\"",
           "UPDATE file SET new_sha256 = old_sha256",
           "DELETE FROM file",
       }) {
    EXPECT_NE(database.try_run(sql), "") << sql;
  }
  EXPECT_EQ(value_of(open_journal(folder.journal()).verify()).finding, "");
}

}  // namespace
}  // namespace update::test
