#pragma once

#include "engine/base/text.hpp"
#include "engine/installation/configuration_checks.hpp"
#include "engine/installation/toml.hpp"

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace update::config {

inline constexpr std::int64_t kDayMs = 24 * 60 * 60 * 1000;

inline Error error_at(const std::string& origin, const toml::source_position& where,
                      const std::string& message) {
  std::string place = origin;
  if (where) place += ":" + std::to_string(where.line) + ":" + std::to_string(where.column);
  return {ErrorCode::usage, place + ": " + message};
}

inline std::string_view type_name(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::none: return "nothing";
    case toml::node_type::table: return "a table";
    case toml::node_type::array: return "an array";
    case toml::node_type::string: return "a string";
    case toml::node_type::integer: return "an integer";
    case toml::node_type::floating_point: return "a floating-point number";
    case toml::node_type::boolean: return "a boolean";
    case toml::node_type::date: return "a date";
    case toml::node_type::time: return "a time";
    case toml::node_type::date_time: return "a date-time";
  }
  return "of an unknown type";
}

struct Range {
  std::int64_t least = 0;
  std::int64_t most = 0;
};

/// A table of the text, or none: then each read leaves its default as it is.
class Section {
 public:
  Section(const std::string& origin, const toml::table* table) : origin_(origin), table_(table) {}

  bool has(std::string_view key) const { return find(key) != nullptr; }

  Error error(const toml::node* node, const std::string& message) const {
    const toml::node* where = node != nullptr ? node : table_;
    return error_at(origin_, where != nullptr ? where->source().begin : toml::source_position{},
                    message);
  }
  Error error(std::string_view key, const std::string& message) const {
    return error(find(key), std::string(key) + ": " + message);
  }

  Status allow_only(std::initializer_list<std::string_view> known) const {
    if (table_ == nullptr) return {};
    // The first in the text, not in the alphabet, is the one that a person sees first.
    const toml::key* first = nullptr;
    for (const auto& [key, value] : *table_) {
      if (std::find(known.begin(), known.end(), key.str()) != known.end()) continue;
      if (first == nullptr || key.source().begin < first->source().begin) first = &key;
    }
    if (first == nullptr) return {};
    std::string message = "unknown key " + quoted(first->str());
    const std::string near = nearest(first->str(), {known.begin(), known.size()});
    if (!near.empty()) {
      message += "; did you mean " + quoted(near) + "?";
    } else {
      message += "; known here:";
      for (const auto key : known) message.append(" ").append(key);
    }
    return fail(error_at(origin_, first->source().begin, message));
  }

  Result<Section> table(std::string_view key) const {
    const toml::node* node = find(key);
    if (node != nullptr && !node->is_table()) return fail(wrong_type(key, *node, "a table"));
    return Section(origin_, node != nullptr ? node->as_table() : nullptr);
  }

  Status read(std::string_view key, bool& into) const {
    const toml::node* node = find(key);
    if (node == nullptr) return {};
    const auto* value = node->as_boolean();
    if (value == nullptr) return fail(wrong_type(key, *node, "true or false"));
    into = value->get();
    return {};
  }

  Status read(std::string_view key, std::int64_t& into, Range range) const {
    const toml::node* node = find(key);
    if (node == nullptr) return {};
    const auto* value = node->as_integer();
    if (value == nullptr) return fail(wrong_type(key, *node, "an integer"));
    if (value->get() < range.least || value->get() > range.most) {
      return fail(error(key, "must be from " + std::to_string(range.least) + " to " +
                                 std::to_string(range.most)));
    }
    into = value->get();
    return {};
  }

  Status read(std::string_view key, std::string& into, Problem (*problem)(std::string_view)) const {
    const toml::node* node = find(key);
    if (node == nullptr) return {};
    UPDATE_TRY_ASSIGN(into, text(key, *node, problem));
    return {};
  }

