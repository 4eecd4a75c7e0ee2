#include "cli/progress.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/cli/recording_console.hpp"

namespace update::cli {
namespace {

class ProgressTest : public testing::Test {
 protected:
  FakeSystem fake;
  RecordingConsole console;
  Log log{console, false};
};

TEST_F(ProgressTest, WithoutAStyleNothingIsDrawn) {
  Progress progress(console, log, fake.clock, ProgressStyle::none);
  progress.phase(Phase::stage, "staging");
  progress.progress(1, 2);
  EXPECT_EQ(console.err_text, "");
}

TEST_F(ProgressTest, PlainIsALineAPhaseWithoutControlCharacters) {
  Progress progress(console, log, fake.clock, ProgressStyle::plain);
  progress.phase(Phase::stage, "staging\x1b[2J");
  progress.progress(1, 2);
  EXPECT_EQ(console.err_text, "stage: staging\\x1b[2J\n");
}

TEST_F(ProgressTest, BarIsDrawnSeldomAndAtTheEnd) {
  Progress progress(console, log, fake.clock, ProgressStyle::bar);
  progress.phase(Phase::stage, "staging");
  for (std::uint64_t done = 0; done <= 1000; ++done) progress.progress(done, 1000);
  EXPECT_TRUE(contains(console.err_text, "100%"));
  EXPECT_LT(std::count(console.err_text.begin(), console.err_text.end(), '\r'), 6);
  fake.clock.advance_ms(200);
  const std::size_t before = console.err_text.size();
  progress.progress(1, 1000);
  EXPECT_GT(console.err_text.size(), before);
}

TEST_F(ProgressTest, BarIsTakenAwayBeforeAWarningAndAtTheEnd) {
  {
    Progress progress(console, log, fake.clock, ProgressStyle::bar);
    progress.phase(Phase::stage, "staging");
    progress.warning("disk is\x07 old");
    EXPECT_TRUE(console.err_text.ends_with("\r\x1b[Kbanger-update: warning: disk is\\x07 old\n"));
    progress.progress(1, 2);
  }
  EXPECT_TRUE(console.err_text.ends_with("\r\x1b[K"));
}

TEST(BarLine, HoldsForAnyNumbers) {
  EXPECT_TRUE(contains(bar_line("x", 0, 0), "  0%"));
  EXPECT_TRUE(contains(bar_line("x", 512, 1024), "[############............]  50%"));
  EXPECT_TRUE(contains(bar_line("x", 5, 2), "100%"));
  EXPECT_TRUE(contains(bar_line("x", UINT64_MAX, UINT64_MAX), "100%"));
}

}  // namespace
}  // namespace update::cli
