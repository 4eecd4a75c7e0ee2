#pragma once

#include <ext2fs/ext2fs.h>

#include <cstdint>

#include "engine/image/write/write_image.hpp"

namespace update::image {

/// With how many inodes a file system is made for a tree; 0: as many as mkfs.ext4 makes.
std::uint64_t inodes_to_make(const Needed& needed, const Geometry& geometry);

/// no_space if the file system, made for `geometry`, does not have what is needed.
Status check_room(const Needed& needed, const Geometry& geometry, ext2_filsys fs);

}  // namespace update::image
