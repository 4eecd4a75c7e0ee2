#include "cli/options.hpp"

#include "engine/base/text.hpp"

// std::regex would cost more at every start than all the rest of the command line.
#define CXXOPTS_NO_REGEX true
#include <cxxopts.hpp>

#include <algorithm>
#include <charconv>
#include <system_error>

namespace update::cli {
namespace {

bool answers_to(const OptionSpec& spec, std::string_view name) {
  return spec.name == name || (!spec.alias.empty() && spec.alias == name);
}

const OptionSpec* find_long(std::span<const OptionSpec> specs, std::string_view name) {
  const auto found = std::find_if(specs.begin(), specs.end(),
                                  [&](const OptionSpec& spec) { return answers_to(spec, name); });
  return found == specs.end() ? nullptr : &*found;
}

const OptionSpec* find_letter(std::span<const OptionSpec> specs, char letter) {
  const auto found = std::find_if(specs.begin(), specs.end(),
                                  [&](const OptionSpec& spec) { return spec.letter == letter; });
  return found == specs.end() ? nullptr : &*found;
}

std::string shown(const OptionSpec& spec) {
  return (spec.name.size() > 1 ? "--" : "-") + std::string(spec.name);
}

// What one word says of options.
struct Reading {
  std::string unknown;           // an option that does not exist, as it was written
  bool takes_next_word = false;  // the value of its last option is the next word
};

Reading read_long(std::span<const OptionSpec> specs, std::string_view word) {
  const std::size_t equals = word.find('=');
  const OptionSpec* spec = find_long(specs, word.substr(2, equals - 2));
  if (spec == nullptr || spec->name.size() < 2) return {std::string(word.substr(0, equals)), false};
  return {"", equals == std::string_view::npos && !spec->value.empty()};
}

Reading read_letters(std::span<const OptionSpec> specs, std::string_view word) {
  for (std::size_t at = 1; at < word.size(); ++at) {
    const OptionSpec* spec = find_letter(specs, word[at]);
    if (spec == nullptr) return {"-" + std::string(1, word[at]), false};
    // What follows the letter of an option with a value is the value.
    if (!spec->value.empty()) return {"", at + 1 == word.size()};
  }
  return {};
}

Reading read_word(std::span<const OptionSpec> specs, std::string_view word) {
  return word.starts_with("--") ? read_long(specs, word) : read_letters(specs, word);
}

Error unknown_option(std::span<const OptionSpec> specs, const std::string& option) {
  std::vector<std::string_view> names;
  for (const OptionSpec& spec : specs) {
    if (spec.name.size() > 1) names.push_back(spec.name);
    if (!spec.alias.empty()) names.push_back(spec.alias);
  }
  Error error(ErrorCode::usage, "there is no option " + quote(option));
  const std::string near =
      nearest(std::string_view(option).substr(2 < option.size() ? 2 : 1), names);
  return near.empty() ? error : std::move(error).hint("did you mean --" + near + "?");
}

// cxxopts would say so too, but not which option is near.
Status check_words(std::span<const OptionSpec> specs, std::span<const std::string> words) {
  for (std::size_t at = 0; at < words.size(); ++at) {
    if (words[at] == "--") break;
    if (!looks_like_option(words[at])) continue;
    const Reading reading = read_word(specs, words[at]);
    if (!reading.unknown.empty()) return fail(unknown_option(specs, reading.unknown));
    if (!reading.takes_next_word) continue;
    if (at + 1 == words.size()) {
      return fail(ErrorCode::usage, "the option " + quote(words[at]) + " needs a value");
    }
    ++at;
  }
  return {};
}

std::string names_for_cxxopts(const OptionSpec& spec) {
  std::string names(spec.name);
  if (spec.letter != '\0' && spec.name.size() > 1)
    names = std::string(1, spec.letter) + "," + names;
  if (!spec.alias.empty()) names.append(",").append(spec.alias);
  return names;
}

}  // namespace

std::size_t option_length(std::span<const OptionSpec> specs, std::span<const std::string> words) {
  if (words.empty() || !looks_like_option(words.front())) return 0;
  const Reading reading = read_word(specs, words.front());
  if (!reading.unknown.empty()) return 0;
  return reading.takes_next_word ? std::min<std::size_t>(2, words.size()) : 1;
}

Result<Options> parse_options(std::span<const OptionSpec> specs,
                              std::span<const std::string> words) {
  UPDATE_TRY(check_words(specs, words));
  std::vector<const char*> argv = {"banger-update"};
  for (const std::string& word : words) argv.push_back(word.c_str());
  Options options;
  try {
    cxxopts::Options parser("banger-update");
    for (const OptionSpec& spec : specs) {
      const auto value = spec.value.empty()
                             ? std::shared_ptr<cxxopts::Value>(cxxopts::value<bool>())
                             : std::shared_ptr<cxxopts::Value>(cxxopts::value<std::string>());
      parser.add_options()(names_for_cxxopts(spec), "", value);
    }
    const cxxopts::ParseResult parsed = parser.parse(static_cast<int>(argv.size()), argv.data());
    for (const OptionSpec& spec : specs) {
      const std::string name(spec.name);
      if (parsed.count(name) == 0) continue;
      if (spec.value.empty()) {
        if (parsed[name].as<bool>()) options.values_[name] = "";
      } else {
        options.values_[name] = parsed[name].as<std::string>();
      }
    }
    options.arguments_ = parsed.unmatched();
  } catch (const cxxopts::exceptions::exception& problem) {
    return fail(ErrorCode::usage, "the command line is wrong: " + escape(problem.what()));
  }
  return options;
}

std::optional<std::string> Options::value(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::nullopt : std::optional(found->second);
}

Result<std::int64_t> parse_integer(std::string_view text, std::string_view what, std::int64_t least,
                                   std::int64_t most) {
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || rest != end || number < least || number > most) {
    return fail(ErrorCode::usage, std::string(what) + " must be a whole number from " +
                                      std::to_string(least) + " to " + std::to_string(most) +
                                      ", not " + quote(text));
  }
  return number;
}

Result<std::optional<std::int64_t>> Options::integer(std::string_view name, std::int64_t least,
                                                     std::int64_t most) const {
  const auto given = value(name);
  if (!given) return std::nullopt;
  UPDATE_TRY_ASSIGN(const std::int64_t number, parse_integer(*given, shown({name}), least, most));
  return number;
}

Result<std::optional<std::string>> Options::word(std::string_view name,
                                                 std::span<const std::string_view> words) const {
  auto given = value(name);
  if (!given || std::find(words.begin(), words.end(), *given) != words.end()) return given;
  std::string known;
  for (const std::string_view candidate : words) {
    known.append(known.empty() ? "" : ", ").append(candidate);
  }
  Error error(ErrorCode::usage,
              shown({name}) + " must be one of " + known + ", not " + quote(*given));
  const std::string near = nearest(*given, words);
  return fail(near.empty() ? error : std::move(error).hint("did you mean " + near + "?"));
}

Result<std::optional<std::int64_t>> Options::time(std::string_view name) const {
  const auto given = value(name);
  if (!given) return std::nullopt;
  auto parsed = parse_time(*given);
  if (!parsed) return fail(std::move(parsed).error().with(shown({name})));
  return *parsed;
}

}  // namespace update::cli
