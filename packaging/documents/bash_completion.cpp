#include "packaging/documents/vocabulary.hpp"

namespace update::documents {
namespace {

// What the functions below get to know. It uses nothing of the package bash-completion, so that it
// can be sourced anywhere.
constexpr std::string_view kBashLogic = R"bash(
_banger_update() {
  local current=${COMP_WORDS[COMP_CWORD]} command='' value='' arguments=0 only_arguments='' index word
  COMPREPLY=()
  for ((index = 1; index < COMP_CWORD; index++)); do
    word=${COMP_WORDS[index]}
    # "--output=json" arrives as three words.
    [ "$word" != = ] || continue
    if [ -n "$value" ]; then
      value=''
    elif [[ $word == -?* && -z $only_arguments ]]; then
      [ "$word" != -- ] || only_arguments=1
      value=$(_banger_update_value "$command" "$word")
    elif [[ " $(_banger_update_words "$command") " == *" $word "* ]]; then
      command=${command:+$command }$word
    else
      arguments=$((arguments + 1))
    fi
  done
  [ "$current" != = ] || current=''
  if [ -z "$value" ] && [[ $current == -* && -z $only_arguments ]]; then
    value="words $(_banger_update_options "$command")"
  elif [ -z "$value" ]; then
    value=$(_banger_update_argument "$command" $arguments)
    [ $arguments != 0 ] || [ -n "$value" ] || value="words $(_banger_update_words "$command")"
  fi
  case $value in
    words*) mapfile -t COMPREPLY < <(compgen -W "${value#words}" -- "$current") ;;
    file) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
    folder) mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
  esac
  # So that a folder gets its slash, and a space its backslash. Not there when called by hand.
  case $value in file | folder) compopt -o filenames 2>/dev/null ;; esac
  return 0
}
complete -F _banger_update banger-update
)bash";

std::string kind(const Value& value) {
  switch (value.kind) {
    case Value::Kind::none: return "";
    case Value::Kind::words: break;
    case Value::Kind::file: return "file";
    case Value::Kind::folder: return "folder";
    case Value::Kind::other: return "other";
  }
  std::string words = "words";
  for (const std::string& word : value.words) words.append(" ").append(word);
  return words;
}

std::string spellings(const std::vector<Option>& options) {
  std::string all;
  for (const Option& option : options) {
    for (const std::string& spelling : option.spellings) all.append(" ").append(spelling);
  }
  return all;
}

std::string bash_branch(const std::string& pattern, const std::string& words) {
  return "    " + pattern + ") echo '" + words + "' ;;\n";
}

// "history show", and "history" alone where it means that one.
std::vector<std::string> names_of(const Family& family, const CommandWords& command) {
  std::vector<std::string> names = {command.name};
  const bool first = &command == &family.commands.front();
  if (first && family.stands_alone) names.push_back(family.name);
  return names;
}

std::string words_function(const Vocabulary& vocabulary) {
  std::string families;
  std::string branches;
  for (const Family& family : vocabulary.families) {
    families.append(families.empty() ? "" : " ").append(family.name);
    if (!family.has_second_words()) continue;
    std::string seconds;
    for (const CommandWords& command : family.commands) {
      seconds.append(seconds.empty() ? "" : " ").append(second_word(command));
    }
    branches.append(bash_branch("'" + family.name + "'", seconds));
  }
  return "# COMMAND: the words that may come next in its name.\n_banger_update_words() {\n"
         "  case $1 in\n" +
         bash_branch("''", families) + branches + "  esac\n}\n\n";
}

std::string options_function(const Vocabulary& vocabulary) {
  const std::string global = spellings(vocabulary.global_options);
  std::string text = "# COMMAND: its options.\n_banger_update_options() {\n  case $1 in\n";
  for (const Family& family : vocabulary.families) {
    for (const CommandWords& command : family.commands) {
      if (command.options.empty()) continue;
      for (const std::string& name : names_of(family, command)) {
        text.append(bash_branch("'" + name + "'", (spellings(command.options) + global).substr(1)));
      }
    }
  }
  return text + bash_branch("*", global.substr(1)) + "  esac\n}\n\n";
}

std::string value_branches(const std::string& command, const std::vector<Option>& options) {
  std::string text;
  for (const Option& option : options) {
    for (const std::string& spelling : option.spellings) {
      const std::string known = kind(option.value);
      std::string pattern = command;
      pattern.append("' ").append(spelling).append("'");
      if (!known.empty()) text.append(bash_branch(pattern, known));
    }
  }
  return text;
}

std::string value_function(const Vocabulary& vocabulary) {
  std::string text =
      "# COMMAND OPTION: what its value is; nothing where it takes none.\n_banger_update_value() "
      "{\n"
      "  case \"$1 $2\" in\n";
  for (const Family& family : vocabulary.families) {
    for (const CommandWords& command : family.commands) {
      for (const std::string& name : names_of(family, command)) {
        text.append(value_branches("'" + name + "'", command.options));
      }
    }
  }
  return text + value_branches("*", vocabulary.global_options) + "  esac\n}\n\n";
}

std::string argument_function(const Vocabulary& vocabulary) {
  std::string text =
      "# COMMAND NUMBER: what its argument of that number is, from 0.\n_banger_update_argument() "
      "{\n"
      "  case \"$1 $2\" in\n";
  for (const Family& family : vocabulary.families) {
    for (const CommandWords& command : family.commands) {
      for (std::size_t at = 0; at < command.arguments.size(); ++at) {
        text.append(bash_branch("'" + command.name + " " + std::to_string(at) + "'",
                                kind(command.arguments[at])));
      }
    }
  }
  return text + "  esac\n}\n";
}

}  // namespace

std::string bash_completion(const Vocabulary& vocabulary) {
  std::string text =
      "# Completion of banger-update in bash; made from what the program declares.\n\n";
  text.append(words_function(vocabulary));
  text.append(options_function(vocabulary));
  text.append(value_function(vocabulary));
  text.append(argument_function(vocabulary));
  return text.append(kBashLogic);
}

}  // namespace update::documents
