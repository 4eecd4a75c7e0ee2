// "banger-update intent 1 <length> <sha256>\n", then the plan's text. The file is overwritten in
// place, so what is read may be half of one plan and half of another; length and checksum tell.
#include "engine/transaction/intent.hpp"

#include <cerrno>
#include <charconv>
#include <string_view>

#include "engine/base/layout.hpp"
#include "engine/base/sha256.hpp"
#include "engine/transaction/small_file.hpp"

namespace update {
namespace {

constexpr std::string_view kIntentMagic = "banger-update intent 1 ";
constexpr std::size_t kIntentLimit = 64U << 20;

std::optional<std::string> payload_of(std::string_view bytes) {
  if (!bytes.starts_with(kIntentMagic)) return std::nullopt;
  bytes.remove_prefix(kIntentMagic.size());
  const std::string_view header = bytes.substr(0, bytes.find('\n'));
  if (header.size() == bytes.size()) return std::nullopt;
  bytes.remove_prefix(header.size() + 1);
  std::size_t length = 0;
  const auto parsed = std::from_chars(header.data(), header.data() + header.size(), length);
  const std::string_view rest(parsed.ptr, header.data() + header.size());
  // A shorter plan written over a longer one leaves the tail of the longer behind it: the length
  // says where to stop.
  if (parsed.ec != std::errc() || !rest.starts_with(' ') || length > bytes.size()) {
    return std::nullopt;
  }
  const std::string_view payload = bytes.substr(0, length);
  if (sha256_of(payload).hex() != rest.substr(1)) return std::nullopt;
  return std::string(payload);
}

}  // namespace

Status write_intent(os::Folder& state, const std::string& plan_text) {
  const std::string bytes = std::string(kIntentMagic) + std::to_string(plan_text.size()) + " " +
                            sha256_of(plan_text).hex() + "\n" + plan_text;
  UPDATE_TRY_ASSIGN(const auto file, state.open_file_for_update(std::string(kIntentName)));
  UPDATE_TRY(file->write_at(std::as_bytes(std::span(bytes)), 0));
  return file->sync();
}

Status clear_intent(os::Folder& state) {
  const auto file = state.open_file_for_update(std::string(kIntentName));
  if (!file) return file.error().system_errno() == ENOENT ? Status() : fail(file.error());
  return (*file)->truncate(0);
}

Result<bool> is_intended(os::Folder& state) {
  UPDATE_TRY_ASSIGN(const auto found, state.lookup(std::string(kIntentName)));
  return found && found->identity.size > 0;
}

Result<std::optional<std::string>> read_intent(os::Folder& state) {
  UPDATE_TRY_ASSIGN(const auto found, state.lookup(std::string(kIntentName)));
  if (!found || found->type != os::FileType::regular || found->identity.size == 0 ||
      found->identity.size > kIntentLimit) {
    return std::nullopt;
  }
  UPDATE_TRY_ASSIGN(const auto file, state.open_file(std::string(kIntentName)));
  UPDATE_TRY_ASSIGN(const std::string bytes, read_whole(*file, kIntentLimit));
  return payload_of(bytes);
}

}  // namespace update
