#pragma once

#include <ext2fs/ext2fs.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/base/result.hpp"

// Inodes as an image has them, and the blocks that they name. Nothing that is read is believed.
namespace update::image {

/// "inode 12 of the image <problem>", not_trusted.
Error damaged_inode(ext2_ino_t number, std::string_view problem);

/// One inode; `raw()` has zeros where a small one of 128 bytes ends.
class DiskInode {
 public:
  /// not_trusted: no such number, or its checksum is wrong. Of a deleted one, too.
  static Result<DiskInode> read(ext2_filsys fs, ext2_ino_t number);
  /// From bytes that a scan of the table has read.
  DiskInode(ext2_filsys fs, ext2_ino_t number, std::span<const std::byte> bytes);

  ext2_ino_t number() const { return number_; }
  const ext2_inode_large& raw() const {
    return *reinterpret_cast<const ext2_inode_large*>(bytes_.data());
  }
  /// All of it, extended attributes included; as long as the inodes of the image are.
  std::span<const std::byte> bytes() const { return std::span(bytes_).first(size_on_disk_); }
  std::span<const std::byte> block_area() const;
  std::uint64_t size() const;
  bool has_flag(std::uint32_t flag) const { return (raw().i_flags & flag) != 0; }
  /// Is the field that ends at `end` within the part that the inode says it has?
  bool has_field(std::size_t end) const;

 private:
  DiskInode() = default;

  ext2_ino_t number_ = 0;
  std::size_t size_on_disk_ = 0;
  std::vector<std::byte> bytes_;
};

/// Blocks of the image that follow each other, both in the file and in the image.
struct BlockRun {
  std::uint64_t logical = 0;
  std::uint64_t physical = 0;
  std::uint64_t length = 0;
  bool written = true;  ///< else the blocks are reserved, and read as zeros
};

struct BlockMap {
  std::vector<BlockRun> runs;        ///< in rising order of `logical`
  std::vector<std::uint64_t> nodes;  ///< the blocks that hold the map itself
  std::uint64_t blocks = 0;          ///< in all runs
};

/// Finds the blocks of inodes: extents or, in old images, lists of blocks. Each inode's work is
/// taken from what is left for the whole image, since no sound image has more nodes than blocks.
class BlockMapper {
 public:
  BlockMapper(ext2_filsys fs, std::size_t most_runs);

  /// not_trusted: something illegal. failed: more runs than `most_runs` in one file.
  Status map(const DiskInode& inode, BlockMap& map);

 private:
  Status extent_node(std::span<const std::byte> node, int level, std::uint64_t begin,
                     std::uint64_t end, bool fixed_begin);
  Status extent_leaf(std::span<const std::byte> entries, std::uint64_t begin, std::uint64_t end,
                     bool fixed_begin);
  Status extent_index(std::span<const std::byte> entries, int level, std::uint64_t begin,
                      std::uint64_t end, bool fixed_begin);
  Status listed_blocks(std::span<const std::byte> numbers, int level, std::uint64_t& logical);
  Status read_node(std::uint64_t block, int level);
  Status append(const BlockRun& run);
  Error damaged(std::string_view problem) const { return damaged_inode(number_, problem); }

  ext2_filsys fs_;
  std::size_t most_runs_;
  std::uint64_t nodes_left_;
  std::vector<std::vector<std::byte>> buffers_;  ///< one for each level
  ext2_ino_t number_ = 0;
  BlockMap* map_ = nullptr;
};

/// The blocks that hold the groups' bitmaps, inode tables and descriptors, and the superblocks.
class MetadataBlocks {
 public:
  explicit MetadataBlocks(ext2_filsys fs);
  bool overlaps(std::uint64_t first, std::uint64_t length) const;

 private:
  struct Range {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
  };
  void add(std::uint64_t first, std::uint64_t length);
  std::vector<Range> ranges_;  ///< sorted, none touching another
};

}  // namespace update::image
