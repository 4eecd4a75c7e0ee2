#include "engine/transaction/transitions.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <utility>

#include <sqlite3.h>

#include "schema/journal.hpp"
#include "tests/schema/journal_fixture.hpp"

namespace update {
namespace {

// transaction.md, "Legal transitions, complete", written out once more.
const std::set<std::pair<std::string, std::string>> kLegal = {
    {"", "stage"},
    {"stage", "backup"},
    {"backup", "swap"},
    {"swap", "restart"},
    {"restart", "doctor"},
    {"doctor", "committed"},
    {"stage", "rollback"},
    {"backup", "rollback"},
    {"swap", "rollback"},
    {"restart", "rollback"},
    {"doctor", "rollback"},
    {"swap", "doctor"},
    {"restart", "committed"},
    {"swap", "committed"},
    {"rollback", "rolled_back"},
    {"stage", "needs_operator"},
    {"backup", "needs_operator"},
    {"swap", "needs_operator"},
    {"restart", "needs_operator"},
    {"doctor", "needs_operator"},
    {"rollback", "needs_operator"},
    {"needs_operator", "committed"},
    {"needs_operator", "rolled_back"},
    {"needs_operator", "abandoned"},
};

TEST(Transitions, AreThoseOfTheDesignAndNoOthers) {
  for (const Phase to : kAllPhases) {
    EXPECT_EQ(is_legal(std::nullopt, to), kLegal.contains({"", std::string(name_of(to))}))
        << name_of(to);
    for (const Phase from : kAllPhases) {
      const std::pair<std::string, std::string> pair(name_of(from), name_of(to));
      EXPECT_EQ(is_legal(from, to), kLegal.contains(pair)) << pair.first << " -> " << pair.second;
    }
  }
}

TEST(Transitions, EveryOneIsReachedByAPathOfLegalOnes) {
  std::set<Phase> reached;
  for (std::size_t round = 0; round < kAllPhases.size(); ++round) {
    for (const Transition& row : transitions()) {
      if (!row.from || reached.contains(*row.from)) reached.insert(row.to);
    }
  }
  EXPECT_EQ(reached.size(), kAllPhases.size());
}

// The list that people read is this table, too.
TEST(Transitions, AreTheListOfTheReadme) {
  std::ifstream readme(UPDATE_SOURCE_DIR "/engine/README.md");
  ASSERT_TRUE(readme);
  std::set<std::pair<std::string, std::string>> listed;
  for (std::string line; std::getline(readme, line);) {
    std::istringstream words(line);
    std::string from, word;
    words >> from;
    if (from == "->") {
      from.clear();
    } else if (!(words >> word) || word != "->") {
      continue;
    }
    while (words >> word) {
      if (word != "|") listed.insert({from, word});
    }
  }
  EXPECT_EQ(listed, kLegal);
}

// The schema refuses what this program would not do, and nothing else: its rows are this table.
TEST(Transitions, AreTheRowsOfTheSchema) {
  const test::JournalFolder folder;
  test::create_journal(folder.journal());
  std::set<std::pair<std::string, std::string>> rows;
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(folder.journal().c_str(), &database), SQLITE_OK);
  const auto collect = [](void* into, int, char** values, char**) {
    static_cast<std::set<std::pair<std::string, std::string>>*>(into)->insert(
        {values[0], values[1]});
    return 0;
  };
  ASSERT_EQ(sqlite3_exec(database, "SELECT from_phase, to_phase FROM legal_transition", collect,
                         &rows, nullptr),
            SQLITE_OK);
  sqlite3_close(database);
  std::set<std::pair<std::string, std::string>> ours;
  for (const Transition& row : transitions()) {
    ours.insert({row.from ? std::string(name_of(*row.from)) : "", std::string(name_of(row.to))});
  }
  EXPECT_EQ(rows, ours);
}

}  // namespace
}  // namespace update
