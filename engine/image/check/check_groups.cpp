#include "engine/image/check/check_state.hpp"
#include "engine/image/ext4/superblock.hpp"

#include <cstring>

namespace update::image {
namespace {

std::string group_name(dgrp_t group) {
  return "group " + std::to_string(group) + " of the image ";
}

// Without flex_bg each group has its own tables within itself.
bool tables_within(ext2_filsys fs, dgrp_t group, std::uint64_t first, std::uint64_t length) {
  const bool anywhere = ext2fs_has_feature_flex_bg(fs->super) != 0;
  const std::uint64_t begin =
      anywhere ? fs->super->s_first_data_block : ext2fs_group_first_block2(fs, group);
  const std::uint64_t end =
      anywhere ? ext2fs_blocks_count(fs->super) : ext2fs_group_last_block2(fs, group) + 1;
  return first >= begin && first < end && length <= end - first && first != 0;
}

bool check_places_of_tables(CheckState& state, dgrp_t group) {
  ext2_filsys fs = state.fs;
  const std::uint64_t blocks = ext2fs_block_bitmap_loc(fs, group);
  const std::uint64_t inodes = ext2fs_inode_bitmap_loc(fs, group);
  const std::uint64_t table = ext2fs_inode_table_loc(fs, group);
  if (!tables_within(fs, group, blocks, 1) || !tables_within(fs, group, inodes, 1) ||
      !tables_within(fs, group, table, fs->inode_blocks_per_group)) {
    state.findings.add(group_name(group) +
                       "has its bitmaps or inodes outside of where they belong");
    return false;
  }
  state.take_blocks(0, blocks, 1);
  state.take_blocks(0, inodes, 1);
  state.take_blocks(0, table, fs->inode_blocks_per_group);
  return true;
}

void check_unused_marks(CheckState& state, dgrp_t group) {
  ext2_filsys fs = state.fs;
  const std::uint32_t unused = ext2fs_bg_itable_unused(fs, group);
  const bool unused_blocks = ext2fs_bg_flags_test(fs, group, EXT2_BG_BLOCK_UNINIT) != 0;
  const bool unused_inodes = ext2fs_bg_flags_test(fs, group, EXT2_BG_INODE_UNINIT) != 0;
  if (ext2fs_has_group_desc_csum(fs) == 0) {
    if (!unused_blocks && !unused_inodes && unused == 0) return;
    return state.findings.add(group_name(group) +
                              "is marked as never used, without the feature for that");
  }
  // What is behind the end of the image is marked in its bitmap.
  if (unused_blocks && group == fs->group_desc_count - 1) {
    state.findings.add(group_name(group) + "is the last one, and marked as never used");
  }
  if (unused > ext2fs_bg_free_inodes_count(fs, group)) {
    state.findings.add(group_name(group) + "has more inodes that were never used than free ones");
  }
}

void check_backup(CheckState& state, dgrp_t group) {
  ext2_filsys fs = state.fs;
  if (group == 0 || ext2fs_bg_has_super(fs, group) == 0) return;
  std::string block(fs->blocksize, '\0');
  ext2_super_block backup;
  const errcode_t code =
      io_channel_read_blk64(fs->io, ext2fs_group_first_block2(fs, group), 1, block.data());
  std::memcpy(&backup, block.data(), sizeof(backup));
  if (code == 0 && backup.s_magic == EXT2_SUPER_MAGIC &&
      backup.s_log_block_size == fs->super->s_log_block_size &&
      backup.s_inodes_per_group == fs->super->s_inodes_per_group &&
      backup.s_blocks_per_group == fs->super->s_blocks_per_group) {
    return;
  }
  state.findings.add(group_name(group) + "has a damaged backup of the superblock");
}

}  // namespace

bool check_groups(CheckState& state) {
  ext2_filsys fs = state.fs;
  // First what lies in fixed places, so that of two that overlap the other one is told.
  for (dgrp_t group = 0; group < fs->group_desc_count; ++group) {
    ext2fs_reserve_super_and_bgd(fs, group, state.used.get());
  }
  if (ext2fs_has_feature_mmp(fs->super) != 0) {
    const std::uint64_t block = fs->super->s_mmp_block;
    if (block > fs->super->s_first_data_block && block < ext2fs_blocks_count(fs->super)) {
      state.take_blocks(0, block, 1);
    } else {
      state.findings.add("the image's block against double mounts lies outside of it");
    }
  }
  bool usable = true;
  for (dgrp_t group = 0; group < fs->group_desc_count; ++group) {
    if (ext2fs_group_desc_csum_verify(fs, group) == 0) {
      state.findings.add(group_name(group) + "has a descriptor with a wrong checksum");
    }
    check_unused_marks(state, group);
    usable = check_places_of_tables(state, group) && usable;
    check_backup(state, group);
  }
  return usable;
}

}  // namespace update::image
