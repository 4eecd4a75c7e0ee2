#include "schema/journal.hpp"

#include "tests/schema/journal_fixture.hpp"

namespace update::test {
namespace {

class JournalTest : public ::testing::Test {
 protected:
  JournalTest() {
    create_journal(folder_.journal());
    journal_.emplace(open_journal(folder_.journal()));
  }
  Journal& journal() { return *journal_; }
  std::vector<std::int64_t> ids(const HistoryFilter& filter) {
    std::vector<std::int64_t> found;
    for (const TransactionRecord& record : value_of(journal().list(filter))) {
      found.push_back(record.id.value);
    }
    return found;
  }

  JournalFolder folder_;
  std::optional<Journal> journal_;
};

using Ids = std::vector<std::int64_t>;

TEST_F(JournalTest, AppendGivesTheEventsAsTheyAreStored) {
  const std::vector<Event> added = add(journal(), committed_run(1));
  const std::vector<Event> stored = value_of(journal().events_of({1}));
  ASSERT_EQ(added.size(), 6U);
  ASSERT_EQ(stored.size(), 6U);
  for (std::size_t i = 0; i < added.size(); ++i) {
    EXPECT_EQ(added[i].seq, static_cast<std::int64_t>(i) + 1);
    EXPECT_EQ(stored[i].seq, added[i].seq);
    EXPECT_EQ(stored[i].transaction, TransactionId{1});
    EXPECT_EQ(stored[i].from, added[i].from);
    EXPECT_EQ(stored[i].to, added[i].to);
    EXPECT_EQ(stored[i].at_us, added[i].at_us);
    EXPECT_EQ(stored[i].detail, added[i].detail);
    EXPECT_EQ(stored[i].hash, added[i].hash);
    EXPECT_EQ(stored[i].previous_hash, added[i].previous_hash);
  }
  EXPECT_EQ(value_of(journal().last_event())->hash, added.back().hash);
  EXPECT_TRUE(value_of(journal().events_of({2})).empty());
}

TEST_F(JournalTest, ForeignTextComesBackByteForByte) {
  const std::string text =
      "{\"note\":\"\\u001b[2J \xe2\x80\xae \xf0\x9f\x92\xa5 \\u0000 '\\\"; DROP\"}";
  add(journal(), journal_note(text));
  EXPECT_EQ(value_of(journal().last_event())->detail, text);
}

TEST_F(JournalTest, TheBeginHoldsTheWholePlan) {
  Plan plan;
  plan.kind = "rollback";
  plan.from_version = "1.4.0";
  plan.to_version.reset();
  plan.files = {{"z", "/bin/z", hex_of('1'), hex_of('2'), 7, "identity of z"},
                {"new", "/bin/new", std::nullopt, hex_of('3'), 0, ""},
                {"a", "/bin/a", hex_of('4'), std::nullopt, 0, "identity of a"}};
  const NewEvent first = begin(1, plan);
  add(journal(), first);
  const auto record = value_of(journal().unfinished());
  ASSERT_TRUE(record);
  EXPECT_EQ(record->id.value, 1);
  EXPECT_EQ(record->kind, "rollback");
  EXPECT_EQ(record->from_version, "1.4.0");
  EXPECT_EQ(record->to_version, std::nullopt);
  EXPECT_EQ(record->phase, Phase::stage);
  EXPECT_EQ(record->outcome, std::nullopt);
  EXPECT_EQ(record->started_at_us, first.at_us);
  EXPECT_EQ(record->finished_at_us, std::nullopt);
  EXPECT_EQ(record->verdict, std::nullopt);
  EXPECT_EQ(record->error, std::nullopt);
  EXPECT_EQ(record->actor, R"({"uid":0,"login":"alice"})");
  EXPECT_EQ(record->boot_id, "boot-1");
  EXPECT_EQ(record->resumptions, 0);
  ASSERT_EQ(record->files.size(), 3U);
  EXPECT_EQ(record->files[0].name, "z");
  EXPECT_EQ(record->files[0].destination, "/bin/z");
  EXPECT_EQ(record->files[0].old_sha256->hex(), hex_of('1'));
  EXPECT_EQ(record->files[0].new_sha256->hex(), hex_of('2'));
  EXPECT_EQ(record->files[0].size, 7U);
  EXPECT_EQ(record->files[0].old_identity, "identity of z");
  EXPECT_EQ(record->files[0].new_identity, "");
  EXPECT_EQ(record->files[0].transaction.value, 1);
  EXPECT_EQ(record->files[1].name, "new");
  EXPECT_EQ(record->files[1].old_sha256, std::nullopt);
  EXPECT_EQ(record->files[2].name, "a");
  EXPECT_EQ(record->files[2].new_sha256, std::nullopt);
}

TEST_F(JournalTest, APlanWithTwoFilesAlikeIsRefused) {
  Plan names;
  names.files = {{"a", "/bin/a"}, {"a", "/bin/b"}};
  Plan destinations;
  destinations.files = {{"a", "/bin/a"}, {"b", "/bin/a"}};
  EXPECT_FALSE(journal().append(std::vector{begin(1, names)}, Durability::visible));
  EXPECT_FALSE(journal().append(std::vector{begin(1, destinations)}, Durability::visible));
}

TEST_F(JournalTest, APlanWithADigestThatIsNoneIsRefused) {
  for (const std::string& digest :
       {hex_of('A'), hex_of('g'), std::string(63, 'a'), std::string()}) {
    Plan plan;
    plan.files.front().new_sha256 = digest;
    EXPECT_FALSE(journal().append(std::vector{begin(1, plan)}, Durability::visible)) << digest;
  }
}

TEST_F(JournalTest, OldDigestsMayBecomeKnownLater) {
  Plan plan;
  plan.files = {{"a", "/bin/a"}, {"b", "/bin/b"}};
  NewEvent first = begin(1, plan);
  for (std::size_t at; (at = first.detail.find('"' + hex_of('a') + '"')) != std::string::npos;) {
    first.detail.replace(at, 66, "null");
  }
  add(journal(), first);
  EXPECT_EQ(value_of(journal().unfinished())->files[0].old_sha256, std::nullopt);
  EXPECT_EQ(value_of(journal().unfinished())->files[0].old_identity, "old-identity");
  add(journal(),
      step(1, Phase::stage, Phase::backup,
           R"({"files":[{"name":"b","old_sha256":")" + hex_of('7') + R"("},"text",7]})"));
  const auto record = value_of(journal().unfinished());
  EXPECT_EQ(record->files[0].old_sha256, std::nullopt);
  EXPECT_EQ(record->files[1].old_sha256->hex(), hex_of('7'));
  // Others' use of the key in a note is no business of the schema.
  add(journal(), note(1, Phase::backup, R"({"files":{"name":"a","old_sha256":"x"}})"));
  add(journal(), note(1, Phase::backup, R"({"files":["a"]})"));
  EXPECT_EQ(value_of(journal().unfinished())->files[0].old_sha256, std::nullopt);
}

TEST_F(JournalTest, ACommitRecordsVerdictTimeAndIdentities) {
  std::vector<NewEvent> events = committed_run(1);
  events.back().detail =
      R"({"verdict":"passed","installed":[{"name":"banger","identity":"new-identity"}]})";
  add(journal(), events);
  const auto record = value_of(journal().transaction({1}));
  ASSERT_TRUE(record);
  EXPECT_EQ(record->phase, Phase::committed);
  EXPECT_EQ(record->outcome, "committed");
  EXPECT_EQ(record->verdict, "passed");
  EXPECT_EQ(record->finished_at_us, events.back().at_us);
  EXPECT_EQ(record->files.at(0).new_identity, "new-identity");
  EXPECT_EQ(record->files.at(0).old_identity, "old-identity");
  EXPECT_FALSE(value_of(journal().unfinished()));
}

TEST_F(JournalTest, AVerdictThatIsNoneIsRefused) {
  add(journal(), begin(1));
  EXPECT_FALSE(journal().append(
      std::vector{step(1, Phase::stage, Phase::rollback, R"({"verdict":"maybe"})")},
      Durability::visible));
}

TEST_F(JournalTest, TheNewestErrorAndTheCountOfResumptionsAreKept) {
  add(journal(), begin(1));
  add(journal(), note(1, Phase::stage, R"({"note":"resumed"})"));
  add(journal(), note(1, Phase::stage, R"({"note":"resumed","error":{"code":1,"name":"failed"}})"));
  add(journal(), note(1, Phase::stage, R"({"note":"attempt"})"));
  add(journal(), journal_note(R"({"note":"resumed"})"));
  EXPECT_EQ(value_of(journal().unfinished())->resumptions, 2);
  EXPECT_EQ(value_of(journal().unfinished())->error, R"({"code":1,"name":"failed"})");
  add(journal(), step(1, Phase::stage, Phase::rollback, R"({"error":{"code":8}})"));
  add(journal(), note(1, Phase::rollback, R"({"error":null})"));
  EXPECT_EQ(value_of(journal().unfinished())->error, R"({"code":8})");
  EXPECT_EQ(value_of(journal().unfinished())->resumptions, 2);
}

TEST_F(JournalTest, WhatNeedsAPersonHasAnOutcomeAndIsUnfinishedUntilItIsResolved) {
  add(journal(), {begin(1), step(1, Phase::stage, Phase::needs_operator)});
  const auto waiting = value_of(journal().unfinished());
  ASSERT_TRUE(waiting);
  EXPECT_EQ(waiting->outcome, "needs_operator");
  EXPECT_EQ(waiting->finished_at_us, std::nullopt);
  const NewEvent last = step(1, Phase::needs_operator, Phase::rolled_back);
  add(journal(), last);
  EXPECT_FALSE(value_of(journal().unfinished()));
  EXPECT_EQ(value_of(journal().transaction({1}))->outcome, "rolled_back");
  EXPECT_EQ(value_of(journal().transaction({1}))->finished_at_us, last.at_us);
}

TEST_F(JournalTest, TheInstalledVersionIsTheNewestCommittedTarget) {
  const auto between = [](const char* from, const char* to) {
    Plan plan;
    plan.from_version = from;
    plan.to_version = to;
    return plan;
  };
  EXPECT_EQ(value_of(journal().installed_version()), std::nullopt);
  EXPECT_FALSE(value_of(journal().newest_committed()));
  add(journal(), committed_run(1, between("1.0.0", "1.1.0")));
  add(journal(), discarded_run(2, between("1.1.0", "1.2.0")));
  EXPECT_EQ(value_of(journal().installed_version()), "1.1.0");
  EXPECT_EQ(value_of(journal().newest_committed())->id.value, 1);
  add(journal(), abandoned_run(3));
  EXPECT_EQ(value_of(journal().installed_version()), std::nullopt);
  EXPECT_EQ(value_of(journal().newest_committed())->id.value, 1);
  add(journal(), committed_run(4, between("1.1.0", "1.3.0")));
  add(journal(), begin(5));
  EXPECT_EQ(value_of(journal().installed_version()), "1.3.0");
}

TEST_F(JournalTest, ListIsNewestFirstWithFilesAndObeysItsFilter) {
  Plan beta;
  beta.from_version = "1.1.0";
  beta.to_version = "2.0.0-beta.1";
  const std::vector<NewEvent> first = committed_run(1);
  const std::vector<NewEvent> second = discarded_run(2, beta);
  const std::vector<NewEvent> third = committed_run(3, beta);
  const std::vector<NewEvent> fourth = {begin(4), step(4, Phase::stage, Phase::needs_operator)};
  for (const auto& run : {first, second, third, fourth}) add(journal(), run);

  EXPECT_EQ(ids({}), (Ids{4, 3, 2, 1}));
  EXPECT_EQ(value_of(journal().list({})).back().files.size(), 1U);
  HistoryFilter filter;
  filter.limit = 2;
  EXPECT_EQ(ids(filter), (Ids{4, 3}));
  filter = {};
  filter.outcome = "committed";
  EXPECT_EQ(ids(filter), (Ids{3, 1}));
  filter.limit = 1;
  EXPECT_EQ(ids(filter), (Ids{3}));
  filter = {};
  filter.outcome = "rolled_back";
  EXPECT_EQ(ids(filter), (Ids{2}));
  filter.outcome = "needs_operator";
  EXPECT_EQ(ids(filter), (Ids{4}));
  filter.outcome = "abandoned";
  EXPECT_EQ(ids(filter), (Ids{}));
  filter = {};
  filter.since_us = second.front().at_us;
  EXPECT_EQ(ids(filter), (Ids{4, 3, 2}));
  filter.until_us = third.front().at_us - 1;
  EXPECT_EQ(ids(filter), (Ids{2}));
  filter = {};
  filter.version_like = "2.0.0-*";
  EXPECT_EQ(ids(filter), (Ids{3, 2}));
  filter.version_like = "1.0.?";
  EXPECT_EQ(ids(filter), (Ids{4, 1}));
  filter.version_like = "[!2]*";
  EXPECT_EQ(ids(filter), (Ids{4, 3, 2, 1}));
  filter.limit = 2;
  EXPECT_EQ(ids(filter), (Ids{4, 3}));
  filter.version_like = "1\\.0.?";
  EXPECT_EQ(ids(filter), (Ids{4, 1}));
  filter.limit = 0;
  filter.version_like = std::string(60000, '*') + "x";
  EXPECT_EQ(ids(filter), (Ids{}));
  filter.version_like = "2.0.0-BETA*";
  EXPECT_EQ(ids(filter), (Ids{}));
  filter.version_like = "";
  EXPECT_EQ(ids(filter), (Ids{}));
  filter.version_like = "2.0.0-*";
  filter.outcome = "rolled_back";
  EXPECT_EQ(ids(filter), (Ids{2}));
}

TEST_F(JournalTest, AnOutcomeThatDoesNotExistIsAWrongCommandLine) {
  HistoryFilter filter;
  for (const char* outcome : {"stage", "Committed", "", "'"}) {
    filter.outcome = outcome;
    const auto listed = journal().list(filter);
    ASSERT_FALSE(listed) << outcome;
    EXPECT_EQ(listed.error().code(), ErrorCode::usage);
  }
}

TEST_F(JournalTest, AListingIsFoundOnTheRightSideOfAnId) {
  Plan both;
  both.files = {{"a", "/bin/a"}, {"b", "/bin/b"}};
  Plan only_a;
  only_a.files = {{"a", "/bin/a"}};
  add(journal(), committed_run(1, both));
  add(journal(), discarded_run(2, both));
  add(journal(), committed_run(3, only_a));
  add(journal(), abandoned_run(4, both));
  add(journal(), begin(5, both));
  const auto last = [&](const char* destination, std::int64_t up_to) -> std::int64_t {
    const auto file = value_of(journal().last_listing(destination, {up_to}));
    return file ? file->transaction.value : 0;
  };
  const auto first = [&](const char* destination, std::int64_t after) -> std::int64_t {
    const auto file = value_of(journal().first_listing(destination, {after}));
    return file ? file->transaction.value : 0;
  };
  EXPECT_EQ(last("/bin/a", 9), 3);
  EXPECT_EQ(last("/bin/a", 3), 3);
  EXPECT_EQ(last("/bin/a", 2), 1);
  EXPECT_EQ(last("/bin/a", 0), 0);
  EXPECT_EQ(last("/bin/b", 9), 1);
  EXPECT_EQ(last("/bin/c", 9), 0);
  EXPECT_EQ(last("/bin/", 9), 0);
  EXPECT_EQ(first("/bin/a", 0), 1);
  EXPECT_EQ(first("/bin/a", 1), 3);
  EXPECT_EQ(first("/bin/a", 3), 0);
  EXPECT_EQ(first("/bin/b", 1), 0);
}

TEST_F(JournalTest, WhatWasKeptForAPersonStaysUntilItIsPruned) {
  const auto kept = [&] {
    std::vector<std::string> found;
    for (const Sha256Digest& digest : value_of(journal().kept())) found.push_back(digest.hex());
    return found;
  };
  const auto with = [](const char* note, char digit) {
    return std::string("{\"note\":\"") + note + "\",\"sha256\":\"" + hex_of(digit) + "\"}";
  };
  using Digests = std::vector<std::string>;
  add(journal(), {begin(1), step(1, Phase::stage, Phase::needs_operator)});
  add(journal(), note(1, Phase::needs_operator, with("kept", '2')));
  add(journal(), note(1, Phase::needs_operator, with("kept", '1')));
  EXPECT_EQ(kept(), (Digests{hex_of('2'), hex_of('1')}));
  add(journal(), note(1, Phase::needs_operator, with("kept", '2')));
  EXPECT_EQ(kept(), (Digests{hex_of('1'), hex_of('2')}));
  // Only an event of the journal itself prunes.
  add(journal(), note(1, Phase::needs_operator, with("pruned", '1')));
  EXPECT_EQ(kept(), (Digests{hex_of('1'), hex_of('2')}));
  add(journal(), journal_note(with("pruned", '1')));
  add(journal(), journal_note(with("pruned", '9')));
  EXPECT_EQ(kept(), (Digests{hex_of('2')}));
  EXPECT_FALSE(journal().append(
      std::vector{note(1, Phase::needs_operator, R"({"note":"kept","sha256":"../../etc"})")},
      Durability::visible));
  EXPECT_EQ(value_of(journal().verify()).finding, "");
}

TEST_F(JournalTest, EachEventIsGivenInOrderAndTheFirstErrorStops) {
  add(journal(), committed_run(1));
  std::vector<std::int64_t> seen;
  must(journal().for_each_event([&](const Event& event) -> Status {
    seen.push_back(event.seq);
    return {};
  }));
  EXPECT_EQ(seen, (Ids{1, 2, 3, 4, 5, 6}));
  seen.clear();
  const Status stopped = journal().for_each_event([&](const Event& event) -> Status {
    seen.push_back(event.seq);
    if (event.seq == 2) return fail(ErrorCode::interrupted, "enough");
    return {};
  });
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code(), ErrorCode::interrupted);
  EXPECT_EQ(seen, (Ids{1, 2}));
}

TEST_F(JournalTest, AReaderSeesWhatAWriterAppendsWhileBothAreOpen) {
  Journal reader =
      value_of(Journal::open_for_reading({folder_.journal(), ""}, Journal::ReadMode::shared));
  EXPECT_FALSE(value_of(reader.unfinished()));
  add(journal(), begin(1));
  EXPECT_EQ(value_of(reader.unfinished())->id.value, 1);
}

TEST_F(JournalTest, AReaderCannotAppend) {
  Journal reader =
      value_of(Journal::open_for_reading({folder_.journal(), ""}, Journal::ReadMode::shared));
  const auto added = reader.append(std::vector{begin(1)}, Durability::visible);
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().code(), ErrorCode::failed);
}

}  // namespace
}  // namespace update::test
