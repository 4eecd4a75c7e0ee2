#pragma once

#include <string>
#include <string_view>
#include <vector>

// The structure of a help text (cli/command/*.md): what the manual pages and the completions are
// made from.
namespace update::documents {

/// "    --to ID   the update after which …", of a list.
struct Entry {
  std::string term;
  std::string text;
};

struct Block {
  enum class Kind { paragraph, list, verbatim };
  Kind kind = Kind::paragraph;
  std::vector<std::string> lines;  ///< without the indentation that all have
  std::vector<Entry> entries;      ///< of a list
};

struct Section {
  std::string title;
  std::vector<Block> blocks;
};

std::vector<Section> parse_help(std::string_view text);

/// No blocks where there is none of that title.
Section section_of(const std::vector<Section>& sections, std::string_view title);

/// "banger-update apply" and "install a release", from the section NAME.
Entry name_and_purpose(const std::vector<Section>& sections);

}  // namespace update::documents
