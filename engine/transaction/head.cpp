// Two slots of 512 bytes, the smallest unit that a disk writes whole. A slot is "<checksum> <seq>
// <hash> <id> <outcome>\n" and zeros.
#include "engine/transaction/head.hpp"

#include <array>
#include <charconv>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/layout.hpp"
#include "engine/transaction/small_file.hpp"

namespace update {
namespace {

constexpr std::size_t kSlotBytes = 512;
constexpr std::size_t kSlots = 2;

std::optional<std::int64_t> number_of(std::string_view text) {
  std::int64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<Head> parse_slot(std::string_view slot) {
  const std::string_view line = slot.substr(0, slot.find('\n'));
  std::vector<std::string_view> words;
  for (std::size_t at = 0; at <= line.size();) {
    const auto blank = std::min(line.find(' ', at), line.size());
    words.push_back(line.substr(at, blank - at));
    at = blank + 1;
  }
  if (words.size() != 5 || line.size() == slot.size()) return std::nullopt;
  if (sha256_of(line.substr(words[0].size())).hex() != words[0]) return std::nullopt;
  const auto seq = number_of(words[1]);
  const auto hash = Sha256Digest::from_hex(words[2]);
  const auto id = number_of(words[3]);
  const auto outcome = phase_of(words[4]);
  if (!seq || !hash || !id || !outcome) return std::nullopt;
  return Head{*seq, *hash, TransactionId{*id}, *outcome};
}

Result<std::array<std::optional<Head>, kSlots>> read_slots(os::File& file) {
  std::array<std::optional<Head>, kSlots> slots;
  UPDATE_TRY_ASSIGN(std::string bytes, read_whole(file, kSlotBytes * kSlots));
  bytes.resize(kSlotBytes * kSlots, '\0');
  for (std::size_t slot = 0; slot < kSlots; ++slot) {
    slots[slot] = parse_slot(std::string_view(bytes).substr(slot * kSlotBytes, kSlotBytes));
  }
  return slots;
}

std::size_t newest_of(const std::array<std::optional<Head>, kSlots>& slots) {
  if (!slots[1]) return 0;
  return !slots[0] || slots[1]->seq > slots[0]->seq ? 1 : 0;
}

}  // namespace

Status write_head(os::Folder& state, const Head& head) {
  UPDATE_TRY_ASSIGN(const auto file, state.open_file_for_update(std::string(kHeadName)));
  auto slots = read_slots(*file);
  const std::size_t slot = slots && (*slots)[newest_of(*slots)] ? 1 - newest_of(*slots) : 0;
  const std::string content = " " + std::to_string(head.seq) + " " + head.hash.hex() + " " +
                              std::to_string(head.last_final.value) + " " +
                              std::string(name_of(head.outcome));
  std::string bytes = sha256_of(content).hex() + content + "\n";
  bytes.resize(kSlotBytes, '\0');
  return file->write_at(std::as_bytes(std::span(bytes)), slot * kSlotBytes);
}

Result<std::optional<Head>> read_head(os::Folder& state) {
  UPDATE_TRY_ASSIGN(const auto found, state.lookup(std::string(kHeadName)));
  if (!found || found->type != os::FileType::regular ||
      found->identity.size > kSlotBytes * kSlots) {
    return std::nullopt;
  }
  UPDATE_TRY_ASSIGN(const auto file, state.open_file(std::string(kHeadName)));
  UPDATE_TRY_ASSIGN(const auto slots, read_slots(*file));
  return slots[newest_of(slots)];
}

Result<bool> head_is_blank(os::Folder& state) {
  UPDATE_TRY_ASSIGN(const auto found, state.lookup(std::string(kHeadName)));
  if (!found) return true;
  if (found->type != os::FileType::regular || found->identity.size > kSlotBytes * kSlots) {
    return false;
  }
  UPDATE_TRY_ASSIGN(const auto file, state.open_file(std::string(kHeadName)));
  UPDATE_TRY_ASSIGN(const std::string bytes, read_whole(*file, kSlotBytes * kSlots));
  return bytes.find_first_not_of('\0') == std::string::npos;
}

}  // namespace update
