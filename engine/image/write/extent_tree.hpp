#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/image/write/block_allocator.hpp"

namespace update::image {

/// Blocks of a file, and where they lie.
struct Piece {
  std::uint32_t logical = 0;
  std::uint32_t count = 0;  ///< at most 32768
  blk64_t physical = 0;
};

inline constexpr std::size_t kExtentsInInode = 4;

/// How many blocks the tree over so many extents takes, beyond the inode's own room.
std::uint64_t extent_tree_blocks(std::uint64_t extents, std::uint32_t block_size);

/// Fills the 60 bytes of `i_block` with the extents, in rising order, in as many tree blocks as
/// they need. `seed`: inode_seed(). Returns how many blocks the tree took.
Result<std::uint64_t> write_extent_tree(ext2_filsys fs, std::uint32_t seed,
                                        std::span<const Piece> pieces, BlockAllocator& allocator,
                                        std::span<std::byte> i_block);

}  // namespace update::image
