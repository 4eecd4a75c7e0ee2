#pragma once

#include <ext2fs/ext2fs.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/base/result.hpp"
#include "engine/image/tree.hpp"

namespace update::image {

/// Blocks of a file, `begin` to `end`, that hold data.
struct BlockRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

/// The blocks that the data of a file touches, in order, neighbours joined.
std::vector<BlockRange> data_blocks(const Tree& tree, const Entry& entry, std::uint32_t block_size);

/// Frees all that an inode has for its data; `what` is being done. The inode is not written.
/// not_trusted: it has more than it counts, or one of them twice.
Status free_blocks(ext2_filsys fs, ext2_ino_t number, ext2_inode* inode, std::string_view what);

}  // namespace update::image
