#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.hpp"

// The words of a command line, by a declared list of options. options.cpp alone includes cxxopts.
namespace update::cli {

struct OptionSpec {
  std::string_view name;        ///< without dashes; one letter: it has no long form
  std::string_view value = "";  ///< what stands for its value in the help; empty: it takes none
  char letter = '\0';           ///< the short form
  std::string_view alias = "";  ///< a second long form
};

/// What was given. Where an option stands twice, the last one counts.
class Options {
 public:
  bool has(std::string_view name) const { return values_.find(name) != values_.end(); }
  std::optional<std::string> value(std::string_view name) const;
  /// An integer from `least` to `most`; anything else is a usage error.
  Result<std::optional<std::int64_t>> integer(std::string_view name, std::int64_t least,
                                              std::int64_t most) const;
  /// One of `words`; another one is a usage error that names the nearest.
  Result<std::optional<std::string>> word(std::string_view name,
                                          std::span<const std::string_view> words) const;
  /// RFC 3339, as microseconds.
  Result<std::optional<std::int64_t>> time(std::string_view name) const;

  const std::vector<std::string>& arguments() const { return arguments_; }

 private:
  friend Result<Options> parse_options(std::span<const OptionSpec> specs,
                                       std::span<const std::string> words);
  std::map<std::string, std::string, std::less<>> values_;
  std::vector<std::string> arguments_;
};

/// A usage error for an option that is not in `specs` (the nearest one is named), for a value that
/// is missing, and for one that is given to an option without.
Result<Options> parse_options(std::span<const OptionSpec> specs,
                              std::span<const std::string> words);

/// The decimal text of an integer; usage, with `what` as the subject of the sentence.
Result<std::int64_t> parse_integer(std::string_view text, std::string_view what, std::int64_t least,
                                   std::int64_t most);

/// How many words the option at the front of `words` takes: 0 where that is no option of `specs`.
std::size_t option_length(std::span<const OptionSpec> specs, std::span<const std::string> words);

inline bool looks_like_option(std::string_view word) {
  return word.size() > 1 && word[0] == '-';
}

}  // namespace update::cli
