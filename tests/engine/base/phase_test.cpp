#include "engine/base/phase.hpp"

#include <gtest/gtest.h>

#include <set>

namespace update {
namespace {

TEST(Phase, EveryNameLeadsBackToItsPhase) {
  std::set<std::string_view> names;
  for (const Phase phase : kAllPhases) {
    EXPECT_EQ(phase_of(name_of(phase)), phase);
    names.insert(name_of(phase));
  }
  EXPECT_EQ(names.size(), kAllPhases.size());
}

// Journals of older versions hold these words.
TEST(Phase, NamesAreFrozen) {
  const std::set<std::string_view> contract = {
      "stage",     "backup",   "swap",        "restart",        "doctor",
      "committed", "rollback", "rolled_back", "needs_operator", "abandoned"};
  std::set<std::string_view> names;
  for (const Phase phase : kAllPhases) names.insert(name_of(phase));
  EXPECT_EQ(names, contract);
}

TEST(Phase, UnknownNameIsNoPhase) {
  for (const std::string_view bad : {"", "Stage", "stage ", "done"}) {
    EXPECT_EQ(phase_of(bad), std::nullopt) << bad;
  }
}

TEST(Phase, OnlyEndsAreFinal) {
  for (const Phase phase : kAllPhases) {
    const bool end =
        phase == Phase::committed || phase == Phase::rolled_back || phase == Phase::abandoned;
    EXPECT_EQ(is_final(phase), end) << name_of(phase);
  }
}

}  // namespace
}  // namespace update
