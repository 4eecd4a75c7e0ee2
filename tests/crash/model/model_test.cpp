// The protocol itself, without its code: every order of two workers, and every kill and power cut.
#include <gtest/gtest.h>

#include <iostream>
#include <regex>

#include "engine/transaction/transitions.hpp"
#include "recovery/decision.hpp"
#include "tests/crash/model/search.hpp"
#include "tests/crash/sampling.hpp"
#include "tests/scenario/host.hpp"

namespace update::crash {
namespace {

#define NEEDS_SPIN()  \
  NEEDS_TOOL("spin"); \
  NEEDS_TOOL("cc")

void report(const std::string& name, const Search& search) {
  std::cout << "model, " << name << ": " << search.states << " states, "
            << (search.complete ? "all" : "not all") << " of them visited, "
            << (search.violation.empty() ? "no violation" : search.violation) << "\n";
}

class EveryPolicy : public testing::TestWithParam<const char*> {};

TEST_P(EveryPolicy, KeepsTheInvariantsThroughEveryCrash) {
  NEEDS_SPIN();
  std::vector<std::string> definitions = {std::string("POLICY=") + GetParam()};
  if (full_sweep()) definitions.insert(definitions.end(), {"CRASHES=3", "TRANSACTIONS=2"});
  const Search search = search_model(definitions);
  report(GetParam(), search);
  EXPECT_EQ(search.violation, "") << search.output;
  EXPECT_TRUE(search.complete) << search.output;
  EXPECT_GT(search.states, full_sweep() ? 10'000'000U : 1'000'000U);
}

INSTANTIATE_TEST_SUITE_P(Model, EveryPolicy, testing::Values("automatic", "puts_back", "replays"),
                         [](const auto& of) { return std::string(of.param); });

TEST(Model, NeverRunsForEver) {
  NEEDS_SPIN();
  const std::string crashes = full_sweep() ? "CRASHES=2" : "CRASHES=1";
  const Search search = search_model({crashes}, SearchFor::endless);
  report("endless runs", search);
  EXPECT_EQ(search.violation, "") << search.output;
  EXPECT_TRUE(search.complete) << search.output;
  EXPECT_GT(search.states, 100'000U);
}

std::set<Move> table() {
  std::set<Move> moves;
  for (const Transition& row : transitions()) {
    moves.insert(
        {row.from ? std::string(name_of(*row.from)) : "none", std::string(name_of(row.to))});
  }
  return moves;
}

std::set<Move> written_moves() {
  const std::string text = model_text("host.pml") + model_text("update.pml");
  const std::regex move(R"(\bgo\((\w+), (\w+)\))");
  std::set<Move> moves;
  for (std::sregex_iterator at(text.begin(), text.end(), move), end; at != end; ++at) {
    moves.insert({(*at)[1].str(), (*at)[2].str()});
  }
  moves.erase({"from", "to"});
  return moves;
}

TEST(Model, HasTheMovesOfTheTableAndNoOthers) {
  EXPECT_EQ(written_moves(), table());
}

TEST(Model, TakesEachMoveOfTheTable) {
  NEEDS_SPIN();
  // With the program's limit it would take five crashes to see a person asked for want of progress.
  const Search search = search_model({"WITHOUT_PROGRESS=1"});
  report("every move", search);
  EXPECT_EQ(search.violation, "") << search.output;
  EXPECT_EQ(search.moves, table());
}

TEST(Model, AsksForAPersonWhenTheProgramDoes) {
  Situation now;
  now.phase = Phase::rollback;
  while (decide(now).action != Action::ask_operator) ++now.without_progress;
  EXPECT_NE(model_text("bounds.pml")
                .find("#define WITHOUT_PROGRESS " + std::to_string(now.without_progress) + " "),
            std::string::npos);
}

struct Precaution {
  const char* name;
  std::vector<std::string> definitions = {};  // what it takes to come to the harm
};

const std::vector<Precaution>& precautions() {
  static const std::vector<Precaution> kAll = {
      {"file_sync"},      {"backup_sync"},
      {"intent_to_swap"}, {"swap_sync"},
      {"intent_to_run"},  {"doctor_first"},
      {"intent_to_undo"}, {"undo_sync"},
      {"outcome"},        {"note_of_waiting"},
      {"count_durable"},  {"count", {"POLICY=replays"}},
      {"look_at_disk"},   {"one_lock"},
      {"look_at_boot"},   {"forced_sync", {"WITHOUT_PROGRESS=1"}}};
  return kAll;
}

class WithoutPrecaution : public testing::TestWithParam<Precaution> {};

TEST_P(WithoutPrecaution, TheHarmIsFound) {
  NEEDS_SPIN();
  std::vector<std::string> definitions = GetParam().definitions;
  definitions.push_back(std::string("WEAK=") + GetParam().name);
  const Search search = search_model(definitions);
  report(std::string("without ") + GetParam().name, search);
  EXPECT_TRUE(search.violation.starts_with("assertion violated")) << search.output;
}

INSTANTIATE_TEST_SUITE_P(Model, WithoutPrecaution, testing::ValuesIn(precautions()),
                         [](const auto& of) { return std::string(of.param.name); });

TEST(Model, EachPrecautionIsLeftOutOnce) {
  std::set<std::string> tried = {"all_are_taken"};
  for (const Precaution& precaution : precautions()) tried.insert(precaution.name);
  const std::string text = model_text("bounds.pml");
  const std::size_t begin = text.find("mtype:precaution = {");
  ASSERT_NE(begin, std::string::npos);
  const std::string list = text.substr(begin, text.find('}', begin) - begin);
  const std::regex name(R"(\n  (\w+))");
  std::set<std::string> listed;
  for (std::sregex_iterator at(list.begin(), list.end(), name), end; at != end; ++at) {
    listed.insert((*at)[1].str());
  }
  EXPECT_EQ(listed, tried);
}

}  // namespace
}  // namespace update::crash
