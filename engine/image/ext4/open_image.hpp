#pragma once

#include <ext2fs/ext2fs.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string_view>
#include <type_traits>

#include "engine/base/result.hpp"
#include "engine/os/filesystem.hpp"

namespace update::image {

/// Writes nothing: what was changed and not given to flush_image() is lost.
struct FilsysFree {
  void operator()(ext2_filsys fs) const { ext2fs_free(fs); }
};
using Filsys = std::unique_ptr<std::remove_pointer_t<ext2_filsys>, FilsysFree>;

/// What libext2fs says, as an error of ours: not_trusted where the image is damaged, no_space where
/// it or the memory is full, else failed. An errno is kept.
Error ext2_error(errcode_t code, std::string_view what);
/// Its status: success for 0.
Status ext2_status(errcode_t code, std::string_view what);

/// The file system in `file`, which lives longer. Its bitmaps are read where it is opened to be
/// written to.
Result<Filsys> open_image(os::File& file, bool writes);

/// For ext2_filsys::now, of which 0 means that nothing was set: the clock would be read instead.
inline std::int64_t library_time(std::int64_t now_s) {
  return std::max<std::int64_t>(now_s, 1);
}

/// All changes are in the file: bitmaps, descriptors, superblocks, and what was written before.
/// Syncs nothing.
Status flush_image(ext2_filsys fs);

}  // namespace update::image
