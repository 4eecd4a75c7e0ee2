#include "engine/image/file/clone_file.hpp"

#include "engine/image/file/copied_mode.hpp"
#include "engine/image/file/copy_range.hpp"
#include "engine/image/file/named_file.hpp"
#include "engine/image/file/output_file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <utility>

namespace update {

namespace {

// Before all is copied for nothing; that it holds is up to the one step that gives the name.
Status check_absent(os::FileSystem& files, const std::string& target) {
  UPDATE_TRY_ASSIGN(const NamedPlace place, open_named_place(files, target));
  UPDATE_TRY_ASSIGN(const auto present, place.folder->lookup(place.name));
  if (present) return fail(Error::from_errno(EEXIST, "making " + target));
  return {};
}

}  // namespace

Status copy_contents(os::File& source, os::File& target, os::StopRequest* stop) {
  UPDATE_TRY_ASSIGN(const bool shared, target.clone_from(source));
  if (shared) return {};
  // What grows later is left out, or a source that grows as fast as it is read would never end.
  UPDATE_TRY_ASSIGN(const os::FileInfo info, source.info());
  const std::uint64_t size = info.identity.size;
  RangeCopier copier(stop);
  for (std::uint64_t offset = 0; offset < size;) {
    UPDATE_TRY_ASSIGN(const auto data, source.next_data(offset));
    if (!data || data->begin >= size) break;
    offset = std::min(data->end, size);
    UPDATE_TRY(copier.copy(source, data->begin, target, data->begin, offset - data->begin));
  }
  UPDATE_TRY(check_end(source, size));
  return target.truncate(size);
}

Status clone_file(const os::System& system, const std::string& source, const std::string& target) {
  const auto clone = [&]() -> Status {
    UPDATE_TRY_ASSIGN(const auto from, open_named_file(system.files, source));
    UPDATE_TRY(check_absent(system.files, target));
    UPDATE_TRY_ASSIGN(const std::uint32_t mode, copied_mode(*from));
    UPDATE_TRY_ASSIGN(auto output, image::OutputFile::create(system.files, target, mode,
                                                             system.host.random_u32()));
    UPDATE_TRY(copy_contents(*from, output.file(), &system.stop));
    return output.commit_new();
  };
  Status cloned = clone();
  if (!cloned) return fail(std::move(cloned).error().with("cloning " + source + " to " + target));
  return cloned;
}

}  // namespace update
