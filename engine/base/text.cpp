#include "engine/base/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <limits>
#include <optional>
#include <vector>

#include "engine/base/hex.hpp"

namespace update {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

struct Character {
  char32_t code = 0;
  std::size_t length = 0;
};

// The first character of `text`, which is not empty; nullopt: its first byte begins none. Overlong
// forms, surrogates and codes above U+10FFFF are no characters (RFC 3629): they are how a filter is
// passed.
std::optional<Character> first_character(std::string_view text) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return Character{lead, 1};
  if (lead < 0xC2 || lead > 0xF4) return std::nullopt;
  const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (text.size() < length) return std::nullopt;
  char32_t code = lead & (0x7FU >> length);
  for (std::size_t at = 1; at < length; ++at) {
    if ((byte(at) & 0xC0) != 0x80) return std::nullopt;
    code = code << 6 | (byte(at) & 0x3FU);
  }
  constexpr std::array<char32_t, 5> kLeast = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (code < kLeast[length] || code > 0x10FFFF || surrogate) return std::nullopt;
  return Character{code, length};
}

bool moves_the_terminal(char32_t code) {
  return code < 0x20 || (code >= 0x7F && code <= 0x9F);
}

bool changes_direction(char32_t code) {
  return code == 0x61C || code == 0x200E || code == 0x200F || (code >= 0x202A && code <= 0x202E) ||
         (code >= 0x2066 && code <= 0x2069);
}

void append_escaped(std::string& out, std::string_view bytes) {
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out.append("\\x").push_back(kHexDigits[byte >> 4]);
    out.push_back(kHexDigits[byte & 15]);
  }
}

struct Quantity {
  std::uint64_t number = 0;
  std::string_view unit;
};

// Digits and what follows them; nullopt without digits or beyond 64 bits.
std::optional<Quantity> split_quantity(std::string_view text) {
  Quantity quantity;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, quantity.number);
  if (error != std::errc{}) return std::nullopt;
  quantity.unit = std::string_view(rest, static_cast<std::size_t>(end - rest));
  return quantity;
}

std::string padded(std::int64_t number, std::size_t width) {
  const std::string digits = std::to_string(number);
  return std::string(width - std::min(width, digits.size()), '0') + digits;
}

using Microseconds = std::chrono::sys_time<std::chrono::microseconds>;
using Date = std::chrono::year_month_day;

constexpr Microseconds kFirstTime =
    std::chrono::sys_days(Date(std::chrono::year(0), std::chrono::January, std::chrono::day(1)));
constexpr Microseconds kLastTime =
    std::chrono::sys_days(
        Date(std::chrono::year(9999), std::chrono::December, std::chrono::day(31))) +
    std::chrono::days(1) - std::chrono::microseconds(1);

// Reads a time from left to right; after the first thing out of place nothing matches any more.
class TimeReader {
 public:
  explicit TimeReader(std::string_view text) : rest_(text) {}

  bool at_end() const { return rest_.empty(); }
  bool failed() const { return failed_; }

