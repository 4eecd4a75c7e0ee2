#include "engine/image/write/block_allocator.hpp"

#include "engine/image/ext4/channel.hpp"
#include "engine/image/ext4/open_image.hpp"

#include <algorithm>

namespace update::image {
namespace {

constexpr std::uint64_t kMostInExtent = 32768;

}  // namespace

BlockAllocator::BlockAllocator(ext2_filsys fs) : fs_(fs), goal_(fs->super->s_first_data_block) {}

Result<BlockAllocator::Run> BlockAllocator::take(std::uint64_t most) {
  blk64_t first = 0;
  blk64_t count = 0;
  UPDATE_TRY(ext2_status(
      ext2fs_new_range(fs_, 0, goal_, std::min(most, kMostInExtent), nullptr, &first, &count),
      "finding room in the image"));
  ext2fs_block_alloc_stats_range(fs_, first, static_cast<blk_t>(count), +1);
  goal_ = first + count;
  if (goal_ >= ext2fs_blocks_count(fs_->super)) goal_ = fs_->super->s_first_data_block;
  return Run{first, static_cast<std::uint32_t>(count)};
}

Result<blk64_t> BlockAllocator::store(std::span<const std::byte> contents) {
  UPDATE_TRY_ASSIGN(const Run run, take(1));
  UPDATE_TRY(write(run.first, contents));
  return run.first;
}

Status BlockAllocator::write(blk64_t block, std::span<const std::byte> contents) {
  Channel& channel = channel_of(fs_);
  const std::uint64_t size = fs_->blocksize;
  UPDATE_TRY(channel.write(contents, block * size));
  return channel.zero(block * size + contents.size(), size - contents.size());
}

}  // namespace update::image
