#include "engine/image/clone_file.hpp"

#include "engine/image/named_file.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace update {
namespace {

constexpr std::size_t kChunk = 1U << 20;
constexpr std::uint64_t kKernelCopyMax = 1U
                                         << 30;  // copy_file_range(2) takes less than 2 GiB at once

Error became_shorter() {
  return {ErrorCode::failed, "the source became shorter while it was read"};
}

Status copy_in_chunks(os::File& source, os::File& target, os::File::Extent extent) {
  std::vector<std::byte> buffer(std::min<std::uint64_t>(kChunk, extent.end - extent.begin));
  while (extent.begin < extent.end) {
    const auto wanted = std::min<std::uint64_t>(buffer.size(), extent.end - extent.begin);
    const auto chunk = std::span(buffer).first(wanted);
    UPDATE_TRY_ASSIGN(const std::size_t count, source.read_at(chunk, extent.begin));
    if (count < wanted) return fail(became_shorter());
    UPDATE_TRY(target.write_at(chunk, extent.begin));
    extent.begin += wanted;
  }
  return {};
}

Status copy_extent(os::File& source, os::File& target, os::File::Extent extent) {
  while (extent.begin < extent.end) {
    const auto wanted = std::min(kKernelCopyMax, extent.end - extent.begin);
    UPDATE_TRY_ASSIGN(const auto count, target.copy_from(source, extent.begin, wanted));
    if (!count) return copy_in_chunks(source, target, extent);
    if (*count == 0) return fail(became_shorter());
    extent.begin += *count;
  }
  return {};
}

}  // namespace

Status copy_contents(os::File& source, os::File& target) {
  UPDATE_TRY_ASSIGN(const bool shared, target.clone_from(source));
  if (shared) return {};
  // What grows later is left out, or a source that grows as fast as it is read would never end.
  UPDATE_TRY_ASSIGN(const os::FileInfo info, source.info());
  const std::uint64_t size = info.identity.size;
  for (std::uint64_t offset = 0; offset < size;) {
    UPDATE_TRY_ASSIGN(const auto data, source.next_data(offset));
    if (!data || data->begin >= size) break;
    const os::File::Extent extent{data->begin, std::min(data->end, size)};
    UPDATE_TRY(copy_extent(source, target, extent));
    offset = extent.end;
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