  bool accept(char wanted) {
    if (failed_ || rest_.empty() || rest_.front() != wanted) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void expect(char wanted) {
    if (!accept(wanted)) failed_ = true;
  }
  int number(std::size_t width, int most) {
    int value = 0;
    for (std::size_t at = 0; at < width && !failed_; ++at) value = value * 10 + digit();
    if (value > most) failed_ = true;
    return value;
  }
  // At least one digit; those after the sixth are below our resolution and dropped.
  std::chrono::microseconds fraction() {
    int value = 0;
    int scale = 100'000;
    do {
      value += digit() * scale;
      scale /= 10;
    } while (!failed_ && is_digit());
    return std::chrono::microseconds(value);
  }

 private:
  bool is_digit() const { return !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9'; }
  int digit() {
    if (!is_digit()) {
      failed_ = true;
      return 0;
    }
    const int value = rest_.front() - '0';
    rest_.remove_prefix(1);
    return value;
  }

  std::string_view rest_;
  bool failed_ = false;
};

std::optional<std::chrono::sys_days> read_date(TimeReader& reader) {
  const int year = reader.number(4, 9999);
  reader.expect('-');
  const int month = reader.number(2, 12);
  reader.expect('-');
  const int day = reader.number(2, 31);
  const Date date(std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                  std::chrono::day(static_cast<unsigned>(day)));
  if (reader.failed() || !date.ok()) return std::nullopt;
  return std::chrono::sys_days(date);
}

std::chrono::microseconds read_time_of_day(TimeReader& reader) {
  const std::chrono::hours hours(reader.number(2, 23));
  reader.expect(':');
  const std::chrono::minutes minutes(reader.number(2, 59));
  reader.expect(':');
  const std::chrono::seconds seconds(reader.number(2, 59));
  std::chrono::microseconds time = hours + minutes + seconds;
  if (reader.accept('.')) time += reader.fraction();
  return time;
}

// What has to be taken from the local time to get UTC.
std::chrono::minutes read_offset(TimeReader& reader) {
  if (reader.accept('Z') || reader.accept('z')) return std::chrono::minutes(0);
  const bool west = reader.accept('-');
  if (!west) reader.expect('+');
  const std::chrono::hours hours(reader.number(2, 23));
  reader.expect(':');
  const std::chrono::minutes offset = hours + std::chrono::minutes(reader.number(2, 59));
  return west ? -offset : offset;
}

std::optional<Microseconds> read_time(std::string_view text) {
  TimeReader reader(text);
  const auto date = read_date(reader);
  if (!date) return std::nullopt;
  Microseconds time = *date;
  if (!reader.at_end()) {
    if (!reader.accept('t')) reader.expect('T');
    time += read_time_of_day(reader);
    time -= read_offset(reader);
  }
  if (reader.failed() || !reader.at_end()) return std::nullopt;
  if (time < kFirstTime || time > kLastTime) return std::nullopt;
  return time;
}

// Optimal string alignment: Levenshtein's edits and the exchange of two neighbours.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before_last.swap(last);
    last.swap(row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
    }
  }
  return row[b.size()];
}

}  // namespace

std::string escape(std::string_view text, bool keep_lines) {
  std::string safe;
  safe.reserve(text.size());
  while (!text.empty()) {
    const auto character = first_character(text);
    const std::string_view bytes = text.substr(0, character ? character->length : 1);
    text.remove_prefix(bytes.size());
    const bool kept_line = keep_lines && (bytes == "\n" || bytes == "\t");
    const bool shown =
        character && !moves_the_terminal(character->code) && !changes_direction(character->code);
    if (shown || kept_line) {
      safe.append(bytes);
    } else {
      append_escaped(safe, bytes);
    }
  }
  return safe;
}

std::string quote(std::string_view text) {
  constexpr std::size_t kShown = 80;
  std::string_view shown = text.substr(0, kShown);
  // A character that the cut would divide is left out, so that it does not look like bad bytes.
  for (int more = 0; more < 3 && shown.size() < text.size(); ++more) {
    if ((static_cast<unsigned char>(text[shown.size()]) & 0xC0) != 0x80) break;
    shown.remove_suffix(1);
  }
  return "'" + escape(shown) + (shown.size() < text.size() ? "…'" : "'");
}

std::string sanitize_utf8(std::string_view bytes, std::size_t limit) {
  std::string kept;
  while (!bytes.empty()) {
    const auto character = first_character(bytes);
    const bool storable = character && character->code != 0;
    const std::string_view piece = storable ? bytes.substr(0, character->length) : kReplacement;
    if (kept.size() + piece.size() > limit) break;
    kept.append(piece);
    bytes.remove_prefix(storable ? character->length : 1);
  }
  if (!bytes.empty()) {
    if (!kept.empty() && kept.back() != '\n') kept.push_back('\n');
    kept.append("[").append(std::to_string(bytes.size())).append(" more bytes left out]");
  }
  return kept;
}

