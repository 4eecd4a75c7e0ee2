#include "tests/fake/loss_pattern.hpp"

#include <set>

#include "tests/fake/fake_test.hpp"

namespace update {
namespace {

// The classic update, with one sync left out: the enumeration must find the state that breaks it.
enum class Omit { nothing, file_sync, staging_sync };

bool always_old_or_new(Omit omit) {
  FakeFileSystem fs;
  fs.put_file("/d/live", "old");
  {
    auto d = fs.open_folder("/d").value();
    auto staged = d->create_file(".s", 0755).value();
    EXPECT_TRUE(write_text(*staged, "new"));
    EXPECT_TRUE(omit == Omit::file_sync || staged->sync());
    EXPECT_TRUE(d->link("live", *d, ".b"));
    EXPECT_TRUE(omit == Omit::staging_sync || d->sync());
    EXPECT_TRUE(d->rename(".s", "live"));
  }
  for (const LossPattern& pattern : every_pattern(fs.pending_count(), true)) {
    FakeFileSystem cut(fs.disk());
    cut.lose(pattern);
    const auto live = cut.read("/d/live");
    const bool whole = live == "old" || live == "new";
    if (!whole || cut.read("/d/.b") != "old") return false;
  }
  return true;
}

TEST(LossPatternTest, finds_each_sync_that_was_left_out) {
  EXPECT_TRUE(always_old_or_new(Omit::nothing));
  EXPECT_FALSE(always_old_or_new(Omit::file_sync));
  EXPECT_FALSE(always_old_or_new(Omit::staging_sync));
}

TEST(LossPatternTest, tries_every_operation_alone_left_out_and_damaged) {
  const auto fates = [](const LossPattern& pattern) {
    std::string text;
    for (std::size_t index = 0; index < 3; ++index) {
      text.push_back("kltz"[static_cast<std::size_t>(pattern.fate(index))]);
    }
    return text;
  };
  std::set<std::string> tried;
  for (const LossPattern& pattern : every_pattern(3)) tried.insert(fates(pattern));
  EXPECT_EQ(tried, (std::set<std::string>{"kkk", "lll", "kll", "kkl", "lkk", "klk", "llk",
                                          "lkl", "tkk", "ktk", "kkt", "zkk", "kzk", "kkz",
                                          "tll", "ltl", "llt", "zll", "lzl", "llz"}));
  EXPECT_EQ(every_pattern(0).size(), 2U);
  EXPECT_EQ(every_pattern(5, true).size() - every_pattern(5).size(), 10U) << "pairs";
}

TEST(LossPatternTest, keeps_each_prefix_too) {
  std::set<std::string> names;
  for (const LossPattern& pattern : every_pattern(4)) names.insert(pattern.name());
  EXPECT_TRUE(names.contains("first 2 kept"));
}

TEST(LossPatternTest, random_patterns_repeat_and_differ_by_seed) {
  std::set<std::string> different;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    std::string fates;
    for (std::size_t index = 0; index < 20; ++index) {
      const Fate fate = LossPattern::random(seed).fate(index);
      EXPECT_EQ(fate, LossPattern::random(seed).fate(index));
      fates += std::to_string(static_cast<int>(fate));
    }
    different.insert(fates);
    for (const char each : {'0', '1'}) EXPECT_NE(fates.find(each), std::string::npos) << fates;
  }
  EXPECT_EQ(different.size(), 20U);
}

}  // namespace
}  // namespace update
