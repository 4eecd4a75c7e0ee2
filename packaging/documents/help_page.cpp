#include "packaging/documents/help_page.hpp"

#include <algorithm>
#include <array>
#include <sstream>

namespace update::documents {
namespace {

constexpr std::string_view kIndentation = "    ";

// In these sections what is indented is a list; elsewhere it is shown as it stands.
constexpr std::array<std::string_view, 5> kListSections = {"OPTIONS", "GLOBAL OPTIONS", "COMMANDS",
                                                           "EXIT STATUS", "FILES"};

Entry parse_entry(const std::string& line) {
  const std::size_t gap = line.find("  ");
  if (gap == std::string::npos) return {line, ""};
  return {line.substr(0, gap), line.substr(line.find_first_not_of(' ', gap))};
}

void add_to_list(Block& list, const std::string& line) {
  if (line.front() != ' ') {
    list.entries.push_back(parse_entry(line));
    return;
  }
  std::string& text = list.entries.back().text;
  if (!text.empty()) text.push_back(' ');
  text.append(line.substr(line.find_first_not_of(' ')));
}

void add_line(Section& section, const std::string& line, bool begins) {
  const bool indented = line.starts_with(kIndentation);
  if (begins) {
    const bool lists = std::ranges::find(kListSections, section.title) != kListSections.end();
    section.blocks.emplace_back();
    if (indented) section.blocks.back().kind = lists ? Block::Kind::list : Block::Kind::verbatim;
  }
  Block& block = section.blocks.back();
  block.lines.push_back(indented ? line.substr(kIndentation.size()) : line);
  if (block.kind == Block::Kind::list) add_to_list(block, block.lines.back());
}

}  // namespace

std::vector<Section> parse_help(std::string_view text) {
  std::vector<Section> sections;
  std::istringstream stream{std::string(text)};
  bool begins = true;
  for (std::string line; std::getline(stream, line);) {
    if (line.starts_with('#')) {
      sections.push_back({line.substr(line.find_first_not_of("# ")), {}});
      begins = true;
    } else if (line.empty()) {
      begins = true;
    } else if (!sections.empty()) {
      add_line(sections.back(), line, begins);
      begins = false;
    }
  }
  return sections;
}

Section section_of(const std::vector<Section>& sections, std::string_view title) {
  const auto found = std::ranges::find(sections, title, &Section::title);
  return found == sections.end() ? Section() : *found;
}

Entry name_and_purpose(const std::vector<Section>& sections) {
  constexpr std::string_view kBetween = " - ";
  const std::string line = section_of(sections, "NAME").blocks.at(0).lines.at(0);
  const std::size_t at = line.find(kBetween);
  return {line.substr(0, at), line.substr(at + kBetween.size())};
}

}  // namespace update::documents
