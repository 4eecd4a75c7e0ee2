#include "engine/base/layout.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <limits>

#include "engine/base/hex.hpp"

namespace update {
namespace {

constexpr std::string_view kUnitBeginning = "banger-update-";
constexpr std::string_view kUnitEnding = ".service";
constexpr std::string_view kStagedEnding = ".staged";
constexpr std::string_view kBackupEnding = ".backup";
constexpr std::string_view kHelperEnding = ".tmp";
constexpr std::size_t kRandomDigits = 8;

std::string unit_name(const std::string& middle) {
  return std::string(kUnitBeginning) + middle + std::string(kUnitEnding);
}

std::string own_name(std::string_view name, const TransactionTag& tag, std::string_view ending) {
  std::string made = "." + std::string(name) + "." + std::to_string(tag.id.value) + "-";
  for (std::size_t digit = kRandomDigits; digit-- > 0;) {
    made.push_back(kHexDigits[(tag.random >> (4 * digit)) & 15U]);
  }
  return made.append(ending);
}

std::optional<OwnName> parse_with_ending(std::string_view name, OwnNameKind kind,
                                         std::string_view ending) {
  if (!name.starts_with('.') || !name.ends_with(ending)) return std::nullopt;
  const std::string_view body = name.substr(1, name.size() - 1 - ending.size());
  const auto dot = body.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return std::nullopt;
  const std::string_view tail = body.substr(dot + 1);
  const auto dash = tail.find('-');
  if (dash == std::string_view::npos || tail.size() - dash - 1 != kRandomDigits) {
    return std::nullopt;
  }
  OwnName own{kind, std::string(body.substr(0, dot)), {}};
  const char* end = tail.data() + tail.size();
  const auto id = std::from_chars(tail.data(), tail.data() + dash, own.tag.id.value);
  const auto random = std::from_chars(tail.data() + dash + 1, end, own.tag.random, 16);
  if (id.ec != std::errc() || random.ec != std::errc() || random.ptr != end) return std::nullopt;
  // Made anew and compared: leading zeros, signs and capitals are refused at one stroke.
  if (own_name(own.destination_name, own.tag, ending) != name) return std::nullopt;
  if ((kind == OwnNameKind::helper) != (own.tag.id.value == 0)) return std::nullopt;
  return own;
}

}  // namespace

std::string broken_journal_name(std::int64_t wall_us, std::string_view suffix) {
  return std::string(kJournalName) + ".broken-" + std::to_string(wall_us) + std::string(suffix);
}

std::string expiry_unit_name(TransactionId id, std::uint32_t random) {
  return unit_name("expired-" + std::to_string(id.value) + "-" + std::to_string(random));
}

std::string apart_unit_name(std::int64_t pid, std::uint32_t random) {
  return unit_name(std::to_string(pid) + "-" + std::to_string(random));
}

bool is_own_unit(std::string_view name) {
  return name.starts_with(kUnitBeginning) && name.ends_with(kUnitEnding);
}

std::string generation_name(const Sha256Digest& digest) {
  return digest.hex();
}

std::optional<Sha256Digest> parse_generation_name(std::string_view name) {
  auto digest = Sha256Digest::from_hex(name);
  if (!digest) return std::nullopt;
  return *digest;
}

std::string staged_name(std::string_view destination_name, const TransactionTag& tag) {
  return own_name(destination_name, tag, kStagedEnding);
}

std::string backup_name(std::string_view destination_name, const TransactionTag& tag) {
  return own_name(destination_name, tag, kBackupEnding);
}

std::string helper_temporary_name(std::string_view name, std::uint32_t random) {
  return own_name(name, {TransactionId{0}, random}, kHelperEnding);
}

std::string previous_name(std::string_view destination_name, std::string_view suffix) {
  return std::string(destination_name).append(suffix);
}

std::optional<OwnName> parse_own_name(std::string_view name) {
  if (auto own = parse_with_ending(name, OwnNameKind::staged, kStagedEnding)) return own;
  if (auto own = parse_with_ending(name, OwnNameKind::backup, kBackupEnding)) return own;
  return parse_with_ending(name, OwnNameKind::helper, kHelperEnding);
}

Status check_name_lengths(std::string_view destination_name, std::string_view suffix) {
  const TransactionTag longest{TransactionId{std::numeric_limits<std::int64_t>::max()}, 0};
  const std::size_t length = std::max(staged_name(destination_name, longest).size(),
                                      previous_name(destination_name, suffix).size());
  if (length > kNameMax) {
    return fail(ErrorCode::usage, "the file name '" + std::string(destination_name) +
                                      "' is too long: names made from it would exceed " +
                                      std::to_string(kNameMax) + " bytes");
  }
  return {};
}

}  // namespace update
