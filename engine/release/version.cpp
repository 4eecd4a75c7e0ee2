#include "engine/release/version.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "engine/base/text.hpp"

namespace update {
namespace {

constexpr std::size_t kVersionLimit = 128;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_identifier_character(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
}

bool is_numeric(std::string_view identifier) {
  return std::all_of(identifier.begin(), identifier.end(), is_digit);
}

bool has_leading_zero(std::string_view digits) {
  return digits.size() > 1 && digits[0] == '0';
}

// Takes what stands before the first `separator`, and the separator; all of it where there is none.
std::string_view take_part(std::string_view& rest, char separator) {
  const std::string_view part = rest.substr(0, rest.find(separator));
  rest.remove_prefix(std::min(rest.size(), part.size() + 1));
  return part;
}

std::optional<std::int64_t> core_number(std::string_view digits) {
  if (digits.empty() || !is_numeric(digits) || has_leading_zero(digits)) return std::nullopt;
  std::int64_t number = 0;
  const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (result.ec != std::errc{}) return std::nullopt;
  return number;
}

// Dot-separated identifiers; nullopt if one is empty or holds a character that none may hold.
std::optional<std::vector<std::string>> identifiers(std::string_view text) {
  std::vector<std::string> parts;
  for (bool more = true; more;) {
    more = text.find('.') != std::string_view::npos;
    const std::string_view part = take_part(text, '.');
    if (part.empty() || !std::all_of(part.begin(), part.end(), is_identifier_character)) {
      return std::nullopt;
    }
    parts.emplace_back(part);
  }
  return parts;
}

// Section 11.4. Numbers are compared by length, then as text: a pre-release number has no upper
// bound.
std::weak_ordering compare_identifiers(const std::string& a, const std::string& b) {
  const bool a_numeric = is_numeric(a);
  if (a_numeric != is_numeric(b)) {
    return a_numeric ? std::weak_ordering::less : std::weak_ordering::greater;
  }
  if (a_numeric && a.size() != b.size()) return a.size() <=> b.size();
  return a.compare(b) <=> 0;
}

}  // namespace

Result<Version> Version::parse(std::string_view text) {
  const auto bad = [&] {
    return fail(ErrorCode::not_trusted,
                quote(text) + " is not a version as Semantic Versioning 2.0.0 has it");
  };
  if (text.size() > kVersionLimit) return bad();
  Version version;
  version.text_ = text;

  std::string_view rest = text;
  const auto plus = rest.find('+');
  if (plus != std::string_view::npos) {
    if (!identifiers(rest.substr(plus + 1))) return bad();
    rest = rest.substr(0, plus);
  }
  const auto hyphen = rest.find('-');
  if (hyphen != std::string_view::npos) {
    auto pre_release = identifiers(rest.substr(hyphen + 1));
    if (!pre_release) return bad();
    for (const std::string& part : *pre_release) {
      if (is_numeric(part) && has_leading_zero(part)) return bad();
    }
    version.pre_release_ = std::move(*pre_release);
    rest = rest.substr(0, hyphen);
  }
  if (std::count(rest.begin(), rest.end(), '.') != 2) return bad();
  for (std::int64_t& number : version.core_) {
    const auto part = core_number(take_part(rest, '.'));
    if (!part) return bad();
    number = *part;
  }
  return version;
}

std::weak_ordering Version::operator<=>(const Version& other) const {
  for (std::size_t at = 0; at < std::size(core_); ++at) {
    if (core_[at] != other.core_[at]) return core_[at] <=> other.core_[at];
  }
  // A version with a pre-release comes before the one without.
  if (pre_release_.empty() != other.pre_release_.empty()) {
    return pre_release_.empty() <=> other.pre_release_.empty();
  }
  const std::size_t common = std::min(pre_release_.size(), other.pre_release_.size());
  for (std::size_t at = 0; at < common; ++at) {
    const auto order = compare_identifiers(pre_release_[at], other.pre_release_[at]);
    if (std::is_neq(order)) return order;
  }
  return pre_release_.size() <=> other.pre_release_.size();
}

}  // namespace update
