#include "cli/output.hpp"

#include <gtest/gtest.h>

#include "tests/cli/recording_console.hpp"

namespace update::cli {
namespace {

TEST(Table, ColumnsBeginUnderEachOtherAndLinesEndWithoutBlanks) {
  Table table(false);
  table.add({{"a"}, {"bb"}, {"c"}});
  table.add({{"long"}, {"b"}, {""}});
  table.add({{""}, {"x"}});
  EXPECT_EQ(table.text(), "a     bb  c\nlong  b\n      x\n");
  EXPECT_EQ(table.text("> "), "> a     bb  c\n> long  b\n>       x\n");
}

TEST(Table, CountsCharactersAndNotBytes) {
  Table table(false);
  table.add({{"ä"}, {"1"}});
  table.add({{"ab"}, {"2"}});
  EXPECT_EQ(table.text(), "ä   1\nab  2\n");
}

TEST(Table, ColoursDoNotMoveAColumn) {
  Table plain(false);
  Table coloured_table(true);
  for (Table* table : {&plain, &coloured_table}) {
    table->add({{"ok", Colour::good}, {"x"}});
    table->add({{"changed", Colour::bad}, {"y"}});
  }
  std::string text = coloured_table.text();
  EXPECT_NE(text, plain.text());
  for (const char* code : {"\x1b[32m", "\x1b[31m", "\x1b[0m"}) {
    for (std::size_t at = text.find(code); at != std::string::npos; at = text.find(code)) {
      text.erase(at, std::string_view(code).size());
    }
  }
  EXPECT_EQ(text, plain.text());
}

TEST(Output, TellsDurationsForPeople) {
  EXPECT_EQ(duration_text(0), "0 ms");
  EXPECT_EQ(duration_text(812), "812 ms");
  EXPECT_EQ(duration_text(12'345), "12.3 s");
  EXPECT_EQ(duration_text(245'000), "4 min 5 s");
}

TEST(Output, CountsInWords) {
  EXPECT_EQ(counted(0, "file"), "0 files");
  EXPECT_EQ(counted(1, "file"), "1 file");
  EXPECT_EQ(counted(2, "file"), "2 files");
}

TEST(Output, ErrorIsTwoEscapedLines) {
  const Error error = Error(ErrorCode::not_trusted, "bad\x1b[31m name").hint("remove \x07it");
  EXPECT_EQ(error_text(error), "banger-update: bad\\x1b[31m name\nhint: remove \\x07it\n");
  EXPECT_EQ(error_text(Error(ErrorCode::failed, "x")), "banger-update: x\n");
}

struct ColourCase {
  const char* when;
  bool terminal;
  bool plain;
  bool coloured;
};

class ColourRule : public testing::TestWithParam<ColourCase> {};

TEST_P(ColourRule, IsKept) {
  Program program;
  program.console.terminal = GetParam().terminal;
  program.plain = GetParam().plain;
  EXPECT_EQ(program.run({"status", "--color", GetParam().when}), 0);
  EXPECT_EQ(contains(program.console.out_text, "\x1b["), GetParam().coloured);
}

INSTANTIATE_TEST_SUITE_P(Output, ColourRule,
                         testing::Values(ColourCase{"auto", true, false, true},
                                         ColourCase{"auto", false, false, false},
                                         ColourCase{"auto", true, true, false},
                                         ColourCase{"never", true, false, false},
                                         ColourCase{"always", false, true, true}));

}  // namespace
}  // namespace update::cli
