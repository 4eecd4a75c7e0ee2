#include "engine/image/write/mkfs.hpp"

#include "engine/base/text.hpp"
#include "engine/image/ext4/channel.hpp"

#include <algorithm>
#include <string>

namespace update::image {
namespace {

constexpr std::uint64_t kBlocksPerGroup = kBlock * 8;
constexpr std::uint16_t kDescriptorSize = 64;
constexpr std::uint64_t kDescriptorsPerBlock = kBlock / kDescriptorSize;
constexpr std::uint64_t kDefaultGrowth = 64;
constexpr std::uint64_t kMostReserved = kBlock / 4;  // one indirect block of the resize inode
constexpr std::uint64_t kReservedPercent = 5;
constexpr std::uint64_t kLostAndFoundBytes = 16384;
constexpr std::uint32_t kCompatible = EXT2_FEATURE_COMPAT_RESIZE_INODE |
                                      EXT2_FEATURE_COMPAT_DIR_INDEX | EXT2_FEATURE_COMPAT_EXT_ATTR |
                                      EXT3_FEATURE_COMPAT_HAS_JOURNAL;
constexpr std::uint32_t kIncompatible = EXT2_FEATURE_INCOMPAT_FILETYPE |
                                        EXT3_FEATURE_INCOMPAT_EXTENTS |
                                        EXT4_FEATURE_INCOMPAT_FLEX_BG | EXT4_FEATURE_INCOMPAT_64BIT;
constexpr std::uint32_t kReadOnlyCompatible =
    EXT2_FEATURE_RO_COMPAT_SPARSE_SUPER | EXT2_FEATURE_RO_COMPAT_LARGE_FILE |
    EXT4_FEATURE_RO_COMPAT_HUGE_FILE | EXT4_FEATURE_RO_COMPAT_METADATA_CSUM |
    EXT4_FEATURE_RO_COMPAT_DIR_NLINK | EXT4_FEATURE_RO_COMPAT_EXTRA_ISIZE;

Status step(errcode_t code) {
  return ext2_status(code, "making a file system");
}

std::uint64_t descriptor_blocks(std::uint64_t blocks) {
  return ext2fs_div64_ceil(ext2fs_div64_ceil(blocks, kBlocksPerGroup), kDescriptorsPerBlock);
}

std::uint16_t reserved_descriptor_blocks(const Geometry& geometry) {
  const std::uint64_t blocks = geometry.bytes / kBlock;
  const std::uint64_t wanted =
      geometry.grow_to_bytes != 0 ? geometry.grow_to_bytes / kBlock : blocks * kDefaultGrowth;
  const std::uint64_t now = descriptor_blocks(blocks);
  const std::uint64_t then = descriptor_blocks(std::max(blocks, wanted));
  // The library takes 0 for its own default, which is much.
  return static_cast<std::uint16_t>(std::clamp<std::uint64_t>(then - now, 1, kMostReserved));
}

Result<ext2_super_block> parameters(const Geometry& geometry, std::uint64_t inodes) {
  const std::uint64_t blocks = geometry.bytes / kBlock;
  const std::uint64_t count = std::max(geometry.bytes / kBytesPerInode, inodes);
  if (blocks >> 32 != 0 || count > UINT32_MAX) {
    return fail(ErrorCode::failed,
                "a file system of " + format_size(geometry.bytes) + " is more than is made here");
  }
  ext2_super_block super{};
  super.s_rev_level = EXT2_DYNAMIC_REV;
  super.s_log_block_size = 2;
  super.s_log_cluster_size = 2;
  super.s_desc_size = kDescriptorSize;
  super.s_log_groups_per_flex = 4;
  super.s_inode_size = 256;
  super.s_inodes_count = static_cast<std::uint32_t>(count);
  super.s_feature_compat = kCompatible;
  super.s_feature_incompat = kIncompatible;
  super.s_feature_ro_compat = kReadOnlyCompatible;
  super.s_default_mount_opts = EXT2_DEFM_XATTR_USER | EXT2_DEFM_ACL;
  super.s_reserved_gdt_blocks = reserved_descriptor_blocks(geometry);
  ext2fs_blocks_count_set(&super, blocks);
  ext2fs_r_blocks_count_set(&super, blocks * kReservedPercent / 100);
  return super;
}

void identify(ext2_filsys fs, const Geometry& geometry, const Identity& identity) {
  ext2_super_block& super = *fs->super;
  const auto now = static_cast<std::uint32_t>(identity.now_s);
  fs->now = library_time(identity.now_s);
  super.s_mkfs_time = now;
  super.s_mkfs_time_hi = static_cast<std::uint8_t>(identity.now_s >> 32);
  super.s_lastcheck = now;
  super.s_lastcheck_hi = static_cast<std::uint8_t>(identity.now_s >> 32);
  std::copy(identity.uuid.begin(), identity.uuid.end(), super.s_uuid);
  // The seed of all checksums comes from the UUID.
  ext2fs_init_csum_seed(fs);
  std::copy_n(identity.hash_seed.begin(), identity.hash_seed.size(),
              reinterpret_cast<std::uint8_t*>(super.s_hash_seed));
  super.s_def_hash_version = EXT2_HASH_HALF_MD4;
  super.s_max_mnt_count = -1;
  super.s_creator_os = EXT2_OS_LINUX;
  super.s_checksum_type = EXT2_CRC32C_CHKSUM;
  super.s_kbytes_written = 1;
  const auto length = std::min(geometry.label.size(), sizeof(super.s_volume_name));
  std::copy_n(geometry.label.begin(), length, super.s_volume_name);
}

Status write_inode_tables(ext2_filsys fs) {
  for (dgrp_t group = 0; group < fs->group_desc_count; ++group) {
    // The file reads as zeros: the kernel of the guest has nothing left to clear.
    ext2fs_bg_flags_set(fs, group, EXT2_BG_INODE_ZEROED);
    ext2fs_group_desc_csum_set(fs, group);
  }
  ext2_inode_large empty[2] = {};  // 256 bytes and more
  for (ext2_ino_t inode = 1; inode < EXT2_FIRST_INODE(fs->super); ++inode) {
    UPDATE_TRY(step(ext2fs_write_inode_full(fs, inode, reinterpret_cast<ext2_inode*>(empty),
                                            EXT2_INODE_SIZE(fs->super))));
  }
  return {};
}

Status make_folders(ext2_filsys fs) {
  UPDATE_TRY(step(ext2fs_mkdir(fs, EXT2_ROOT_INO, EXT2_ROOT_INO, nullptr)));
  fs->umask = 077;
  UPDATE_TRY(step(ext2fs_mkdir(fs, EXT2_ROOT_INO, 0, "lost+found")));
  fs->umask = 022;
  ext2_ino_t folder = 0;
  UPDATE_TRY(step(ext2fs_lookup(fs, EXT2_ROOT_INO, "lost+found", 10, nullptr, &folder)));
  for (std::uint64_t size = kBlock; size < kLostAndFoundBytes; size += kBlock) {
    UPDATE_TRY(step(ext2fs_expand_dir(fs, folder)));
  }
  return {};
}

Status make_reserved_inodes(ext2_filsys fs) {
  for (ext2_ino_t inode = EXT2_ROOT_INO + 1; inode < EXT2_FIRST_INODE(fs->super); ++inode) {
    ext2fs_inode_alloc_stats2(fs, inode, +1, 0);
  }
  ext2fs_mark_inode_bitmap2(fs->inode_map, EXT2_BAD_INO);
  ext2fs_inode_alloc_stats2(fs, EXT2_BAD_INO, +1, 0);
  UPDATE_TRY(step(ext2fs_update_bb_inode(fs, nullptr)));
  return step(ext2fs_create_resize_inode(fs));
}

Status make_journal(ext2_filsys fs) {
  ext2fs_journal_params journal{};
  const errcode_t chosen = ext2fs_get_journal_params(&journal, fs);
  // mkfs.ext4 makes small ones without a journal.
  if (chosen == EXT2_ET_JOURNAL_TOO_SMALL || journal.num_journal_blocks == 0) {
    ext2fs_clear_feature_journal(fs->super);
    return {};
  }
  UPDATE_TRY(step(chosen));
  fs->super->s_overhead_clusters += journal.num_journal_blocks;
  return step(ext2fs_add_journal_inode3(fs, &journal, ~blk64_t{0},
                                        EXT2_MKJOURNAL_LAZYINIT | EXT2_MKJOURNAL_NO_MNT_CHECK));
}

Status fill(ext2_filsys fs) {
  UPDATE_TRY(step(ext2fs_allocate_tables(fs)));
  UPDATE_TRY(step(ext2fs_convert_subcluster_bitmap(fs, &fs->block_map)));
  blk64_t overhead = 0;
  UPDATE_TRY(step(ext2fs_count_used_clusters(fs, fs->super->s_first_data_block,
                                             ext2fs_blocks_count(fs->super) - 1, &overhead)));
  fs->super->s_overhead_clusters = static_cast<std::uint32_t>(overhead);
  UPDATE_TRY(write_inode_tables(fs));
  UPDATE_TRY(make_folders(fs));
  UPDATE_TRY(make_reserved_inodes(fs));
  return make_journal(fs);
}

Error too_small(const Geometry& geometry, errcode_t code) {
  return {ErrorCode::no_space, "an image of " + std::to_string(geometry.bytes) +
                                   " bytes is too small for an ext4 file system: " +
                                   ext2_error(code, "libext2fs").message()};
}

}  // namespace

Result<Filsys> make_file_system(os::File* file, const Geometry& geometry, const Identity& identity,
                                std::uint64_t inodes) {
  UPDATE_TRY_ASSIGN(ext2_super_block super, parameters(geometry, inodes));
  const ChannelOpening opening(file,
                               file != nullptr ? Channel::Use::filling : Channel::Use::planning);
  ext2_filsys fs = nullptr;
  const errcode_t code = ext2fs_initialize("image", EXT2_FLAG_EXCLUSIVE | EXT2_FLAG_64BITS, &super,
                                           ChannelOpening::manager(), &fs);
  if (code != 0) return fail(too_small(geometry, code));
  Filsys made(fs);
  identify(fs, geometry, identity);
  UPDATE_TRY(fill(fs));
  return made;
}

}  // namespace update::image
