#include <algorithm>

#include "packaging/documents/vocabulary.hpp"

namespace update::documents {
namespace {

// Between single quotes; what _arguments itself would take for syntax has a backslash.
std::string explained(std::string_view text) {
  std::string out;
  for (const char byte : text) {
    if (byte == '\'') {
      out.append("'\\''");
      continue;
    }
    if (byte == '[' || byte == ']' || byte == ':' || byte == '\\') out.push_back('\\');
    out.push_back(byte);
  }
  return out;
}

std::string action(const Value& value) {
  switch (value.kind) {
    case Value::Kind::file: return "_files";
    case Value::Kind::folder: return "_files -/";
    case Value::Kind::words: break;
    case Value::Kind::none:
    case Value::Kind::other: return " ";
  }
  std::string words;
  for (const std::string& word : value.words) words.append(words.empty() ? "" : " ").append(word);
  return "(" + words + ")";
}

std::string message_and_action(const Value& value) {
  return ":" + value.name + ":" + action(value);
}

// --output=json and --output json; -n5 and -n 5.
std::string zsh_option(const Option& option) {
  std::string excluded;
  for (const std::string& spelling : option.spellings) {
    excluded.append(excluded.empty() ? "" : " ").append(spelling);
  }
  std::string lines;
  for (const std::string& spelling : option.spellings) {
    lines.append(" \\\n    '(").append(excluded).append(")").append(spelling);
    if (option.value.kind != Value::Kind::none) {
      lines.append(spelling.starts_with("--") ? "=" : "+");
    }
    lines.append("[" + explained(option.description) + "]");
    if (option.value.kind != Value::Kind::none) lines.append(message_and_action(option.value));
    lines.append("'");
  }
  return lines;
}

std::string zsh_options(const std::vector<Option>& options) {
  std::string lines;
  for (const Option& option : options) lines.append(zsh_option(option));
  return lines;
}

std::string function_name(std::string_view command) {
  std::string name = "_banger-update-" + std::string(command);
  for (char& byte : name) byte = byte == ' ' ? '-' : byte;
  return name;
}

// A command's own option hides a global one of the same name.
std::string global_words(const CommandWords& command, const std::vector<Option>& global) {
  std::string words = "_banger_update_global";
  for (const Option& own : command.options) {
    for (const Option& other : global) {
      const bool hidden =
          std::ranges::find_first_of(own.spellings, other.spellings) != own.spellings.end();
      if (hidden) words.append(":#*\\)" + other.spellings.back() + "\\[*");
    }
  }
  return "${" + words + "}";
}

std::string command_function(const CommandWords& command, const std::vector<Option>& global) {
  std::string text = "(( $+functions[" + function_name(command.name) + "] )) ||\n";
  text.append(function_name(command.name) + "() {\n  _arguments -s -S ");
  text.append(global_words(command, global));
  text.append(zsh_options(command.options));
  for (std::size_t at = 0; at < command.arguments.size(); ++at) {
    text.append(" \\\n    '" + std::to_string(at + 1) + message_and_action(command.arguments[at]) +
                "'");
  }
  return text + "\n}\n\n";
}

std::string described(std::string_view word, std::string_view description) {
  return "    '" + std::string(word) + ":" + explained(description) + "'\n";
}

// A first word, then what belongs to it.
std::string chooser(const std::string& name, const std::string& choices,
                    const std::string& own_options, const std::string& branches) {
  std::string text = name + "() {\n  local curcontext=$curcontext state line\n";
  text.append("  typeset -A opt_args\n  local -a choices=(\n" + choices + "  )\n");
  text.append("  _arguments -s -S -C $_banger_update_global" + own_options);
  text.append(" \\\n    '1:command:->command' '*::argument:->argument' && return\n");
  text.append("  case $state in\n    command) _describe -t commands command choices ;;\n");
  text.append("    argument) case $words[1] in\n" + branches + "    esac ;;\n  esac\n}\n\n");
  return text;
}

std::string zsh_branch(std::string_view word, std::string_view command) {
  return "      " + std::string(word) + ") " + function_name(command) + " ;;\n";
}

std::string family_function(const Family& family) {
  std::string choices;
  std::string branches;
  for (const CommandWords& command : family.commands) {
    choices.append(described(second_word(command), command.description));
    branches.append(zsh_branch(second_word(command), command.name));
  }
  const std::string own =
      family.stands_alone ? zsh_options(family.commands.front().options) : std::string();
  return chooser(function_name(family.name), choices, own, branches);
}

}  // namespace

std::string zsh_completion(const Vocabulary& vocabulary) {
  std::string text =
      "#compdef banger-update\n"
      "# Completion of banger-update in zsh; made from what the program declares.\n\n"
      "typeset -ga _banger_update_global=(";
  text.append(zsh_options(vocabulary.global_options) + "\n)\n\n");
  std::string choices;
  std::string branches;
  for (const Family& family : vocabulary.families) {
    choices.append(described(family.name, family.description));
    branches.append(zsh_branch(family.name, family.name));
    for (const CommandWords& command : family.commands) {
      text.append(command_function(command, vocabulary.global_options));
    }
    if (family.has_second_words()) text.append(family_function(family));
  }
  text.append(chooser("_banger-update", choices, "", branches));
  return text + "_banger-update \"$@\"\n";
}

}  // namespace update::documents
