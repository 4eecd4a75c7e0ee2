#include "engine/image/write/file_blocks.hpp"

#include "engine/image/ext4/open_image.hpp"
#include "engine/image/read/disk_inode.hpp"

#include <algorithm>
#include <cerrno>

namespace update::image {
namespace {

// Freed twice, a block would count as two that are free.
Status check_each_block_once(ext2_filsys fs, ext2_ino_t number) {
  UPDATE_TRY_ASSIGN(const DiskInode inode, DiskInode::read(fs, number));
  BlockMap map;
  UPDATE_TRY(BlockMapper(fs, ext2fs_blocks_count(fs->super)).map(inode, map));
  std::vector<BlockRange> places;
  for (const BlockRun& run : map.runs) places.push_back({run.physical, run.physical + run.length});
  for (const std::uint64_t node : map.nodes) places.push_back({node, node + 1});
  std::sort(places.begin(), places.end(), [](const BlockRange& left, const BlockRange& right) {
    return left.begin < right.begin;
  });
  const auto twice = std::adjacent_find(
      places.begin(), places.end(),
      [](const BlockRange& left, const BlockRange& right) { return right.begin < left.end; });
  if (twice == places.end()) return {};
  return fail(damaged_inode(number, "has a block twice"));
}

}  // namespace

std::vector<BlockRange> data_blocks(const Tree& tree, const Entry& entry,
                                    std::uint32_t block_size) {
  std::vector<BlockRange> ranges;
  for (std::uint32_t at = 0; at < entry.extents; ++at) {
    const Extent& extent = tree.extents[entry.first_extent + at];
    if (extent.length == 0) continue;
    const std::uint64_t begin = extent.offset / block_size;
    const std::uint64_t end = (extent.offset + extent.length - 1) / block_size + 1;
    if (!ranges.empty() && begin <= ranges.back().end) {
      ranges.back().end = std::max(ranges.back().end, end);
    } else {
      ranges.push_back({begin, end});
    }
  }
  return ranges;
}

Status free_blocks(ext2_filsys fs, ext2_ino_t number, ext2_inode* inode, std::string_view what) {
  UPDATE_TRY(check_each_block_once(fs, number));
  const errcode_t code = ext2fs_punch(fs, number, inode, nullptr, 0, ~blk64_t{0});
  // This is how the library says that the count would fall below zero.
  if (code == EOVERFLOW) return fail(damaged_inode(number, "has more blocks than it counts"));
  return ext2_status(code, what);
}

}  // namespace update::image
