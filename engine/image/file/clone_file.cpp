#include "engine/image/file/clone_file.hpp"

#include "engine/image/file/copy_range.hpp"
#include "engine/image/file/named_file.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace update {

Status copy_contents(os::File& source, os::File& target) {
  UPDATE_TRY_ASSIGN(const bool shared, target.clone_from(source));
  if (shared) return {};
  // What grows later is left out, or a source that grows as fast as it is read would never end.
  UPDATE_TRY_ASSIGN(const os::FileInfo info, source.info());
  const std::uint64_t size = info.identity.size;
  RangeCopier copier;
  for (std::uint64_t offset = 0; offset < size;) {
    UPDATE_TRY_ASSIGN(const auto data, source.next_data(offset));
    if (!data || data->begin >= size) break;
    offset = std::min(data->end, size);
    UPDATE_TRY(copier.copy(source, data->begin, target, data->begin, offset - data->begin));
  }
  return target.truncate(size);
}

Status clone_file(os::FileSystem& files, const std::string& source, const std::string& target) {
  constexpr std::uint32_t kPermissionBits = 0777;
  const auto clone = [&]() -> Status {
    UPDATE_TRY_ASSIGN(const auto from, open_named_file(files, source));
    UPDATE_TRY_ASSIGN(const os::FileInfo info, from->info());
    UPDATE_TRY_ASSIGN(const NamedPlace place, open_named_place(files, target));
    UPDATE_TRY_ASSIGN(const auto to,
                      place.folder->create_file(place.name, info.mode & kPermissionBits));
    const auto fill = [&]() -> Status {
      UPDATE_TRY(copy_contents(*from, *to));
      UPDATE_TRY(to->sync());
      return place.folder->sync();
    };
    Status filled = fill();
    if (filled) return filled;
    auto removed = place.folder->unlink(place.name);
    if (removed) return filled;
    return fail(std::move(filled).error().with("an incomplete " + target + " is left, since " +
                                               removed.error().message()));
  };
  Status cloned = clone();
  if (!cloned) return fail(std::move(cloned).error().with("cloning " + source + " to " + target));
  return cloned;
}

}  // namespace update
