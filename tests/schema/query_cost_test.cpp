#include <functional>

#include "tests/schema/journal_fixture.hpp"
#include "tests/schema/sqlite_tools.hpp"

// Cost is counted in instructions of SQLite's virtual machine, which are the same on every machine.
namespace update::test {
namespace {

std::int64_t instructions = 0;

int count_one(void*) {
  ++instructions;
  return 0;
}

int count_in(sqlite3* db, const char**, const sqlite3_api_routines*) {
  sqlite3_progress_handler(db, 1, &count_one, nullptr);
  return SQLITE_OK;
}

// While it lives, every connection that is opened counts what it executes.
class InstructionCounter {
 public:
  InstructionCounter() { sqlite3_auto_extension(reinterpret_cast<void (*)()>(&count_in)); }
  ~InstructionCounter() { sqlite3_cancel_auto_extension(reinterpret_cast<void (*)()>(&count_in)); }
  InstructionCounter(const InstructionCounter&) = delete;
  InstructionCounter& operator=(const InstructionCounter&) = delete;
};

void fill(const std::string& path, std::int64_t transactions) {
  create_journal(path);
  Journal journal = open_journal(path);
  std::vector<NewEvent> events;
  const auto flush = [&] {
    add(journal, events);
    events.clear();
  };
  Plan only_once;
  only_once.files = {{"rare", "/bin/rare"}};
  for (NewEvent& event : committed_run(1, only_once)) events.push_back(std::move(event));
  for (NewEvent& event : abandoned_run(2)) events.push_back(std::move(event));
  for (std::int64_t id = 3; id <= transactions; ++id) {
    const std::vector<NewEvent> run = id % 4 == 0 ? committed_run(id) : discarded_run(id);
    events.insert(events.end(), run.begin(), run.end());
    if (events.size() > 5000) flush();
  }
  // The newest are none that was committed.
  for (std::int64_t id = transactions + 1; id <= transactions + 3; ++id) {
    for (NewEvent& event : discarded_run(id)) events.push_back(std::move(event));
  }
  events.push_back(begin(transactions + 4));
  flush();
}

std::int64_t cost_of(const std::string& path, const std::function<void(Journal&)>& query) {
  const InstructionCounter counter;
  Journal journal = open_journal(path);
  instructions = 0;
  query(journal);
  return instructions;
}

TEST(QueryCost, DoesNotGrowWithTheJournal) {
  const JournalFolder small;
  fill(small.journal(), 40);
  const JournalFolder large;
  fill(large.journal(), 3'000);

  struct Query {
    const char* name;
    std::function<void(Journal&)> run;
  };
  const Query queries[] = {
      {"unfinished", [](Journal& j) { ASSERT_TRUE(value_of(j.unfinished())); }},
      {"next_id", [](Journal& j) { value_of(j.next_id()); }},
      {"transaction", [](Journal& j) { ASSERT_TRUE(value_of(j.transaction({7}))); }},
      {"newest_committed", [](Journal& j) { ASSERT_TRUE(value_of(j.newest_committed())); }},
      {"installed_version", [](Journal& j) { ASSERT_TRUE(value_of(j.installed_version())); }},
      {"last_event", [](Journal& j) { ASSERT_TRUE(value_of(j.last_event())); }},
      {"events_of", [](Journal& j) { ASSERT_EQ(value_of(j.events_of({8})).size(), 6U); }},
      {"last_listing",
       [](Journal& j) {
         ASSERT_TRUE(value_of(j.last_listing("/usr/local/bin/banger", {1'000'000})));
       }},
      {"last_listing of a file of long ago",
       [](Journal& j) { ASSERT_TRUE(value_of(j.last_listing("/bin/rare", {1'000'000}))); }},
      {"first_listing",
       [](Journal& j) { ASSERT_TRUE(value_of(j.first_listing("/usr/local/bin/banger", {0}))); }},
      {"destinations", [](Journal& j) { ASSERT_EQ(value_of(j.destinations()).size(), 2U); }},
      {"kept", [](Journal& j) { value_of(j.kept()); }},
      {"list of 20",
       [](Journal& j) {
         HistoryFilter filter;
         filter.limit = 20;
         ASSERT_EQ(value_of(j.list(filter)).size(), 20U);
       }},
      {"list of 10 committed ones",
       [](Journal& j) {
         HistoryFilter filter;
         filter.limit = 10;
         filter.outcome = "committed";
         ASSERT_EQ(value_of(j.list(filter)).size(), 10U);
       }},
      {"append",
       [](Journal& j) { add(j, note(value_of(j.unfinished())->id.value, Phase::stage, "{}")); }},
  };
  for (const Query& query : queries) {
    const std::int64_t few = cost_of(small.journal(), query.run);
    const std::int64_t many = cost_of(large.journal(), query.run);
    EXPECT_GT(few, 0) << query.name;
    EXPECT_LE(many, few + few / 2 + 10) << query.name;
  }
}

TEST(QueryCost, TheIdleQuestionIsAFewInstructions) {
  const JournalFolder folder;
  create_journal(folder.journal());
  {
    Journal journal = open_journal(folder.journal());
    for (std::int64_t id = 1; id <= 200; ++id) add(journal, discarded_run(id));
  }
  EXPECT_LE(cost_of(folder.journal(), [](Journal& j) { ASSERT_FALSE(value_of(j.unfinished())); }),
            20);
}

}  // namespace
}  // namespace update::test
