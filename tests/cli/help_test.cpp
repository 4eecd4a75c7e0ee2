// A command's .md is its --help: what it says must be what the program takes.

#include "cli/help.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>

#include "tests/cli/recording_console.hpp"

namespace update::cli {
namespace {

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  std::istringstream stream{std::string(text)};
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::vector<std::string> section(std::string_view text, const std::string& title) {
  std::vector<std::string> lines;
  bool inside = false;
  for (const std::string& line : lines_of(text)) {
    if (line.starts_with("#")) inside = line == "## " + title;
    if (inside) lines.push_back(line);
  }
  return lines;
}

// The options that a section lists: "    -v, --verbose   what it does", "    --to ID   …".
std::set<std::string> listed_options(std::string_view text, const std::string& title) {
  std::set<std::string> found;
  for (const std::string& line : section(text, title)) {
    if (!line.starts_with("    -")) continue;
    const std::string head = line.substr(4, line.find("  ", 4) - 4);
    std::istringstream words(head);
    for (std::string word; words >> word;) {
      if (word.ends_with(',')) word.pop_back();
      if (word.starts_with('-') || word == word.substr(0, 1)) {
        found.insert(word);
      } else {
        found.insert("=" + word);
      }
    }
  }
  return found;
}

std::set<std::string> taken_options(std::span<const OptionSpec> specs) {
  std::set<std::string> taken;
  for (const OptionSpec& spec : specs) {
    if (spec.name.size() > 1) taken.insert("--" + std::string(spec.name));
    if (spec.letter != '\0') taken.insert("-" + std::string(1, spec.letter));
    if (!spec.value.empty()) taken.insert("=" + std::string(spec.value));
  }
  return taken;
}

TEST(Help, ListsExactlyTheOptionsThatAFamilyTakes) {
  std::map<std::string, std::set<std::string>> taken;
  for (const Command* command : commands()) {
    taken[std::string(command->family())].merge(taken_options(command->options));
  }
  for (const auto& [family, options] : taken) {
    std::set<std::string> listed = listed_options(help_of(family), "OPTIONS");
    std::set<std::string> expected = options;
    // Of one letter: its placeholder cannot be told from a letter's.
    listed.erase("N");
    expected.erase("=N");
    EXPECT_EQ(listed, expected) << family;
  }
}

TEST(Help, ListsExactlyTheGlobalOptions) {
  EXPECT_EQ(listed_options(help_of("banger-update"), "GLOBAL OPTIONS"),
            taken_options(global_options()));
}

TEST(Help, NamesEveryCommandAndNoOther) {
  const std::string text(help_of("banger-update"));
  std::set<std::string> families;
  for (const Command* command : commands()) families.insert(std::string(command->family()));
  for (const Command* command : commands()) {
    const std::string name(command->name);
    EXPECT_TRUE(contains(text, "\n    " + name) || name == "history list") << name;
  }
  for (const std::string& line : section(text, "COMMANDS")) {
    if (!line.starts_with("    ") || line[4] == ' ') continue;
    EXPECT_TRUE(families.contains(line.substr(4, line.find(' ', 4) - 4))) << line;
  }
}

TEST(Help, OfEveryCommandReadsWellInATerminal) {
  std::set<std::string> names = {"banger-update"};
  for (const Command* command : commands()) names.insert(std::string(command->family()));
  for (const std::string& name : names) {
    const std::string_view text = help_of(name);
    for (const std::string& line : lines_of(text)) {
      EXPECT_LE(line.size(), 80U) << name << ": " << line;
      EXPECT_FALSE(contains(line, "\t")) << name << ": " << line;
    }
    for (const char* title : {"SYNOPSIS", "EXIT STATUS"}) {
      EXPECT_GT(section(text, title).size(), 1U) << name << " lacks " << title;
    }
    if (name == "banger-update") continue;
    for (const char* title : {"DESCRIPTION", "OPTIONS", "EXAMPLES"}) {
      EXPECT_GT(section(text, title).size(), 1U) << name << " lacks " << title;
    }
  }
}

TEST(Help, SynopsisNamesEveryOptionOfRecoverThatEndsAnUpdate) {
  const std::string text(help_of("recover"));
  for (const char* option : {"--force-rollback", "--force-commit", "--abandon", "--reason"}) {
    EXPECT_TRUE(contains(text, option));
  }
}

TEST(Help, StandsBeforeAndAfterEveryCommandAndNeedsNoConfiguration) {
  Program program;
  program.fake.files.put_file("/etc/banger/update.toml", "not = [ a configuration");
  for (const Command* command : commands()) {
    std::vector<std::string> words;
    std::istringstream name{std::string(command->name)};
    for (std::string word; name >> word;) words.push_back(word);
    for (const char* option : {"-h", "--help"}) {
      auto after = words;
      after.push_back(option);
      EXPECT_EQ(program.run(after), 0);
      EXPECT_EQ(program.console.out_text, help_of(command->family())) << command->name;
      auto before = words;
      before.insert(before.begin(), option);
      EXPECT_EQ(program.run(before), 0);
      EXPECT_EQ(program.console.out_text, help_of(command->family())) << command->name;
    }
  }
  EXPECT_EQ(program.run({"--help"}), 0);
  EXPECT_EQ(program.console.out_text, help_of("banger-update"));
}

}  // namespace
}  // namespace update::cli
