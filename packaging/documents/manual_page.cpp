#include "packaging/documents/manual_page.hpp"

#include <algorithm>
#include <cctype>

#include "packaging/documents/help_page.hpp"

namespace update::documents {
namespace {

bool has_lower_case(std::string_view word) {
  return std::ranges::any_of(word, [](unsigned char byte) { return std::islower(byte) != 0; });
}
bool has_upper_case(std::string_view word) {
  return std::ranges::any_of(word, [](unsigned char byte) { return std::isupper(byte) != 0; });
}

// What groff would make something else of: a typographic mark, or the begin of an escape.
std::string literal(std::string_view text) {
  std::string out;
  for (const char byte : text) {
    switch (byte) {
      case '\\': out.append("\\e"); break;
      case '-': out.append("\\-"); break;
      case '\'': out.append("\\(aq"); break;
      case '`': out.append("\\(ga"); break;
      case '^': out.append("\\(ha"); break;
      case '~': out.append("\\(ti"); break;
      default: out.push_back(byte);
    }
  }
  return out;
}

// A dot or an apostrophe at the begin of a line makes it a command.
std::string safe_line(const std::string& line) {
  return line.starts_with('.') || line.starts_with('\'') ? "\\&" + line : line;
}

// What is typed is bold, what stands for something else is in italics.
std::string styled_word(std::string_view word) {
  if (word.empty()) return "";
  const bool placeholder = !word.starts_with('-') && has_upper_case(word) && !has_lower_case(word);
  return (placeholder ? "\\fI" : "\\fB") + literal(word) + "\\fR";
}

std::string styled(std::string_view text) {
  constexpr std::string_view kPunctuation = " []()|,";
  std::string out;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find_first_of(kPunctuation));
    out.append(styled_word(word));
    text.remove_prefix(word.size());
    if (text.empty()) break;
    out.push_back(text.front());
    text.remove_prefix(1);
  }
  return out;
}

// Prose: `code` in bold, which may go on over the end of a line. A word with dashes in front is an
// option.
std::string prose(const std::string& text) {
  std::string out;
  bool code = false;
  bool word_begins = true;
  for (const char byte : text) {
    if (byte == '`') {
      code = !code;
      out.append(code ? "\\fB" : "\\fR");
      continue;
    }
    const bool option = byte == '-' && (word_begins || out.ends_with("\\-"));
    if (byte == '-' && !code && !option) {
      out.push_back('-');
    } else {
      out.append(literal(std::string_view(&byte, 1)));
    }
    word_begins = byte == ' ' || byte == '\n' || byte == '(';
  }
  return out;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text.append(line).append("\n");
  return text;
}

std::string prose_lines(const std::vector<std::string>& lines) {
  std::string out;
  std::string text = prose(joined(lines));
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    out.append(safe_line(text.substr(0, end))).append("\n");
    text.erase(0, end + 1);
  }
  return out;
}

std::string as_it_stands(const Block& block, bool synopsis) {
  std::string out = synopsis ? ".nf\n" : ".RS 4\n.nf\n";
  for (const std::string& line : block.lines) {
    out.append(safe_line(synopsis ? styled(line) : literal(line))).append("\n");
  }
  return out.append(synopsis ? ".fi\n" : ".fi\n.RE\n");
}

std::string list(const Block& block) {
  std::string out;
  for (const Entry& entry : block.entries) {
    out.append(".TP\n").append(styled(entry.term)).append("\n").append(prose_lines({entry.text}));
  }
  return out;
}

std::string body(const Section& section) {
  std::string out = ".SH " + section.title + "\n";
  bool first = true;
  for (const Block& block : section.blocks) {
    if (!first && block.kind != Block::Kind::list) out.append(".PP\n");
    switch (block.kind) {
      case Block::Kind::paragraph: out.append(prose_lines(block.lines)); break;
      case Block::Kind::list: out.append(list(block)); break;
      case Block::Kind::verbatim:
        out.append(as_it_stands(block, section.title == "SYNOPSIS"));
        break;
    }
    first = false;
  }
  return out;
}

std::string upper_case(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char byte) { return std::toupper(byte); });
  return text;
}

}  // namespace

std::string page_name(std::string_view command) {
  std::string name(command);
  std::ranges::replace(name, ' ', '-');
  return name;
}

// Without a date: two builds of one version are to give the same bytes.
std::string manual_page(std::string_view help, std::string_view version,
                        std::span<const std::string> see_also) {
  const auto sections = parse_help(help);
  const auto [command, purpose] = name_and_purpose(sections);
  const std::string name = page_name(command);
  std::string page = ".\\\" Made from the text of `" + command + " --help`.\n";
  page.append(".TH \"" + literal(upper_case(name)) + "\" 1 \"\" \"banger\\-update ")
      .append(literal(version) + "\" \"User Commands\"\n")
      .append(".SH NAME\n" + literal(name) + " \\- " + prose(purpose) + "\n");
  for (const Section& section : sections) {
    if (section.title != "NAME") page.append(body(section));
  }
  // The names of pages stay whole.
  page.append(".SH SEE ALSO\n.ad l\n.nh\n");
  for (const std::string& other : see_also) {
    page.append(".BR " + literal(other) + " (1)").append(&other == &see_also.back() ? "\n" : ",\n");
  }
  return page;
}

}  // namespace update::documents
