#include "packaging/documents/vocabulary.hpp"

namespace update::documents {
namespace {

constexpr std::string_view kFishLogic = R"fish(
# The words before the one that is completed, without options and their values.
function __banger_update_words
    set -l words
    set -l value
    for word in (commandline -opc)[2..-1]
        if test -n "$value"
            set value
        else if contains -- $word $__banger_update_with_value
            set value $word
        else if not string match -q -- '-?*' $word
            set -a words $word
        end
    end
    set -q words[1]
    and printf '%s\n' $words
end

# Is the command line one of exactly this command so far?
function __banger_update_is
    set -l words (__banger_update_words)
    set -l length (count $argv)
    test $length -eq 0
    or test "$words[1..$length]" = "$argv"
end

# ... and the argument of this number (from 0) comes next?
function __banger_update_wants
    __banger_update_is $argv[2..-1]
    and test (count (__banger_update_words)) -eq (math (count $argv[2..-1]) + $argv[1])
end

complete -c banger-update -f
)fish";

std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char byte : text) {
    if (byte == '\'' || byte == '\\') out.push_back('\\');
    out.push_back(byte);
  }
  return out + "'";
}

std::string candidates(const Value& value) {
  switch (value.kind) {
    case Value::Kind::none: return "";
    case Value::Kind::other: return " -x";
    case Value::Kind::file: return " -r -F";
    case Value::Kind::folder: return " -x -a '(__fish_complete_directories)'";
    case Value::Kind::words: break;
  }
  std::string words;
  for (const std::string& word : value.words) words.append(words.empty() ? "" : " ").append(word);
  return " -x -a " + quoted(words);
}

std::string completed(const std::string& condition) {
  return "complete -c banger-update" + (condition.empty() ? "" : " -n " + quoted(condition));
}

std::string fish_options(const std::string& condition, const std::vector<Option>& options) {
  std::string lines;
  for (const Option& option : options) {
    lines.append(completed(condition));
    for (const std::string& spelling : option.spellings) {
      lines.append(spelling.starts_with("--") ? " -l " + spelling.substr(2)
                                              : " -s " + spelling.substr(1));
    }
    lines.append(candidates(option.value) + " -d " + quoted(option.description) + "\n");
  }
  return lines;
}

// The word before the arguments: "complete … -a apply -d 'install a release'".
std::string word_line(const std::string& condition, std::string_view word,
                      std::string_view description) {
  return completed(condition) + " -a " + std::string(word) + " -d " + quoted(description) + "\n";
}

std::string argument_lines(const CommandWords& command) {
  std::string lines;
  for (std::size_t at = 0; at < command.arguments.size(); ++at) {
    const Value& value = command.arguments[at];
    if (value.kind != Value::Kind::file && value.kind != Value::Kind::folder) continue;
    lines.append(completed("__banger_update_wants " + std::to_string(at) + " " + command.name));
    lines.append(value.kind == Value::Kind::file ? " -F\n"
                                                 : " -a '(__fish_complete_directories)'\n");
  }
  return lines;
}

void add_with_value(std::string& all, const std::vector<Option>& options) {
  for (const Option& option : options) {
    if (option.value.kind == Value::Kind::none) continue;
    for (const std::string& spelling : option.spellings) {
      if ((all + " ").find(" " + spelling + " ") == std::string::npos) all.append(" " + spelling);
    }
  }
}

// --version takes a value after `release make` alone.
std::string with_value(const Vocabulary& vocabulary) {
  std::string all;
  add_with_value(all, vocabulary.global_options);
  for (const Family& family : vocabulary.families) {
    for (const CommandWords& command : family.commands) add_with_value(all, command.options);
  }
  return "set -g __banger_update_with_value" + all + "\n";
}

std::string family_lines(const Family& family) {
  std::string lines = word_line("__banger_update_wants 0", family.name, family.description);
  for (const CommandWords& command : family.commands) {
    if (family.has_second_words()) {
      lines.append(word_line("__banger_update_wants 0 " + family.name, second_word(command),
                             command.description));
    }
    lines.append(fish_options("__banger_update_is " + command.name, command.options));
    lines.append(argument_lines(command));
  }
  if (family.stands_alone) {
    lines.append(
        fish_options("__banger_update_wants 0 " + family.name, family.commands.front().options));
  }
  return lines;
}

}  // namespace

std::string fish_completion(const Vocabulary& vocabulary) {
  std::string text =
      "# Completion of banger-update in fish; made from what the program declares.\n\n";
  text.append(with_value(vocabulary)).append(kFishLogic);
  text.append(fish_options("", vocabulary.global_options));
  for (const Family& family : vocabulary.families) text.append(family_lines(family));
  return text;
}

}  // namespace update::documents
