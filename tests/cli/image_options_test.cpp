// What the commands of the images refuse before they look at any image.

#include <gtest/gtest.h>

#include "tests/cli/recording_console.hpp"

namespace update::cli {
namespace {

using Words = std::vector<std::string>;

class WrongImageWords : public testing::TestWithParam<Words> {};

TEST_P(WrongImageWords, AreAUsageErrorWithAHintOrTheOption) {
  Program program;
  EXPECT_EQ(program.run(GetParam()), 2) << program.console.err_text;
  EXPECT_FALSE(program.console.err_text.empty());
  EXPECT_EQ(program.console.out_text, "");
}

INSTANTIATE_TEST_SUITE_P(
    Cli, WrongImageWords,
    testing::Values(Words{"work-disk", "a", "b"}, Words{"work-disk", "a", "b", "--size", "0"},
                    Words{"work-disk", "a", "b", "--size", "much"},
                    Words{"work-disk", "a", "b", "--size", "18446744073709551615"},
                    Words{"work-disk", "a", "--size", "8GiB"}, Words{"ext4", "mkfs", "a"},
                    Words{"ext4", "mkfs", "a", "--size", "1G", "--uuid", "12"},
                    Words{"ext4", "mkfs", "a", "--size", "1G", "--hash-seed", "x"},
                    Words{"ext4", "mkfs", "a", "--size", "1G", "--label", "seventeen letters"},
                    Words{"ext4", "mkdir", "a", "/b", "--mode", "0888"},
                    Words{"ext4", "mkdir", "a", "/b", "--mode", "77777"},
                    Words{"ext4", "mkdir", "a", "/b", "--owner", "root"},
                    Words{"ext4", "mkdir", "a", "/b", "--owner", "4294967295"},
                    Words{"ext4", "mkdir", "a", "/"}, Words{"ext4", "mkdir", "a", "/x/../y"},
                    Words{"ext4", "ls", "a", ".."}, Words{"ext4", "cat", "a"}, Words{"clone", "a"},
                    Words{"ext4"}, Words{"ext4", "format", "a"}));

TEST(ImageCommand, ReadsNoConfiguration) {
  Program program;
  program.fake.files.put_file("/etc/banger/update.toml", "not = [ a configuration");
  EXPECT_EQ(program.run({"ext4", "check", "/etc/none.ext4"}), 1);
}

TEST(ImageCommand, RefusesAnEpochThatIsNoTime) {
  Program program;
  Invocation invocation{"banger-update",
                        {"ext4", "mkfs", "/etc/a", "--size", "1G"},
                        program.fake.system,
                        program.console,
                        {},
                        "yesterday",
                        false};
  EXPECT_EQ(run(invocation), 2);
  EXPECT_TRUE(contains(program.console.err_text, "SOURCE_DATE_EPOCH"));
}

}  // namespace
}  // namespace update::cli
