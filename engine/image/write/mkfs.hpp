#pragma once

#include <cstdint>

#include "engine/image/ext4/open_image.hpp"
#include "engine/image/write/write_image.hpp"

namespace update::image {

inline constexpr std::uint64_t kBlock = 4096;           ///< of every file system that we make
inline constexpr std::uint64_t kBytesPerInode = 16384;  ///< mke2fs.conf

/// A fresh ext4 file system in memory, before an empty `file` of `geometry.bytes` bytes, as
/// mkfs.ext4 of Debian 12 makes it with `-b 4096 -E root_owner=0:0,lazy_itable_init=1,
/// lazy_journal_init=1`, but with at least `inodes` inodes and the reserved descriptor blocks that
/// `geometry` needs. flush_image() puts it into the file; null: it is made to be looked at only.
/// no_space where the bytes do not hold a file system or its inodes.
Result<Filsys> make_file_system(os::File* file, const Geometry& geometry, const Identity& identity,
                                std::uint64_t inodes);

}  // namespace update::image
