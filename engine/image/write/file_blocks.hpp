#pragma once

#include <cstdint>
#include <vector>

#include "engine/image/tree.hpp"

namespace update::image {

/// Blocks of a file, `begin` to `end`, that hold data.
struct BlockRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

/// The blocks that the data of a file touches, in order, neighbours joined.
std::vector<BlockRange> data_blocks(const Tree& tree, const Entry& entry, std::uint32_t block_size);

}  // namespace update::image
