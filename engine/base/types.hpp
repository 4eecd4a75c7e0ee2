#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base/result.hpp"

namespace update {

/// The number of a transaction: 1, 2, … in the order in which they began.
struct TransactionId {
  std::int64_t value = 0;
  auto operator<=>(const TransactionId&) const = default;
};

/// An absolute path in its shortest form: no `.`, no `..`, no double slash, none at the end, no
/// NUL.
class AbsolutePath {
 public:
  /// usage if `text` is empty, relative, or holds a NUL or a `.` or `..` part. Double and closing
  /// slashes are dropped.
  static Result<AbsolutePath> parse(std::string_view text);

  const std::string& text() const { return text_; }
  /// The last part; empty for `/`.
  std::string name() const;
  /// The folder that holds it; `/` for `/` itself.
  AbsolutePath parent() const;
  /// `name` must be a plain file name.
  AbsolutePath operator/(std::string_view name) const;
  auto operator<=>(const AbsolutePath&) const = default;

 private:
  explicit AbsolutePath(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

/// The longest name of a file, in bytes (NAME_MAX).
inline constexpr std::size_t kNameMax = 255;

/// A name that may stand for a file in a folder: not empty, not `.` or `..`, without `/`, NUL or
/// control characters, and at most 255 bytes (NAME_MAX).
bool is_plain_file_name(std::string_view name);

}  // namespace update
