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

}  // namespace update
