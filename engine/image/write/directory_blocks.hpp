#pragma once

#include <ext2fs/ext2fs.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "engine/base/result.hpp"

namespace update::image {

/// One name of a folder.
struct DirectoryName {
  std::string_view name;
  ext2_ino_t inode = 0;
  std::uint8_t type = EXT2_FT_UNKNOWN;
};

/// A folder as the disk holds it.
struct DirectoryBlocks {
  std::vector<std::byte> bytes;  ///< whole blocks
  bool indexed = false;          ///< EXT2_INDEX_FL has to be set
};

struct DirectoryOwner {
  ext2_ino_t self = 0;
  ext2_ino_t parent = 0;
  std::uint32_t generation = 0;
};

/// All the names of a folder in as many blocks as they need: one block is a plain list, more are a
/// hash tree, as the kernel would build it, with some room for more in each leaf. failed: more than
/// a tree of two levels holds.
Result<DirectoryBlocks> build_directory(ext2_filsys fs, const DirectoryOwner& owner,
                                        std::span<const DirectoryName> names);

/// The most blocks that build_directory() takes with checksums and 4 KiB blocks for `count` names
/// of `name_bytes` bytes (each rounded up to a multiple of 4), the longest of `longest`.
std::uint64_t most_directory_blocks(std::uint64_t count, std::uint64_t name_bytes,
                                    std::uint64_t longest);

}  // namespace update::image
