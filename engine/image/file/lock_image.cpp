#include "engine/image/file/lock_image.hpp"

#include "engine/base/text.hpp"
#include "engine/image/file/named_file.hpp"

#include <cerrno>

namespace update::image {

// Somebody else's change between the opening and the locking puts another file in this place, and a
// copy of the old one would undo it.
Result<std::unique_ptr<os::File>> lock_image(os::FileSystem& files, const std::string& image) {
  constexpr int kAttempts = 3;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    UPDATE_TRY_ASSIGN(const NamedPlace place, open_named_place(files, image));
    UPDATE_TRY_ASSIGN(auto file, place.folder->open_file(place.name));
    UPDATE_TRY_ASSIGN(const bool locked, file->try_lock());
    if (!locked) break;
    UPDATE_TRY_ASSIGN(const os::FileInfo info, file->info());
    UPDATE_TRY_ASSIGN(const auto present, place.folder->lookup(place.name));
    if (present && present->identity.same_inode(info.identity)) return file;
  }
  return fail(Error(ErrorCode::busy, "somebody else is working on the image " + escape(image))
                  .hint("try again when they are done"));
}

Result<std::unique_ptr<os::File>> lock_present(os::FileSystem& files, const std::string& target) {
  UPDATE_TRY_ASSIGN(const NamedPlace place, open_named_place(files, target));
  UPDATE_TRY_ASSIGN(const auto present, place.folder->lookup(place.name));
  if (!present || present->type != os::FileType::regular) return nullptr;
  auto locked = lock_image(files, target);
  // Who may write in the folder may replace what they may not read.
  if (!locked && locked.error().system_errno() == EACCES) return nullptr;
  return locked;
}

}  // namespace update::image
