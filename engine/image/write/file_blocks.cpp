#include "engine/image/write/file_blocks.hpp"

#include "engine/image/ext4/open_image.hpp"
#include "engine/image/read/disk_inode.hpp"

#include <algorithm>
#include <cerrno>

namespace update::image {

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
  const errcode_t code = ext2fs_punch(fs, number, inode, nullptr, 0, ~blk64_t{0});
  // This is how the library says that the count would fall below zero.
  if (code == EOVERFLOW) return fail(damaged_inode(number, "has more blocks than it counts"));
  return ext2_status(code, what);
}

}  // namespace update::image
