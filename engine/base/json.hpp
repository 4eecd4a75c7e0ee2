#pragma once

#include <cstddef>
#include <string_view>

#include <nlohmann/json.hpp>

#include "engine/base/error.hpp"
#include "engine/base/result.hpp"

namespace update {

/// Keys keep the order in which they were written, so that one value has one text.
using Json = nlohmann::ordered_json;

struct JsonLimits {
  std::size_t bytes = 1U << 20;
  std::size_t depth = 16;
};

/// One JSON document (RFC 8259), read as a stranger's: a repeated key, more bytes or a deeper
/// nesting than `limits`, invalid UTF-8, NaN, or anything after the document is not_trusted. The
/// bounds hold while parsing, so a hostile text costs no more than it may.
Result<Json> parse_json(std::string_view text, JsonLimits limits = {});

/// What documents and events hold of an error: code (the exit status), name, message, hint.
Json error_json(const Error& error);

/// The one text of `value`: no blanks; bytes that are not UTF-8 become U+FFFD.
std::string to_text(const Json& value);

}  // namespace update
