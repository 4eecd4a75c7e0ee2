#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "engine/base/result.hpp"

namespace update {

/// Foreign text made safe to show: control characters (C0, DEL, C1), bidirectional controls and
/// bytes that are not UTF-8 become `\xNN`, byte by byte. With `keep_lines`, newline and tab stay. A
/// backslash stays as it is: the result is for people, not for parsing, and escaping twice changes
/// nothing, so that a text may pass two edges. (CVE-2023-28486, CVE-2021-42574)
std::string escape(std::string_view text, bool keep_lines = false);

/// A foreign name in a message: escaped, in quotation marks, and cut after 80 bytes.
std::string quote(std::string_view text);

/// Foreign bytes made valid UTF-8 for storing: each bad byte becomes U+FFFD, and so does NUL, at
/// which SQLite's text functions stop. At most `limit` bytes are kept, cut between characters, and
/// a last line then says how many were left out.
std::string sanitize_utf8(std::string_view bytes, std::size_t limit);

/// `8GiB`, `512MiB`, `64K` (K, M, G, T are powers of 1024, with or without `iB`), or plain bytes.
/// usage.
Result<std::uint64_t> parse_size(std::string_view text);
/// For people: "31.5 MiB".
std::string format_size(std::uint64_t bytes);

/// `30s`, `5m`, `2h`, `1500ms`, as milliseconds. usage.
Result<std::int64_t> parse_duration_ms(std::string_view text);

/// RFC 3339 in UTC with microseconds: "2026-11-24T09:00:00.000000Z". RFC 3339 has the years 0 to
/// 9999: a time outside becomes the first or the last of them.
std::string format_time(std::int64_t microseconds_since_epoch);
/// RFC 3339 with `Z` or an offset, with or without a fraction (cut after microseconds); or a date
/// alone (midnight UTC). A leap second (":60") is refused, since the system's clock has none.
/// usage.
Result<std::int64_t> parse_time(std::string_view text);

/// The candidate nearest to `word` by edit distance (two letters exchanged count as one edit), the
/// first of equals; empty where none is near enough to help: a third of the word's length, at least
/// 1, at most 3.
std::string nearest(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace update