Result<std::uint64_t> parse_size(std::string_view text) {
  struct Unit {
    std::string_view letter;
    std::string_view name;
    unsigned shift;
  };
  constexpr std::array<Unit, 5> kUnits = {
      {{"", "", 0}, {"K", "KiB", 10}, {"M", "MiB", 20}, {"G", "GiB", 30}, {"T", "TiB", 40}}};
  if (const auto quantity = split_quantity(text)) {
    for (const Unit& unit : kUnits) {
      if (quantity->unit != unit.letter && quantity->unit != unit.name) continue;
      if (quantity->number > std::numeric_limits<std::uint64_t>::max() >> unit.shift) break;
      return quantity->number << unit.shift;
    }
  }
  return fail(Error(ErrorCode::usage, quote(text) + " is not a size")
                  .hint("write 8GiB, 512MiB, 64K or a number of bytes"));
}

std::string format_size(std::uint64_t bytes) {
  if (bytes < 1024) return std::to_string(bytes) + " B";
  constexpr std::string_view kPrefixes = "KMGTPE";
  std::size_t prefix = 0;
  unsigned shift = 10;
  std::uint64_t tenths = 0;
  // Rounded first, so that 1048575 bytes are "1.0 MiB" and not "1024.0 KiB".
  for (;; ++prefix, shift += 10) {
    const std::uint64_t whole = bytes >> shift;
    const std::uint64_t part = bytes & ((std::uint64_t{1} << shift) - 1);
    tenths = whole * 10 + ((part * 10 + (std::uint64_t{1} << (shift - 1))) >> shift);
    if (tenths < 10240 || prefix + 1 == kPrefixes.size()) break;
  }
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " " + kPrefixes[prefix] +
         "iB";
}

Result<std::int64_t> parse_duration_ms(std::string_view text) {
  struct Unit {
    std::string_view name;
    std::uint64_t milliseconds;
  };
  constexpr std::array<Unit, 4> kUnits = {
      {{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}}};
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (const auto quantity = split_quantity(text)) {
    for (const Unit& unit : kUnits) {
      if (quantity->unit != unit.name) continue;
      if (quantity->number > kMost / unit.milliseconds) break;
      return static_cast<std::int64_t>(quantity->number * unit.milliseconds);
    }
  }
  return fail(Error(ErrorCode::usage, quote(text) + " is not a duration")
                  .hint("write 30s, 5m, 2h or 1500ms"));
}

std::string format_time(std::int64_t microseconds_since_epoch) {
  const Microseconds time = std::clamp(
      Microseconds(std::chrono::microseconds(microseconds_since_epoch)), kFirstTime, kLastTime);
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const Date date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  return padded(int{date.year()}, 4) + "-" + padded(unsigned{date.month()}, 2) + "-" +
         padded(unsigned{date.day()}, 2) + "T" + padded(clock.hours().count(), 2) + ":" +
         padded(clock.minutes().count(), 2) + ":" + padded(clock.seconds().count(), 2) + "." +
         padded(clock.subseconds().count(), 6) + "Z";
}

Result<std::int64_t> parse_time(std::string_view text) {
  const auto time = read_time(text);
  if (!time) {
    return fail(Error(ErrorCode::usage, quote(text) + " is not a time")
                    .hint("write 2026-11-24T09:00:00Z, or 2026-11-24"));
  }
  return time->time_since_epoch().count();
}

std::string nearest(std::string_view word, std::span<const std::string_view> candidates) {
  if (word.empty()) return "";
  std::size_t within = std::clamp<std::size_t>(word.size() / 3, 1, 3);
  std::string_view best;
  for (const std::string_view candidate : candidates) {
    // The distance is at least the difference of the lengths: a hostile word costs nothing.
    const std::size_t longer = std::max(word.size(), candidate.size());
    if (longer - std::min(word.size(), candidate.size()) > within) continue;
    const std::size_t distance = edit_distance(word, candidate);
    if (distance > within || (distance == within && !best.empty())) continue;
    best = candidate;
    within = distance;
  }
  return std::string(best);
}

}  // namespace update
