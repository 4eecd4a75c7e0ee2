#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.hpp"

namespace update {

/// A version of Semantic Versioning 2.0.0, at most 128 bytes long, its three numbers below 2^63
/// (those of a pre-release have no bound of their own).
class Version {
 public:
  /// not_trusted if `text` is not SemVer (no `v` in front, three numbers, no leading zeros).
  static Result<Version> parse(std::string_view text);

  const std::string& text() const { return text_; }
  /// Precedence as section 11 of the specification says; build metadata does not count.
  std::weak_ordering operator<=>(const Version& other) const;
  bool operator==(const Version& other) const { return std::is_eq(*this <=> other); }

 private:
  Version() = default;
  std::string text_;
  std::int64_t core_[3] = {0, 0, 0};
  std::vector<std::string> pre_release_;
};

}  // namespace update
