#include "engine/image/write/file_blocks.hpp"

#include <algorithm>

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

}  // namespace update::image
