#include "engine/image/read/disk_inode.hpp"

#include <ext2fs/ext3_extents.h>

#include <algorithm>
#include <cstring>

#include "engine/image/ext4/open_image.hpp"

namespace update::image {
namespace {

constexpr int kMostLevels = 5;  // as the kernel
constexpr std::size_t kExtentBytes = sizeof(ext3_extent);
constexpr std::size_t kMostTail = 2;
constexpr std::uint32_t kWrittenMost = EXT_INIT_MAX_LEN;
constexpr std::uint64_t kLogicalEnd = std::uint64_t{1} << 32;
// Of a list of blocks: what follows the direct ones is one list each of one, two and three levels.
constexpr std::size_t kDirectBytes = EXT2_NDIR_BLOCKS * sizeof(std::uint32_t);

template <class Part>
Part part_at(std::span<const std::byte> bytes, std::size_t offset) {
  Part part;
  std::memcpy(&part, bytes.data() + offset, sizeof(part));
  return part;
}

std::uint64_t physical_of(const ext3_extent& extent) {
  return extent.ee_start | std::uint64_t{extent.ee_start_hi} << 32;
}

std::uint64_t physical_of(const ext3_extent_idx& index) {
  return index.ei_leaf | std::uint64_t{index.ei_leaf_hi} << 32;
}

}  // namespace

BlockMapper::BlockMapper(ext2_filsys fs, std::size_t most_runs)
    : fs_(fs),
      most_runs_(most_runs),
      nodes_left_(2 * ext2fs_blocks_count(fs->super)),
      buffers_(kMostLevels) {}

Status BlockMapper::map(const DiskInode& inode, BlockMap& map) {
  map.runs.clear();
  map.nodes.clear();
  map.blocks = 0;
  number_ = inode.number();
  map_ = &map;
  const std::span<const std::byte> area = inode.block_area();
  if (!inode.has_flag(EXT4_EXTENTS_FL)) {
    std::uint64_t logical = 0;
    UPDATE_TRY(listed_blocks(area.first(kDirectBytes), 0, logical));
    for (int level = 1; level <= 3; ++level) {
      const auto number = area.subspan(kDirectBytes + static_cast<std::size_t>(level - 1) * 4, 4);
      UPDATE_TRY(listed_blocks(number, level, logical));
    }
    return {};
  }
  const auto header = part_at<ext3_extent_header>(area, 0);
  // An inode of which nothing was ever written may have no header at all.
  if (std::all_of(area.begin(), area.end(), [](std::byte byte) { return byte == std::byte{0}; })) {
    return {};
  }
  if (header.eh_depth > kMostLevels) return fail(damaged("has an extent tree that is too deep"));
  return extent_node(area, header.eh_depth, 0, kLogicalEnd, false);
}

Status BlockMapper::read_node(std::uint64_t block, int level) {
  if (block <= fs_->super->s_first_data_block || block >= ext2fs_blocks_count(fs_->super)) {
    return fail(damaged("has a map that lies outside of the image"));
  }
  if (nodes_left_ == 0) return fail(damaged("has a map with more parts than the image has blocks"));
  --nodes_left_;
  auto& buffer = buffers_[static_cast<std::size_t>(level)];
  buffer.resize(fs_->blocksize);
  map_->nodes.push_back(block);
  if (map_->nodes.size() > most_runs_) return fail(damaged("has too large a map"));
  return ext2_status(io_channel_read_blk64(fs_->io, block, 1, buffer.data()),
                     "reading the map of inode " + std::to_string(number_));
}

Status BlockMapper::extent_node(std::span<const std::byte> node, int level, std::uint64_t begin,
                                std::uint64_t end, bool fixed_begin) {
  const auto header = part_at<ext3_extent_header>(node, 0);
  const std::size_t room = (node.size() - sizeof(header)) / kExtentBytes;
  // All the room is used, but for two entries at the most, whose place a tail may take.
  if (header.eh_magic != EXT3_EXT_MAGIC || header.eh_depth != level || header.eh_max == 0 ||
      header.eh_max > room || header.eh_max + kMostTail < room ||
      header.eh_entries > header.eh_max) {
    return fail(damaged("has a damaged extent tree"));
  }
  const bool root = !fixed_begin;
  if (header.eh_entries == 0 && (!root || level > 0)) {
    return fail(damaged("has an extent tree with an empty part"));
  }
  const auto entries = node.subspan(sizeof(header), header.eh_entries * kExtentBytes);
  return level == 0 ? extent_leaf(entries, begin, end, fixed_begin)
                    : extent_index(entries, level, begin, end, fixed_begin);
}

Status BlockMapper::extent_leaf(std::span<const std::byte> entries, std::uint64_t begin,
                                std::uint64_t end, bool fixed_begin) {
  for (; !entries.empty(); entries = entries.subspan(kExtentBytes)) {
    const auto extent = part_at<ext3_extent>(entries, 0);
    const bool written = extent.ee_len <= kWrittenMost;
    const std::uint64_t length = written ? extent.ee_len : extent.ee_len - kWrittenMost;
    if (length == 0) return fail(damaged("has an empty extent"));
    if (extent.ee_block < begin || extent.ee_block + length > end ||
        (fixed_begin && extent.ee_block != begin)) {
      return fail(damaged("has extents out of order"));
    }
    fixed_begin = false;
    begin = extent.ee_block + length;
    UPDATE_TRY(append({extent.ee_block, physical_of(extent), length, written}));
  }
  return {};
}

Status BlockMapper::extent_index(std::span<const std::byte> entries, int level, std::uint64_t begin,
                                 std::uint64_t end, bool fixed_begin) {
  for (; !entries.empty(); entries = entries.subspan(kExtentBytes)) {
    const auto index = part_at<ext3_extent_idx>(entries, 0);
    const std::uint64_t next = entries.size() > kExtentBytes
                                   ? part_at<ext3_extent_idx>(entries, kExtentBytes).ei_block
                                   : end;
    if (index.ei_block < begin || next <= index.ei_block || next > end ||
        (fixed_begin && index.ei_block != begin)) {
      return fail(damaged("has extents out of order"));
    }
    fixed_begin = false;
    begin = next;
    UPDATE_TRY(read_node(physical_of(index), level - 1));
    auto& buffer = buffers_[static_cast<std::size_t>(level - 1)];
    // The checksum lies behind as many entries as the node says it has room for.
    const auto header = part_at<ext3_extent_header>(buffer, 0);
    const std::size_t room = (buffer.size() - sizeof(header)) / kExtentBytes;
    if (header.eh_magic == EXT3_EXT_MAGIC && header.eh_max <= room &&
        ext2fs_extent_block_csum_verify(
            fs_, number_, reinterpret_cast<ext3_extent_header*>(buffer.data())) == 0) {
      return fail(damaged("has a part of its extent tree with a wrong checksum"));
    }
    UPDATE_TRY(extent_node(buffer, level - 1, index.ei_block, next, true));
  }
  return {};
}

Status BlockMapper::listed_blocks(std::span<const std::byte> numbers, int level,
                                  std::uint64_t& logical) {
  std::uint64_t covered = 1;  // blocks that one number stands for
  for (int below = 0; below < level; ++below) covered *= fs_->blocksize / 4;
  for (; !numbers.empty(); numbers = numbers.subspan(4)) {
    const auto number = part_at<std::uint32_t>(numbers, 0);
    if (number == 0) {
      logical += covered;
    } else if (level == 0) {
      UPDATE_TRY(append({logical, number, 1, true}));
      ++logical;
    } else {
      UPDATE_TRY(read_node(number, level - 1));
      UPDATE_TRY(listed_blocks(buffers_[static_cast<std::size_t>(level - 1)], level - 1, logical));
    }
  }
  return {};
}

Status BlockMapper::append(const BlockRun& run) {
  const std::uint64_t end = ext2fs_blocks_count(fs_->super);
  if (run.physical <= fs_->super->s_first_data_block || run.physical >= end ||
      run.length > end - run.physical) {
    return fail(damaged("has blocks outside of the image"));
  }
  map_->blocks += run.length;
  if (map_->blocks > end) return fail(damaged("has more blocks than the image"));
  if (!map_->runs.empty()) {
    BlockRun& last = map_->runs.back();
    if (last.logical + last.length == run.logical && last.physical + last.length == run.physical &&
        last.written == run.written) {
      last.length += run.length;
      return {};
    }
  }
  if (map_->runs.size() >= most_runs_) {
    return fail(ErrorCode::failed, "inode " + std::to_string(number_) +
                                       " of the image has more than " + std::to_string(most_runs_) +
                                       " extents");
  }
  map_->runs.push_back(run);
  return {};
}

}  // namespace update::image
