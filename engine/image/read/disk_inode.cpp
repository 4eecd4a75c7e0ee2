#include "engine/image/read/disk_inode.hpp"

#include <algorithm>
#include <cstring>

#include "engine/image/ext4/open_image.hpp"

namespace update::image {

Error damaged_inode(ext2_ino_t number, std::string_view problem) {
  return Error(ErrorCode::not_trusted,
               "inode " + std::to_string(number) + " of the image " + std::string(problem))
      .hint("e2fsck -f can repair an image that is damaged");
}

DiskInode::DiskInode(ext2_filsys fs, ext2_ino_t number, std::span<const std::byte> bytes)
    : number_(number), size_on_disk_(static_cast<std::size_t>(EXT2_INODE_SIZE(fs->super))) {
  bytes_.resize(std::max(size_on_disk_, sizeof(ext2_inode_large)));
  std::memcpy(bytes_.data(), bytes.data(), std::min(bytes.size(), size_on_disk_));
}

Result<DiskInode> DiskInode::read(ext2_filsys fs, ext2_ino_t number) {
  if (number == 0 || number > fs->super->s_inodes_count) {
    return fail(damaged_inode(number, "is named, but there is no such"));
  }
  DiskInode inode;
  inode.number_ = number;
  inode.size_on_disk_ = static_cast<std::size_t>(EXT2_INODE_SIZE(fs->super));
  inode.bytes_.resize(std::max(inode.size_on_disk_, sizeof(ext2_inode_large)));
  const errcode_t code =
      ext2fs_read_inode_full(fs, number, reinterpret_cast<ext2_inode*>(inode.bytes_.data()),
                             static_cast<int>(inode.size_on_disk_));
  if (code != 0) {
    return fail(ext2_error(code, "reading inode " + std::to_string(number) + " of the image"));
  }
  return inode;
}

std::span<const std::byte> DiskInode::block_area() const {
  return std::span(bytes_).subspan(offsetof(ext2_inode_large, i_block), sizeof(raw().i_block));
}

std::uint64_t DiskInode::size() const {
  return raw().i_size | std::uint64_t{raw().i_size_high} << 32;
}

bool DiskInode::has_field(std::size_t end) const {
  return size_on_disk_ > EXT2_GOOD_OLD_INODE_SIZE && end <= size_on_disk_ &&
         end <= EXT2_GOOD_OLD_INODE_SIZE + std::size_t{raw().i_extra_isize};
}

MetadataBlocks::MetadataBlocks(ext2_filsys fs) {
  for (dgrp_t group = 0; group < fs->group_desc_count; ++group) {
    add(ext2fs_block_bitmap_loc(fs, group), 1);
    add(ext2fs_inode_bitmap_loc(fs, group), 1);
    add(ext2fs_inode_table_loc(fs, group), fs->inode_blocks_per_group);
    blk64_t super = 0;
    blk64_t old_descriptors = 0;
    blk64_t new_descriptors = 0;
    blk_t used = 0;
    if (ext2fs_super_and_bgd_loc2(fs, group, &super, &old_descriptors, &new_descriptors, &used) !=
        0) {
      continue;
    }
    if (super != 0 || group == 0) add(super, 1);
    if (old_descriptors != 0) {
      add(old_descriptors, fs->desc_blocks);
      // The space beside the old descriptors belongs to the resize inode, which is no file.
      add(old_descriptors + fs->desc_blocks, fs->super->s_reserved_gdt_blocks);
    }
    if (new_descriptors != 0) add(new_descriptors, 1);
  }
  std::sort(ranges_.begin(), ranges_.end(),
            [](const Range& left, const Range& right) { return left.begin < right.begin; });
  std::size_t kept = 0;
  for (const Range& range : ranges_) {
    if (kept > 0 && range.begin <= ranges_[kept - 1].end) {
      ranges_[kept - 1].end = std::max(ranges_[kept - 1].end, range.end);
    } else {
      ranges_[kept++] = range;
    }
  }
  ranges_.resize(kept);
}

void MetadataBlocks::add(std::uint64_t first, std::uint64_t length) {
  if (length == 0) return;
  // Groups that follow each other touch in most cases: then the list stays short from the start.
  if (!ranges_.empty() && ranges_.back().end == first) {
    ranges_.back().end += length;
  } else {
    ranges_.push_back({first, first + length});
  }
}

bool MetadataBlocks::overlaps(std::uint64_t first, std::uint64_t length) const {
  const auto after = std::partition_point(
      ranges_.begin(), ranges_.end(), [first](const Range& range) { return range.end <= first; });
  return after != ranges_.end() && after->begin < first + length;
}

}  // namespace update::image
