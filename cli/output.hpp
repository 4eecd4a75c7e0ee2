#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command.hpp"

// Text for people. Whatever comes from outside is escaped here or by who hands it over.
namespace update::cli {

enum class Colour : std::uint8_t { none, good, bad, doubtful, dim, strong };

/// `text` in a colour, where colours are asked for.
std::string coloured(bool colours, Colour colour, std::string_view text);
Colour colour_of_outcome(std::string_view outcome);

struct Cell {
  std::string text;
  Colour colour = Colour::none;
};

/// Rows whose columns are as wide as their widest cell, two blanks apart; no blanks at a line's
/// end.
class Table {
 public:
  explicit Table(bool colours) : colours_(colours) {}
  void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
  std::string text(std::string_view indent = "") const;

 private:
  bool colours_;
  std::vector<std::vector<Cell>> rows_;
};

/// How many columns of a terminal a text takes: one a character, which is right but for wide ones.
std::size_t width_of(std::string_view text);

/// "812 ms", "12.3 s", "4 min 5 s".
std::string duration_text(std::int64_t duration_ms);
/// "2026-11-24 09:00:00" (UTC).
std::string time_text(std::int64_t time_us);
/// "1 file", "3 files".
std::string counted(std::uint64_t count, std::string_view noun);
/// Each line after `indent`.
std::string indented(std::string_view lines, std::string_view indent);
/// A version as it is told; "an unknown version" where there is none.
std::string version_text(const std::optional<std::string>& version);

/// To standard output, unless -q was given or it is JSON that is wanted.
void say(const Context& context, std::string_view text);
/// To standard output where JSON is wanted: the one document.
void print_document(const Context& context, const std::string& document);
/// "banger-update: MESSAGE" and the hint, to standard error.
void print_error(const Context& context, const Error& error);
std::string error_text(const Error& error);

}  // namespace update::cli
