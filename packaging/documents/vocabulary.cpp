#include "packaging/documents/vocabulary.hpp"

#include <algorithm>
#include <array>
#include <sstream>

#include "cli/command.hpp"
#include "cli/help.hpp"
#include "packaging/documents/help_page.hpp"

namespace update::documents {
namespace {

constexpr std::array<std::string_view, 9> kFiles = {"FILE",   "KEY",  "LIST",  "SOURCE", "SRC",
                                                    "ROOTFS", "SEED", "IMAGE", "DISK"};
constexpr std::array<std::string_view, 3> kFolders = {"DIR", "FOLDER", "RELEASE"};

bool is_one_of(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

// "auto, bar, plain or none; auto: a bar on a terminal": the four words. Nothing where the text is
// none of a choice.
std::vector<std::string> words_of(std::string_view description) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz_";
  std::vector<std::string> words;
  bool last = false;
  while (true) {
    const std::string_view word = description.substr(0, description.find_first_not_of(kLetters));
    if (word.empty()) return {};
    words.emplace_back(word);
    description.remove_prefix(word.size());
    if (last) return words;
    last = description.starts_with(" or ");
    if (!last && !description.starts_with(", ")) return {};
    description.remove_prefix(last ? 4 : 2);
  }
}

Value value_of(std::string_view name, std::string_view description) {
  Value value;
  value.name = name;
  if (name.empty()) return value;
  value.words = words_of(description);
  value.kind = !value.words.empty()        ? Value::Kind::words
               : is_one_of(kFiles, name)   ? Value::Kind::file
               : is_one_of(kFolders, name) ? Value::Kind::folder
                                           : Value::Kind::other;
  return value;
}

// "IMAGE [PATH] --size SIZE": what is an option is not told here.
std::vector<Value> arguments_of(std::string_view text) {
  std::vector<Value> arguments;
  std::istringstream words{std::string(text)};
  for (std::string word; words >> word;) {
    if (word.starts_with('-')) {
      words >> word;
      continue;
    }
    std::erase_if(word, [](char byte) { return byte == '[' || byte == ']'; });
    arguments.push_back(value_of(word, ""));
  }
  return arguments;
}

bool term_has(const std::string& term, std::string_view word) {
  std::string spaced = " " + term + " ";
  std::ranges::replace(spaced, ',', ' ');
  return spaced.find(" " + std::string(word) + " ") != std::string::npos;
}

// What the section says of an option; where it does so more than once, what stands after a
// paragraph that names the command ("For `mkfs`:").
std::string description_of(const Section& section, std::string_view option,
                           std::string_view command) {
  std::string found;
  bool for_command = false;
  for (const Block& block : section.blocks) {
    if (block.kind == Block::Kind::paragraph) {
      std::string lead;
      for (const std::string& line : block.lines) lead.append(line);
      for_command = lead.find("`" + std::string(command) + "`") != std::string::npos;
    }
    for (const Entry& entry : block.entries) {
      if (!term_has(entry.term, option)) continue;
      if (for_command) return entry.text;
      if (found.empty()) found = entry.text;
    }
  }
  return found;
}

Option option_of(const cli::OptionSpec& spec, const Section& section, std::string_view command) {
  Option option;
  if (spec.letter != '\0') option.spellings.push_back("-" + std::string(1, spec.letter));
  for (const std::string_view name : {spec.name, spec.alias}) {
    if (name.size() > 1) option.spellings.push_back("--" + std::string(name));
  }
  const std::string text = description_of(section, option.spellings.back(), command);
  const std::string other = description_of(section, option.spellings.front(), command);
  option.description = other.empty() ? text : other;
  option.value = value_of(spec.value, option.description);
  option.description = option.description.substr(0, option.description.find(';'));
  return option;
}

// From the list of commands of the main text: "history show ID".
std::string purpose_of(const Section& commands, std::string_view name) {
  for (const Block& block : commands.blocks) {
    for (const Entry& entry : block.entries) {
      std::string term = entry.term + " ";
      std::erase_if(term, [](char byte) { return byte == '[' || byte == ']'; });
      if (term.starts_with(std::string(name) + " ")) return entry.text;
    }
  }
  return "";
}

}  // namespace

std::string_view second_word(const CommandWords& command) {
  return std::string_view(command.name).substr(command.name.find(' ') + 1);
}

Vocabulary vocabulary() {
  const auto main_text = parse_help(cli::help_of("banger-update"));
  const Section list = section_of(main_text, "COMMANDS");
  Vocabulary words;
  for (const cli::OptionSpec& spec : cli::global_options()) {
    words.global_options.push_back(option_of(spec, section_of(main_text, "GLOBAL OPTIONS"), ""));
  }
  for (const cli::Command* command : cli::commands()) {
    const auto text = parse_help(cli::help_of(command->family()));
    if (words.families.empty() || words.families.back().name != command->family()) {
      words.families.push_back({std::string(command->family()),
                                name_and_purpose(text).text,
                                {},
                                cli::stands_alone(command->family())});
    }
    CommandWords made;
    made.name = command->name;
    made.description = purpose_of(list, command->name);
    made.arguments = arguments_of(command->arguments);
    for (const cli::OptionSpec& spec : command->options) {
      made.options.push_back(option_of(spec, section_of(text, "OPTIONS"), second_word(made)));
    }
    words.families.back().commands.push_back(std::move(made));
  }
  return words;
}

}  // namespace update::documents
