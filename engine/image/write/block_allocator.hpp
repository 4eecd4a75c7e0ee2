#pragma once

#include <ext2fs/ext2fs.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/base/result.hpp"

namespace update::image {

/// Hands out free blocks in rising order from where the last ones were: what is written one after
/// the other lies one after the other.
class BlockAllocator {
 public:
  struct Run {
    blk64_t first = 0;
    std::uint32_t count = 0;
  };

  explicit BlockAllocator(ext2_filsys fs);

  /// The next free run of at most `most` blocks, and at most the length of one extent. no_space.
  Result<Run> take(std::uint64_t most);
  /// A block with these contents, which may be shorter than it.
  Result<blk64_t> store(std::span<const std::byte> contents);
  Status write(blk64_t block, std::span<const std::byte> contents);

 private:
  ext2_filsys fs_;
  blk64_t goal_;
};

}  // namespace update::image
