#pragma once

#include <ext2fs/ext2fs.h>

#include <string_view>

#include "engine/image/read/read_image.hpp"
#include "engine/image/tree.hpp"

namespace update::image {

/// What read_image does in the confined child. The superblock was checked.
Result<Tree> read_tree(ext2_filsys fs, std::string_view path, Depth depth,
                       const TreeLimits& limits);

}  // namespace update::image
