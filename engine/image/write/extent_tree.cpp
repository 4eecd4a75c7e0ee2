#include "engine/image/write/extent_tree.hpp"

#include "engine/image/ext4/checksum.hpp"

#include <ext2fs/ext3_extents.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace update::image {
namespace {

/// One entry of a node: an extent or an index, both of 12 bytes.
struct NodeEntry {
  std::uint32_t logical = 0;  ///< where it begins: the first field of both
  std::byte rest[8] = {};
};
static_assert(sizeof(NodeEntry) == sizeof(ext3_extent));
static_assert(sizeof(NodeEntry) == sizeof(ext3_extent_idx));

constexpr std::size_t kHeader = sizeof(ext3_extent_header);

std::size_t entries_in_block(std::uint32_t block_size) {
  return (block_size - kHeader) / sizeof(NodeEntry);
}

NodeEntry leaf_entry(const Piece& piece) {
  ext3_extent extent{};
  extent.ee_block = piece.logical;
  extent.ee_len = static_cast<std::uint16_t>(piece.count);
  extent.ee_start = static_cast<std::uint32_t>(piece.physical);
  extent.ee_start_hi = static_cast<std::uint16_t>(piece.physical >> 32);
  return std::bit_cast<NodeEntry>(extent);
}

NodeEntry index_entry(std::uint32_t logical, blk64_t block) {
  ext3_extent_idx index{};
  index.ei_block = logical;
  index.ei_leaf = static_cast<std::uint32_t>(block);
  index.ei_leaf_hi = static_cast<std::uint16_t>(block >> 32);
  return std::bit_cast<NodeEntry>(index);
}

void fill_node(std::span<std::byte> node, std::span<const NodeEntry> entries, std::size_t most,
               std::uint16_t depth) {
  ext3_extent_header header{};
  header.eh_magic = EXT3_EXT_MAGIC;
  header.eh_entries = static_cast<std::uint16_t>(entries.size());
  header.eh_max = static_cast<std::uint16_t>(most);
  header.eh_depth = depth;
  std::memcpy(node.data(), &header, sizeof header);
  const auto bytes = std::as_bytes(entries);
  std::copy(bytes.begin(), bytes.end(), node.begin() + static_cast<std::ptrdiff_t>(kHeader));
}

}  // namespace

std::uint64_t extent_tree_blocks(std::uint64_t extents, std::uint32_t block_size) {
  const std::uint64_t fan = entries_in_block(block_size);
  std::uint64_t blocks = 0;
  while (extents > kExtentsInInode) {
    extents = (extents + fan - 1) / fan;
    blocks += extents;
  }
  return blocks;
}

Result<std::uint64_t> write_extent_tree(ext2_filsys fs, std::uint32_t seed,
                                        std::span<const Piece> pieces, BlockAllocator& allocator,
                                        std::span<std::byte> i_block) {
  std::vector<NodeEntry> level;
  level.reserve(pieces.size());
  for (const Piece& piece : pieces) level.push_back(leaf_entry(piece));
  const std::size_t fan = entries_in_block(fs->blocksize);
  const std::size_t tail = kHeader + fan * sizeof(NodeEntry);
  std::vector<std::byte> block(fs->blocksize);
  std::uint64_t blocks = 0;
  std::uint16_t depth = 0;
  // From the leaves up, until what is left fits into the inode.
  for (; level.size() > kExtentsInInode; ++depth) {
    std::vector<NodeEntry> above;
    for (std::size_t begin = 0; begin < level.size(); begin += fan) {
      const auto part = std::span(level).subspan(begin, std::min(fan, level.size() - begin));
      std::fill(block.begin(), block.end(), std::byte{0});
      fill_node(block, part, fan, depth);
      if (has_checksums(fs)) {
        const std::uint32_t sum = checksum(seed, std::span(block).first(tail));
        std::memcpy(block.data() + tail, &sum, sizeof sum);
      }
      UPDATE_TRY_ASSIGN(const blk64_t stored, allocator.store(block));
      above.push_back(index_entry(part.front().logical, stored));
      ++blocks;
    }
    level = std::move(above);
  }
  fill_node(i_block, level, kExtentsInInode, depth);
  return blocks;
}

}  // namespace update::image