  Status read(std::string_view key, std::vector<std::string>& into,
              Problem (*problem)(std::string_view)) const {
    const toml::node* node = find(key);
    if (node == nullptr) return {};
    const toml::array* array = node->as_array();
    if (array == nullptr) return fail(wrong_type(key, *node, "an array of strings"));
    into.clear();
    for (const toml::node& element : *array) {
      UPDATE_TRY_ASSIGN(into.emplace_back(), text(key, element, problem));
    }
    return {};
  }

  Status read(std::string_view key, AbsolutePath& into) const {
    const toml::node* node = find(key);
    if (node == nullptr) return {};
    UPDATE_TRY_ASSIGN(into, path(key, *node));
    return {};
  }

  Status read(std::string_view key, std::vector<AbsolutePath>& into) const {
    const toml::node* node = find(key);
    if (node == nullptr) return {};
    const toml::array* array = node->as_array();
    if (array == nullptr) return fail(wrong_type(key, *node, "an array of strings"));
    into.clear();
    for (const toml::node& element : *array) {
      UPDATE_TRY_ASSIGN(AbsolutePath next, path(key, element));
      into.push_back(std::move(next));
    }
    return {};
  }

  Status read_duration(std::string_view key, std::int64_t& into_ms, std::int64_t least_ms) const {
    std::string given;
    UPDATE_TRY(read(key, given, nullptr));
    if (!has(key)) return {};
    const auto duration_ms = parse_duration_ms(given);
    if (!duration_ms) return fail(error(key, duration_ms.error().message()));
    if (*duration_ms < least_ms || *duration_ms > kDayMs) {
      return fail(error(
          key, least_ms > 0 ? "must be longer than 0 and at most 24h" : "must be at most 24h"));
    }
    into_ms = *duration_ms;
    return {};
  }

  /// One of the words that stand for the values of an enumeration.
  template <class Value>
  Status read_word(std::string_view key, Value& into, std::initializer_list<Value> values) const {
    std::string given;
    UPDATE_TRY(read(key, given, nullptr));
    if (!has(key)) return {};
    std::string words;
    for (const Value value : values) {
      words += (words.empty() ? "" : ", ") + std::string(name_of(value));
      if (given != name_of(value)) continue;
      into = value;
      return {};
    }
    return fail(error(key, quoted(given) + " is not one of " + words));
  }

  /// An octal text, since 755 as a number would be another mode.
  Status read_mode(std::string_view key, std::optional<std::uint32_t>& into) const {
    std::string given;
    UPDATE_TRY(read(key, given, nullptr));
    if (!has(key)) return {};
    const bool octal = given.find_first_not_of("01234567") == std::string::npos;
    if (!octal || (given.size() != 3 && given.size() != 4) ||
        (given.size() == 4 && given.front() != '0')) {
      return fail(error(key, quoted(given) + " is not a mode from \"0000\" to \"0777\""));
    }
    std::uint32_t mode = 0;
    for (const char digit : given) mode = mode * 8 + static_cast<std::uint32_t>(digit - '0');
    into = mode;
    return {};
  }

  const toml::node* find(std::string_view key) const {
    return table_ != nullptr ? table_->get(key) : nullptr;
  }

 private:
  Error wrong_type(std::string_view key, const toml::node& node, std::string_view wanted) const {
    std::string message(key);
    message.append(" must be ").append(wanted).append(", not ").append(type_name(node));
    return error(&node, message);
  }

  Result<std::string> text(std::string_view key, const toml::node& node,
                           Problem (*problem)(std::string_view)) const {
    const auto* value = node.as_string();
    if (value == nullptr) return fail(wrong_type(key, node, "a string"));
    const Problem found = problem != nullptr ? problem(value->get()) : Problem();
    if (!found.empty()) return fail(error(&node, std::string(key) + ": " + found));
    return value->get();
  }

  Result<AbsolutePath> path(std::string_view key, const toml::node& node) const {
    UPDATE_TRY_ASSIGN(const std::string given, text(key, node, nullptr));
    auto parsed = AbsolutePath::parse(given);
    if (!parsed) {
      return fail(error(&node, std::string(key) + ": " + escape(parsed.error().message())));
    }
    return parsed;
  }

  const std::string& origin_;
  const toml::table* table_;
};

}  // namespace update::config
