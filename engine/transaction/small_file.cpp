#include "engine/transaction/small_file.hpp"

#include <cerrno>
#include <span>

namespace update {

Result<std::string> read_whole(os::File& file, std::size_t limit) {
  UPDATE_TRY_ASSIGN(const os::FileInfo info, file.info());
  if (info.identity.size > limit) return fail(Error::from_errno(EFBIG, "reading"));
  std::string bytes(info.identity.size, '\0');
  std::size_t done = 0;
  while (done < bytes.size()) {
    const auto rest = std::as_writable_bytes(std::span(bytes)).subspan(done);
    UPDATE_TRY_ASSIGN(const std::size_t count, file.read_at(rest, done));
    if (count == 0) break;
    done += count;
  }
  bytes.resize(done);
  return bytes;
}

Result<std::unique_ptr<os::File>> open_or_make(os::Folder& folder, std::string_view name) {
  const std::string text(name);
  auto opened = folder.open_file_for_update(text);
  if (opened || opened.error().system_errno() != ENOENT) return opened;
  opened = folder.create_file(text, kPrivateFile);
  // Somebody else was quicker to make it.
  if (!opened && opened.error().system_errno() == EEXIST) return folder.open_file_for_update(text);
  return opened;
}

}  // namespace update
