#include "cli/output.hpp"

#include <algorithm>

#include "engine/base/text.hpp"

namespace update::cli {
namespace {

std::string_view code_of(Colour colour) {
  switch (colour) {
    case Colour::none: return "";
    case Colour::good: return "\x1b[32m";
    case Colour::bad: return "\x1b[31m";
    case Colour::doubtful: return "\x1b[33m";
    case Colour::dim: return "\x1b[2m";
    case Colour::strong: return "\x1b[1m";
  }
  return "";
}

}  // namespace

std::string coloured(bool colours, Colour colour, std::string_view text) {
  const std::string_view code = code_of(colour);
  if (!colours || code.empty()) return std::string(text);
  return std::string(code).append(text).append("\x1b[0m");
}

Colour colour_of_outcome(std::string_view outcome) {
  if (outcome == "committed") return Colour::good;
  if (outcome == "rolled_back") return Colour::doubtful;
  return Colour::bad;
}

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string Table::text(std::string_view indent) const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t at = 0; at < row.size(); ++at) {
      widths[at] = std::max(widths[at], width_of(row[at].text));
    }
  }
  std::string all;
  for (const auto& row : rows_) {
    std::string line(indent);
    std::size_t last = row.size();
    while (last > 0 && row[last - 1].text.empty()) --last;
    for (std::size_t at = 0; at < last; ++at) {
      line += coloured(colours_, row[at].colour, row[at].text);
      if (at + 1 < last) line.append(widths[at] - width_of(row[at].text) + 2, ' ');
    }
    all += line + "\n";
  }
  return all;
}

std::string duration_text(std::int64_t duration_ms) {
  if (duration_ms < 1000) return std::to_string(duration_ms) + " ms";
  if (duration_ms < 60'000) {
    return std::to_string(duration_ms / 1000) + "." + std::to_string(duration_ms % 1000 / 100) +
           " s";
  }
  return std::to_string(duration_ms / 60'000) + " min " +
         std::to_string(duration_ms % 60'000 / 1000) + " s";
}

std::string time_text(std::int64_t time_us) {
  std::string text = format_time(time_us).substr(0, 19);
  std::replace(text.begin(), text.end(), 'T', ' ');
  return text;
}

std::string counted(std::uint64_t count, std::string_view noun) {
  return std::to_string(count) + " " + std::string(noun) + (count == 1 ? "" : "s");
}

std::string indented(std::string_view lines, std::string_view indent) {
  std::string text;
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    text.append(indent).append(line).append("\n");
    lines.remove_prefix(std::min(line.size() + 1, lines.size()));
  }
  return text;
}

std::string version_text(const std::optional<std::string>& version) {
  return version ? escape(*version) : "an unknown version";
}

void say(const Context& context, std::string_view text) {
  if (context.global.json || context.global.quiet) return;
  context.console().out(text);
}

void print_document(const Context& context, const std::string& document) {
  if (context.global.json) context.console().out(document + "\n");
}

std::string error_text(const Error& error) {
  std::string text = "banger-update: " + escape(error.message()) + "\n";
  if (!error.hint().empty()) text += "hint: " + escape(error.hint()) + "\n";
  return text;
}

void print_error(const Context& context, const Error& error) {
  context.console().err(error_text(error));
  context.log.record("error: " + escape(error.message()));
}

}  // namespace update::cli
