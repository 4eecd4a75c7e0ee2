#pragma once

#include <string>
#include <string_view>
#include <vector>

// What can stand on a command line, as the program itself declares it: commands and options from
// their tables, descriptions and the words of a value from the help texts.
namespace update::documents {

struct Value {
  enum class Kind { none, words, file, folder, other };
  Kind kind = Kind::none;
  std::string name;                ///< "FILE"
  std::vector<std::string> words;  ///< all that it can be
};

struct Option {
  std::vector<std::string> spellings;  ///< with dashes
  std::string description;
  Value value;
};

struct CommandWords {
  std::string name;  ///< "apply", "history show"
  std::string description;
  std::vector<Option> options;  ///< its own
  std::vector<Value> arguments;
};

struct Family {
  std::string name;
  std::string description;
  std::vector<CommandWords> commands;  ///< one of the same name, or several of two words
  bool stands_alone = false;           ///< the first is meant where the second word is left out

  bool has_second_words() const { return commands.front().name != name; }
};

struct Vocabulary {
  std::vector<Option> global_options;
  std::vector<Family> families;
};

Vocabulary vocabulary();

/// The second word of "history show".
std::string_view second_word(const CommandWords& command);

std::string bash_completion(const Vocabulary& vocabulary);
std::string zsh_completion(const Vocabulary& vocabulary);
std::string fish_completion(const Vocabulary& vocabulary);

}  // namespace update::documents
