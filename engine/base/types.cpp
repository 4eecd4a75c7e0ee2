#include "engine/base/types.hpp"

#include <algorithm>

namespace update {

Result<AbsolutePath> AbsolutePath::parse(std::string_view text) {
  if (text.empty() || text.front() != '/') {
    return fail(ErrorCode::usage, "'" + std::string(text) + "' is not an absolute path");
  }
  if (text.find('\0') != std::string_view::npos) {
    return fail(ErrorCode::usage, "a path holds a NUL byte");
  }
  std::string clean;
  while (!text.empty()) {
    text.remove_prefix(1);
    const std::string_view part = text.substr(0, text.find('/'));
    text.remove_prefix(part.size());
    if (part.empty()) continue;
    if (part == "." || part == "..") {
      return fail(ErrorCode::usage, "a path must not hold '.' or '..' parts");
    }
    clean.append("/").append(part);
  }
  return AbsolutePath(clean.empty() ? "/" : clean);
}

std::string AbsolutePath::name() const {
  return text_.substr(text_.rfind('/') + 1);
}

AbsolutePath AbsolutePath::parent() const {
  const auto slash = text_.rfind('/');
  return AbsolutePath(slash == 0 ? "/" : text_.substr(0, slash));
}

AbsolutePath AbsolutePath::operator/(std::string_view name) const {
  std::string joined = text_ == "/" ? "" : text_;
  joined.append("/").append(name);
  return AbsolutePath(std::move(joined));
}

bool is_plain_file_name(std::string_view name) {
  if (name.empty() || name.size() > kNameMax || name == "." || name == "..") return false;
  return std::none_of(name.begin(), name.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f || c == '/';
  });
}

}  // namespace update
